//! Declarations of functions on a grid, and the handle that expressions hold.

use std::fmt;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{
    Average, Bounded, Compression, DType, Function, Grid, Result, Stagger, Storage, SubDomain, SymbolicError,
    identifier,
};

/// Where the history of a saved function lives besides the place where it is computed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Layers {
    /// Nowhere else: one plain array.
    #[default]
    None,
    /// In host memory, fetched when a step needs it: where compressed histories live unless told otherwise.
    Host,
    /// In a file in this directory, which has no name and vanishes with the function. It is written while the run
    /// computes, and read ahead of the run that reads it. For compressed histories.
    Disk(PathBuf),
    /// In host memory as long as it lasts, then in a file in this directory. For compressed histories.
    Spill(PathBuf),
}

/// What tells the kinds of function apart.
#[derive(Clone, Debug, PartialEq)]
pub enum FunctionKind {
    /// A function of space.
    Space,
    /// A function of time and space.
    Time {
        /// 1 or 2: the highest time derivative it takes part in.
        time_order: u32,
        /// Time levels that are kept when no history is, if more than `time_order + 1`.
        buffers: Option<usize>,
        /// The number of stored snapshots, if the history is kept.
        save: Option<usize>,
        /// Snapshot `t / every` belongs to step `t`, for steps with `t % every == 0`.
        every: usize,
        /// How snapshots are compressed, if they are.
        compression: Option<Bounded>,
        /// Where snapshots are kept.
        layers: Layers,
    },
}

/// The declaration of a function, shared by all its handles.
#[derive(Debug)]
pub struct FunctionDecl {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) grid: Grid,
    pub(crate) dtype: DType,
    pub(crate) space_order: u32,
    pub(crate) stagger: Stagger,
    pub(crate) average: Average,
    pub(crate) region: Option<SubDomain>,
    pub(crate) tight: bool,
    pub(crate) temporary: bool,
    pub(crate) kind: FunctionKind,
    pub(crate) storage: Storage,
}

impl FunctionDecl {
    /// A number no other declaration of this process has.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The grid.
    #[must_use]
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// The element type.
    #[must_use]
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The order of space derivatives taken of it.
    #[must_use]
    pub fn space_order(&self) -> u32 {
        self.space_order
    }

    /// Points of halo on each side of each dimension: the space order.
    #[must_use]
    pub fn halo(&self) -> usize {
        self.space_order as usize
    }

    /// The kind, with the settings of a time function.
    #[must_use]
    pub fn kind(&self) -> &FunctionKind {
        &self.kind
    }

    /// Whether it depends on time.
    #[must_use]
    pub fn is_time(&self) -> bool {
        matches!(self.kind, FunctionKind::Time { .. })
    }

    /// The time order, for a time function.
    #[must_use]
    pub fn time_order(&self) -> Option<u32> {
        match self.kind {
            FunctionKind::Time { time_order, .. } => Some(time_order),
            FunctionKind::Space => None,
        }
    }

    /// The number of stored snapshots, if the history is kept.
    #[must_use]
    pub fn save(&self) -> Option<usize> {
        match self.kind {
            FunctionKind::Time { save, .. } => save,
            FunctionKind::Space => None,
        }
    }

    /// Steps between two snapshots; 1 when every step is kept or nothing is.
    #[must_use]
    pub fn save_every(&self) -> usize {
        match self.kind {
            FunctionKind::Time { every, .. } => every,
            FunctionKind::Space => 1,
        }
    }

    /// The compression of the history, if it is compressed.
    #[must_use]
    pub fn compression(&self) -> Option<&Compression> {
        match &self.kind {
            FunctionKind::Time { compression, .. } => compression.as_ref().map(|c| &c.codec),
            FunctionKind::Space => None,
        }
    }

    /// The bound on the error of a compressed history at every point, over max - min of the snapshot, if it has one.
    #[must_use]
    pub fn max_error(&self) -> Option<f64> {
        match &self.kind {
            FunctionKind::Time { compression, .. } => compression.and_then(|c| c.max_error),
            FunctionKind::Space => None,
        }
    }

    /// Where the history is kept.
    #[must_use]
    pub fn layers(&self) -> &Layers {
        match &self.kind {
            FunctionKind::Time { layers, .. } => layers,
            FunctionKind::Space => &Layers::None,
        }
    }

    /// Arrays of one time level that are stored: the snapshots of a saved function, `time_order + 1`
    /// for another time function (level `n` in array `n mod buffers`), 1 for a function of space.
    #[must_use]
    pub fn buffers(&self) -> usize {
        match self.kind {
            FunctionKind::Time { save: Some(save), .. } => save,
            FunctionKind::Time { time_order, buffers, .. } => buffers.unwrap_or(time_order as usize + 1),
            FunctionKind::Space => 1,
        }
    }

    /// Per dimension: whether the values lie half a spacing up.
    #[must_use]
    pub fn stagger(&self) -> [bool; 3] {
        self.stagger.halves(self.grid.rank())
    }

    /// How it is taken to a place where it does not live.
    #[must_use]
    pub fn average(&self) -> Average {
        self.average
    }

    /// The part of the grid on which it is stored, if not on all of it.
    #[must_use]
    pub fn region(&self) -> Option<&SubDomain> {
        self.region.as_ref()
    }

    /// Points that are stored, per dimension: those of the grid, or of the part of it.
    #[must_use]
    pub fn shape(&self) -> Vec<usize> {
        match &self.region {
            Some(region) => region.bounds().iter().map(|(from, to)| to - from).collect(),
            None => self.grid.shape().to_vec(),
        }
    }

    /// Whether its memory has no padding: `shape + 2*halo` points, row-major.
    #[must_use]
    pub fn is_tight(&self) -> bool {
        self.tight
    }

    /// Whether it is a name for an expression, without memory.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.temporary
    }

    /// The slot for its data.
    #[must_use]
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Checks every setting.
    ///
    /// Only a [twin](crate::TimeFunction::twin) can fail here: builders check before they build.
    ///
    /// # Errors
    /// The `grid::`, `name::` and `function::` codes.
    pub fn check(&self) -> Result<()> {
        identifier::check(&self.name)?;
        self.grid.check()?;
        let name = || self.name.clone();
        if !self.space_order.is_multiple_of(2) || self.space_order > 64 {
            return Err(SymbolicError::SpaceOrder { name: name(), order: self.space_order });
        }
        if let Some(region) = &self.region {
            region.check()?;
            if !region.grid().same_as(&self.grid) {
                let (first, second) = (self.name.clone(), region.name().to_string());
                return Err(SymbolicError::EquationGrid { first, second });
            }
            if self.shape().contains(&0) {
                return Err(SymbolicError::SubDomainEmpty { name: region.name().into() });
            }
        }
        let FunctionKind::Time { time_order, buffers, save, every, compression, layers } = &self.kind else {
            return Ok(());
        };
        if !(1..=2).contains(time_order) {
            return Err(SymbolicError::TimeOrder { name: name(), order: *time_order });
        }
        if let Some(buffers) = buffers
            && (save.is_some() || *buffers <= *time_order as usize)
        {
            return Err(SymbolicError::Buffers { name: name(), buffers: *buffers, time_order: *time_order });
        }
        if *save == Some(0) {
            return Err(SymbolicError::SaveEmpty { name: name() });
        }
        if *every == 0 {
            return Err(SymbolicError::SaveEveryZero { name: name() });
        }
        if save.is_none() && *every != 1 {
            return Err(SymbolicError::SaveEveryWithoutSave { name: name(), every: *every });
        }
        if let Some(compression) = compression {
            if save.is_none() {
                return Err(SymbolicError::CompressionWithoutSave { name: name() });
            }
            compression.validate().map_err(|reason| SymbolicError::Compression { name: name(), reason })?;
        } else if let Layers::Disk(_) | Layers::Spill(_) = layers {
            return Err(SymbolicError::LayersWithoutCompression { name: name() });
        }
        Ok(())
    }
}

/// A handle of any kind of function on a grid: what expressions hold.
///
/// Dereferences to the [declaration](FunctionDecl). Handles are equal when they name the same declaration.
#[derive(Clone)]
pub struct FunctionRef(Arc<FunctionDecl>);

impl FunctionRef {
    pub(crate) fn new(decl: FunctionDecl) -> Self {
        Self(Arc::new(decl))
    }

    /// A fresh function of space for one time level of this one: at the same places, of the same type, without halo.
    #[must_use]
    pub fn level(&self, name: impl Into<String>) -> Function {
        Function::from_handle(Self::new(FunctionDecl {
            id: next_id(),
            name: name.into(),
            grid: self.grid.clone(),
            dtype: self.dtype,
            space_order: 0,
            stagger: self.stagger.clone(),
            average: self.average,
            region: self.region.clone(),
            tight: false,
            temporary: false,
            kind: FunctionKind::Space,
            storage: Storage::default(),
        }))
    }

    /// A fresh declaration with the same settings, another name, and no data.
    #[must_use]
    pub(crate) fn twin(&self, name: String) -> Self {
        Self::new(FunctionDecl {
            id: next_id(),
            name,
            grid: self.grid.clone(),
            dtype: self.dtype,
            space_order: self.space_order,
            stagger: self.stagger.clone(),
            average: self.average,
            region: self.region.clone(),
            tight: self.tight,
            temporary: self.temporary,
            kind: self.kind.clone(),
            storage: Storage::default(),
        })
    }
}

/// Ids are shared by all kinds of declaration.
pub(crate) fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Deref for FunctionRef {
    type Target = FunctionDecl;

    fn deref(&self) -> &FunctionDecl {
        &self.0
    }
}

impl PartialEq for FunctionRef {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for FunctionRef {}

impl std::hash::Hash for FunctionRef {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl fmt::Debug for FunctionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Prints the function with its arguments: `u(t, x, y)`.
impl fmt::Display for FunctionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", crate::IntoExpr::expr(self))
    }
}
