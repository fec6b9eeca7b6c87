//! Builders of functions: settings by value, checked once at the end.

use crate::function::next_id;
use crate::{
    Compression, DType, Function, FunctionDecl, FunctionKind, FunctionRef, Grid, Layers, Result, Storage,
    TimeFunction,
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
}

impl Common {
    fn new(name: String, grid: &Grid) -> Self {
        Self { name, grid: grid.clone(), dtype: grid.dtype(), space_order: 2 }
    }

    fn build(self, kind: FunctionKind) -> Result<FunctionRef> {
        let Self { name, grid, dtype, space_order } = self;
        let decl =
            FunctionDecl { id: next_id(), name, grid, dtype, space_order, kind, storage: Storage::default() };
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
    save: Option<usize>,
    every: usize,
    compression: Option<Compression>,
    layers: Layers,
}

impl TimeFunctionBuilder {
    pub(crate) fn new(name: String, grid: &Grid) -> Self {
        Self {
            common: Common::new(name, grid),
            time_order: 1,
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

    /// Compresses the snapshots.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = Some(compression);
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
        let Self { common, time_order, save, every, compression, layers } = self;
        let kind = FunctionKind::Time { time_order, save, every, compression, layers };
        common.build(kind).map(TimeFunction::from_handle)
    }
}
