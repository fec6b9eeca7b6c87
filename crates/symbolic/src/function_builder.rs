//! Builders of functions: settings by value, checked once at the end.

use crate::function::next_id;
use crate::{
    Average, Bounded, DType, Function, FunctionDecl, FunctionKind, FunctionRef, Grid, Layers, Result,
    Stagger, Storage, SubDomain, TimeFunction,
};

/// The largest distance of snapshots; beyond it only step 0 is ever kept.
const MAX_EVERY: usize = isize::MAX as usize / 4;

/// Settings that all functions on a grid share.
#[derive(Clone, Debug)]
struct Common {
    name: String,
    grid: Grid,
    dtype: DType,
    space_order: u32,
    stagger: Stagger,
    average: Average,
    region: Option<SubDomain>,
    tight: bool,
    temporary: bool,
}

impl Common {
    fn new(name: String, grid: &Grid) -> Self {
        Self {
            name,
            grid: grid.clone(),
            dtype: grid.dtype(),
            space_order: 2,
            stagger: Stagger::Node,
            average: Average::Arithmetic,
            region: None,
            tight: false,
            temporary: false,
        }
    }

    fn build(self, kind: FunctionKind) -> Result<FunctionRef> {
        let Self { name, grid, dtype, space_order, stagger, average, region, tight, temporary } = self;
        let (id, storage) = (next_id(), Storage::default());
        let decl = FunctionDecl {
            id,
            name,
            grid,
            dtype,
            space_order,
            stagger,
            average,
            region,
            tight,
            temporary,
            kind,
            storage,
        };
        decl.check()?;
        Ok(FunctionRef::new(decl))
    }
}

/// Builder of a [`Function`]: space order 2 and the grid's element type unless said otherwise.
#[derive(Clone, Debug)]
#[must_use = "a builder makes nothing until `build`"]
pub struct FunctionBuilder(Common);

impl FunctionBuilder {
    pub(crate) fn new(name: String, grid: &Grid) -> Self {
        Self(Common::new(name, grid))
    }

    /// Order of space derivatives and width of the halo: even, 2 to 64; 0 for a function without halo.
    pub fn space_order(mut self, order: u32) -> Self {
        self.0.space_order = order;
        self
    }

    /// The element type.
    pub fn dtype(mut self, dtype: DType) -> Self {
        self.0.dtype = dtype;
        self
    }

    /// Where the values lie: [`Stagger`], a dimension, or several.
    pub fn staggered(mut self, stagger: impl Into<Stagger>) -> Self {
        self.0.stagger = stagger.into();
        self
    }

    /// How it is taken to a place where it does not live.
    pub fn average(mut self, average: Average) -> Self {
        self.0.average = average;
        self
    }

    /// Stores it on a part of the grid only. Equations that name it must be restricted to points where it is stored,
    /// or where its halo reaches.
    pub fn on(mut self, region: &SubDomain) -> Self {
        self.0.region = Some(region.clone());
        self
    }

    /// Keeps its memory without padding, as `shape + 2*halo` points, row-major: for memory that the caller brings.
    pub fn tight(mut self) -> Self {
        self.0.tight = true;
        self
    }

    /// The same settings under another name.
    pub(crate) fn renamed(&self, name: String) -> Self {
        let mut other = self.clone();
        other.0.name = name;
        other
    }

    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    pub(crate) fn grid(&self) -> &Grid {
        &self.0.grid
    }

    /// A name for an expression, without memory: the equation that assigns it defines it, and equations behind that one
    /// get the expression wherever they name it.
    pub fn temporary(mut self) -> Self {
        self.0.temporary = true;
        self
    }

    /// Makes the function.
    ///
    /// # Errors
    /// The `grid::`, `name::` and `function::` codes.
    pub fn build(self) -> Result<Function> {
        self.0.build(FunctionKind::Space).map(Function::from_handle)
    }
}

/// Builder of a [`TimeFunction`]: time order 1, space order 2, no history unless said otherwise.
#[derive(Clone, Debug)]
#[must_use = "a builder makes nothing until `build`"]
pub struct TimeFunctionBuilder {
    common: Common,
    time_order: u32,
    buffers: Option<usize>,
    save: Option<usize>,
    every: usize,
    compression: Option<Bounded>,
    layers: Layers,
}

impl TimeFunctionBuilder {
    pub(crate) fn new(name: String, grid: &Grid) -> Self {
        Self {
            common: Common::new(name, grid),
            time_order: 1,
            buffers: None,
            save: None,
            every: 1,
            compression: None,
            layers: Layers::None,
        }
    }

    /// Order of space derivatives and width of the halo: even, 2 to 64; 0 for a function without halo.
    pub fn space_order(mut self, order: u32) -> Self {
        self.common.space_order = order;
        self
    }

    /// The element type.
    pub fn dtype(mut self, dtype: DType) -> Self {
        self.common.dtype = dtype;
        self
    }

    /// Where the values lie: [`Stagger`], a dimension, or several.
    pub fn staggered(mut self, stagger: impl Into<Stagger>) -> Self {
        self.common.stagger = stagger.into();
        self
    }

    /// How it is taken to a place where it does not live.
    pub fn average(mut self, average: Average) -> Self {
        self.common.average = average;
        self
    }

    /// Stores it on a part of the grid only. Equations that name it must be restricted to points where it is stored,
    /// or where its halo reaches.
    pub fn on(mut self, region: &SubDomain) -> Self {
        self.common.region = Some(region.clone());
        self
    }

    /// Keeps its memory without padding, as `shape + 2*halo` points, row-major: for memory that the caller brings.
    pub fn tight(mut self) -> Self {
        self.common.tight = true;
        self
    }

    /// Keeps `n` time levels, more than `time_order + 1`, for equations that look further back.
    pub fn buffers(mut self, n: usize) -> Self {
        self.buffers = Some(n);
        self
    }

    /// The same settings under another name.
    pub(crate) fn renamed(&self, name: String) -> Self {
        let mut other = self.clone();
        other.common.name = name;
        other
    }

    pub(crate) fn name(&self) -> &str {
        &self.common.name
    }

    pub(crate) fn grid(&self) -> &Grid {
        &self.common.grid
    }

    /// 1 or 2. A function that is not saved keeps `time_order + 1` time levels.
    pub fn time_order(mut self, order: u32) -> Self {
        self.time_order = order;
        self
    }

    /// Keeps a history of this many snapshots.
    pub fn save(mut self, snapshots: usize) -> Self {
        self.save = Some(snapshots);
        self
    }

    /// Keeps one step in `every`: snapshot `t / every` is touched at steps with `t % every == 0`.
    pub fn save_every(mut self, every: usize) -> Self {
        // Steps are signed in generated code; none is that far, so the meaning stays.
        self.every = every.min(MAX_EVERY);
        self
    }

    /// Compresses the snapshots: by a codec, or a codec [within](crate::Compression::within) a bound on its error.
    pub fn compression(mut self, compression: impl Into<Bounded>) -> Self {
        self.compression = Some(compression.into());
        self
    }

    /// Chooses where the history is kept.
    pub fn layers(mut self, layers: Layers) -> Self {
        self.layers = layers;
        self
    }

    /// Makes the function.
    ///
    /// # Errors
    /// The `grid::`, `name::` and `function::` codes.
    pub fn build(self) -> Result<TimeFunction> {
        let Self { common, time_order, buffers, save, every, compression, layers } = self;
        let kind = FunctionKind::Time { time_order, buffers, save, every, compression, layers };
        common.build(kind).map(TimeFunction::from_handle)
    }
}
