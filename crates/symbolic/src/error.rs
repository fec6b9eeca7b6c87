//! What can be wrong with a symbolic program.

use thiserror::Error;
use wavefold_codecs::CompressionError;

/// The result of a check or of a build.
pub type Result<T, E = SymbolicError> = std::result::Result<T, E>;

/// A symbolic value that means nothing. Every variant has a stable [code](SymbolicError::code).
#[derive(Clone, Debug, PartialEq, Error)]
#[allow(missing_docs, reason = "the message of each variant names its fields")]
pub enum SymbolicError {
    #[error("a grid of shape {shape:?} has no points")]
    GridEmpty { shape: Vec<usize> },
    #[error("a grid has one to three dimensions, not {rank}")]
    GridRank { rank: usize },
    #[error("a grid of shape {shape:?} has more points than memory can address")]
    GridTooLarge { shape: Vec<usize> },
    #[error("the {what} of the grid has {found} values; the grid has {rank} dimension(s)")]
    GridValues { what: &'static str, found: usize, rank: usize },
    #[error("the spacing of the grid along {dim} is {value}; it must be positive and finite")]
    GridSpacing { dim: &'static str, value: f64 },
    #[error(
        "the extent of the grid along {dim} is {value}, which gives no positive spacing over {points} point(s)"
    )]
    GridExtent { dim: &'static str, value: f64, points: usize },
    #[error("the origin of the grid along {dim} is {value}; it must be finite")]
    GridOrigin { dim: &'static str, value: f64 },

    #[error("`{name}` is not an identifier")]
    NameInvalid { name: String },
    #[error("`{name}` is reserved {reason}")]
    NameReserved { name: String, reason: &'static str },

    #[error("`{name}` has space order {order}; it must be even and at most 64")]
    SpaceOrder { name: String, order: u32 },
    #[error("`{name}` has time order {order}; it must be 1 or 2")]
    TimeOrder { name: String, order: u32 },
    #[error("`{name}` keeps {buffers} time level(s), with time order {time_order}")]
    Buffers { name: String, buffers: usize, time_order: u32 },
    #[error("`{name}` saves no snapshot")]
    SaveEmpty { name: String },
    #[error("`{name}` saves every 0 steps")]
    SaveEveryZero { name: String },
    #[error("`{name}` has `save_every({every})` but is not saved")]
    SaveEveryWithoutSave { name: String, every: usize },
    #[error("`{name}` is compressed but not saved")]
    CompressionWithoutSave { name: String },
    #[error("`{name}` is kept on disk but not compressed")]
    LayersWithoutCompression { name: String },
    #[error("the compression of `{name}` is not valid: {reason}")]
    Compression { name: String, reason: CompressionError },

    #[error("`{name}` has {found} coordinate(s) at point {point}; the grid has {rank} dimension(s)")]
    CoordinateRank { name: String, point: usize, found: usize, rank: usize },
    #[error("`{name}` has {points} point(s) but {found} were given")]
    CoordinateCount { name: String, points: usize, found: usize },
    #[error("coordinate {dim} of point {point} of `{name}` is {value}")]
    CoordinateNotFinite { name: String, point: usize, dim: &'static str, value: f64 },
    #[error("`{name}` has {points} point(s), more than memory can hold")]
    SparseTooLarge { name: String, points: usize },
    #[error("`{name}` has no time steps")]
    SparseSteps { name: String },
    #[error("`{name}` has a sinc of radius {radius}; it must be 2 to 10")]
    SincRadius { name: String, radius: usize },
    #[error("the weights of `{name}` cannot be used: {reason}")]
    SparseWeights { name: String, reason: String },
    #[error("`{name}` has weights of its own and no coordinates")]
    NoCoordinates { name: String },

    #[error("`{expr}` is differentiated along {dim}, which the grid of `{function}` does not have")]
    DerivativeDimension { expr: String, dim: &'static str, function: String },
    #[error("`{expr}` is differentiated in time, but nothing in it depends on time")]
    DerivativeTime { expr: String },
    #[error("`{expr}` is differentiated in space, but `{function}` has space order 0")]
    DerivativeOrder { expr: String, function: String },
    #[error("`{expr}` is differentiated, but the sparse function `{sparse}` lives on points")]
    DerivativeSparse { expr: String, sparse: String },
    #[error("`{function}` is shifted along a dimension that its grid does not have")]
    AccessDimension { function: String },
    #[error(
        "the expression contains the spacing `h_{dim}`, but the grid of `{function}` has no dimension {dim}"
    )]
    SpacingDimension { dim: &'static str, function: String },
    #[error("the expression contains the number {value}")]
    NumberNotFinite { value: f64 },
    #[error("the expression is nested {depth} levels deep; at most {limit} can be compiled")]
    TooDeep { depth: usize, limit: usize },

    #[error(
        "the derivative `{expr}` is evaluated at a place that is neither a point nor halfway between two nearby"
    )]
    DerivativePlace { expr: String },
    #[error("the derivative `{expr}` has order {order}; it must be even, 2 to 64, or odd with a side")]
    DerivativeOwnOrder { expr: String, order: u32 },
    #[error("the derivative `{expr}` has no weights, or one that is not finite, or two at one point")]
    DerivativeWeights { expr: String },
    #[error("`{name}` takes {thickness} point(s) along {dim}, where the grid has {points}")]
    SubDomainTooThick { name: String, dim: &'static str, thickness: usize, points: usize },
    #[error("`{name}` is cut along {dim}, which its grid does not have")]
    SubDomainDimension { name: String, dim: &'static str },
    #[error("`{name}` holds no points")]
    SubDomainEmpty { name: String },
    #[error("an equation between {lhs} and {rhs}")]
    EquationComponents { lhs: String, rhs: String },
    #[error("an {what} cannot be restricted to a part of the grid")]
    EquationRegion { what: &'static str },
    #[error("a statement is restricted to `{first}` and to `{second}`")]
    EquationRegions { first: String, second: String },
    #[error("a reduction cannot have a condition")]
    ReduceCondition,
    #[error("`{name}` is no series: it has {points} points")]
    ReduceTarget { name: String, points: usize },
    #[error("the temporary `{name}` is used before an equation defines it")]
    TemporaryUndefined { name: String },
    #[error("the temporary `{name}` cannot be {how}")]
    TemporaryTarget { name: String, how: &'static str },

    #[error("`{lhs}` cannot be assigned to")]
    EquationLhs { lhs: String },
    #[error("`{first}` and `{second}` are used together but live on different grids")]
    EquationGrid { first: String, second: String },
    #[error("`{function}` is used at {steps} time levels but keeps {buffers}")]
    EquationTimeShift { function: String, steps: u64, buffers: usize },
    #[error("`{function}` is saved every {every} steps and cannot be shifted in time")]
    EquationSubsampledShift { function: String, every: usize },
    #[error("`{sparse}` is used outside its own injection")]
    EquationSparse { sparse: String },

    #[error("`{target}` cannot be solved for")]
    SolveTarget { target: String },
    #[error("the equation does not contain `{target}`")]
    SolveAbsent { target: String },
    #[error("the equation is not linear in `{target}`: see `{term}`")]
    SolveNonLinear { target: String, term: String },
    #[error("`{target}` stands inside the space derivative `{term}`")]
    SolveInsideDerivative { target: String, term: String },

    #[error("a derivative of degree {degree} needs {degree} + 1 or more distinct points, not {points}")]
    FdNodes { degree: u32, points: usize },
}

impl SymbolicError {
    /// The stable code, such as `grid::empty`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::GridEmpty { .. } => "grid::empty",
            Self::GridRank { .. } => "grid::rank",
            Self::GridTooLarge { .. } => "grid::too_large",
            Self::GridValues { .. } => "grid::values",
            Self::GridSpacing { .. } => "grid::spacing",
            Self::GridExtent { .. } => "grid::extent",
            Self::GridOrigin { .. } => "grid::origin",
            Self::NameInvalid { .. } => "name::invalid",
            Self::NameReserved { .. } => "name::reserved",
            Self::SpaceOrder { .. } => "function::space_order",
            Self::TimeOrder { .. } => "function::time_order",
            Self::Buffers { .. } => "function::buffers",
            Self::SaveEmpty { .. } => "function::save",
            Self::SaveEveryZero { .. } => "function::save_every",
            Self::SaveEveryWithoutSave { .. } => "function::save_every_without_save",
            Self::CompressionWithoutSave { .. } => "function::compression_without_save",
            Self::LayersWithoutCompression { .. } => "function::layers_without_compression",
            Self::Compression { .. } => "function::compression",
            Self::CoordinateRank { .. } => "sparse::coordinate_rank",
            Self::CoordinateCount { .. } => "sparse::coordinate_count",
            Self::CoordinateNotFinite { .. } => "sparse::not_finite",
            Self::SparseTooLarge { .. } => "sparse::too_large",
            Self::SparseSteps { .. } => "sparse::steps",
            Self::SincRadius { .. } => "sparse::radius",
            Self::SparseWeights { .. } => "sparse::weights",
            Self::NoCoordinates { .. } => "sparse::no_coordinates",
            Self::DerivativeDimension { .. } => "derivative::dimension",
            Self::DerivativeTime { .. } => "derivative::time",
            Self::DerivativeOrder { .. } => "derivative::order",
            Self::DerivativeSparse { .. } => "derivative::sparse",
            Self::AccessDimension { .. } => "expression::dimension",
            Self::SpacingDimension { .. } => "expression::spacing",
            Self::NumberNotFinite { .. } => "expression::not_finite",
            Self::TooDeep { .. } => "expression::too_deep",
            Self::DerivativePlace { .. } => "derivative::place",
            Self::DerivativeOwnOrder { .. } => "derivative::own_order",
            Self::DerivativeWeights { .. } => "derivative::weights",
            Self::SubDomainTooThick { .. } => "subdomain::too_thick",
            Self::SubDomainDimension { .. } => "subdomain::dimension",
            Self::SubDomainEmpty { .. } => "subdomain::empty",
            Self::EquationComponents { .. } => "equation::components",
            Self::EquationRegion { .. } => "equation::region",
            Self::EquationRegions { .. } => "equation::regions",
            Self::ReduceCondition => "reduce::condition",
            Self::ReduceTarget { .. } => "reduce::target",
            Self::TemporaryUndefined { .. } => "temporary::undefined",
            Self::TemporaryTarget { .. } => "temporary::target",
            Self::EquationLhs { .. } => "equation::lhs",
            Self::EquationGrid { .. } => "equation::grid",
            Self::EquationTimeShift { .. } => "equation::time_shift",
            Self::EquationSubsampledShift { .. } => "equation::subsampled_shift",
            Self::EquationSparse { .. } => "equation::sparse",
            Self::SolveTarget { .. } => "solve::target",
            Self::SolveAbsent { .. } => "solve::absent",
            Self::SolveNonLinear { .. } => "solve::non_linear",
            Self::SolveInsideDerivative { .. } => "solve::inside_derivative",
            Self::FdNodes { .. } => "fd::nodes",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::GridEmpty { .. } => "give every dimension at least one point".into(),
            Self::GridRank { .. } => {
                "write `Grid::new([nx])`, `Grid::new([nx, ny])` or `Grid::new([nx, ny, nz])`".into()
            }
            Self::GridValues { what, rank, .. } => format!("give one {what} for all dimensions, or {rank}"),
            Self::GridExtent { .. } => {
                "the extent is spacing * (points - 1); with one point it must be 0".into()
            }
            Self::NameInvalid { .. } => "use letters, digits and `_`, not beginning with a digit".into(),
            Self::NameReserved { .. } => "choose another name".into(),
            Self::SpaceOrder { .. } => {
                "use 2, 4, 6, .., or 0 for a function that is never differentiated in space".into()
            }
            Self::TimeOrder { .. } => {
                "use `.time_order(2)` for equations with `dt2`, else `.time_order(1)`".into()
            }
            Self::Buffers { time_order, .. } => {
                format!("give {} or more, and only to a function that is not saved", time_order + 1)
            }
            Self::SincRadius { .. } => "Hicks (2002) recommends a radius of 4".into(),
            Self::SparseWeights { .. } => {
                "give one index for each dimension of each point, and `width` finite weights for each index"
                    .into()
            }
            Self::NoCoordinates { .. } => {
                "make another function with other weights, and run `.with(..)` it".into()
            }
            Self::DerivativePlace { .. } => "use `.x0(0.5)`, `.x0(-0.5)` or `.x0(0.0)`".into(),
            Self::DerivativeWeights { .. } => "give finite weights: `.weights(-1, &[-0.5, 0.0, 0.5])`".into(),
            Self::DerivativeOwnOrder { .. } => {
                "use `.order(2)`, `.order(4)`, .., or an odd order with `.side(..)`".into()
            }
            Self::SubDomainTooThick { points, .. } => format!("take at most {points} points"),
            Self::SubDomainEmpty { .. } => "leave it at least one point along every dimension".into(),
            Self::EquationComponents { .. } => "both sides need the same components".into(),
            Self::EquationRegion { .. } => "use `.when(condition)` instead".into(),
            Self::EquationRegions { .. } => "make one part of what they have in common".into(),
            Self::ReduceCondition => "reduce `select(condition, value, 0.0)`".into(),
            Self::ReduceTarget { .. } => "make a `Series`".into(),
            Self::TemporaryUndefined { name } => format!("write `eq(&{name}, ..)` before it is used"),
            Self::TemporaryTarget { .. } => "use a function with memory".into(),
            Self::SaveEmpty { .. } => {
                "give the number of snapshots: `.save(nt)`; leave it out to keep only the working levels"
                    .into()
            }
            Self::SaveEveryZero { .. } => "`.save_every(1)` keeps every step".into(),
            Self::LayersWithoutCompression { .. } => "add `.compression(Noop)`".into(),
            Self::SaveEveryWithoutSave { .. } | Self::CompressionWithoutSave { .. } => {
                "add `.save(nt)` with the number of snapshots".into()
            }
            Self::Compression { reason, .. } => return reason.help(),
            Self::CoordinateRank { .. } => {
                "give one coordinate per dimension, in the unit of the spacing".into()
            }
            Self::CoordinateCount { points, .. } => format!("give {points} points, or drop `.points(..)`"),
            Self::SparseSteps { .. } => {
                "give the number of samples with `.steps(nt)`, or use a `SparseFunction`".into()
            }
            Self::DerivativeTime { .. } => "use a `TimeFunction`".into(),
            Self::DerivativeOrder { function, .. } => {
                format!("give `{function}` a `.space_order(2)` or more")
            }
            Self::DerivativeSparse { .. } => "inject it into a function on the grid first".into(),
            Self::TooDeep { .. } => "split the expression over several functions".into(),
            Self::EquationGrid { .. } => "make all functions of an operator on one `Grid`".into(),
            Self::EquationLhs { .. } => {
                "the left-hand side is a function at the point itself, such as `u`, `u.forward()` or `m`"
                    .into()
            }
            Self::EquationTimeShift { .. } => {
                "raise `.time_order(..)`, or keep the history with `.save(nt)`".into()
            }
            Self::EquationSubsampledShift { .. } => "use it at the step itself, or save every step".into(),
            Self::EquationSparse { sparse } => {
                format!("use `{sparse}.inject(target, value)` to bring it onto the grid")
            }
            Self::SolveTarget { .. } => {
                "solve for a function at one time level, such as `u.forward()`".into()
            }
            Self::SolveAbsent { target } => {
                format!("check that a time derivative brings in `{target}`")
            }
            Self::SolveInsideDerivative { .. } => {
                "an explicit update needs the unknown outside space derivatives".into()
            }
            _ => return None,
        })
    }
}
