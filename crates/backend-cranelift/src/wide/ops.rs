//! What a row computes at its points, as a straight line of operations on vectors.

/// The result of an operation: its position.
pub(crate) type Value = usize;

/// A neighbour of the current point.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Place {
    /// Position among the buffers of the row.
    pub(crate) buffer: usize,
    /// Bytes from the current point.
    pub(crate) at: i32,
}

/// Operations on two vectors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    /// The first operand where it is less, the second elsewhere.
    Min,
    /// The first operand where it is greater, the second elsewhere.
    Max,
    /// All bits set where the comparison holds, none elsewhere; so are those that follow.
    Less,
    LessOrEqual,
    Equal,
    And,
    Or,
    Xor,
}

impl Binary {
    /// Whether the operands may change places.
    pub(super) fn commutes(self) -> bool {
        use Binary::*;
        matches!(self, Add | Mul | And | Or | Xor | Equal)
    }
}

/// Operations on one vector.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unary {
    Sqrt,
    Floor,
    Ceil,
}

/// One operation. Operands come first.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    /// A number in all lanes, by its bits in the type of the row.
    Literal(u64),
    /// One of the scalars of the row, in all lanes.
    Scalar(usize),
    Load(Place),
    Unary(Unary, Value),
    Binary(Binary, Value, Value),
    /// `x * y + z`, rounded once.
    Fma(Value, Value, Value),
    /// The second operand where all bits of the first are set, the third where none is.
    Select(Value, Value, Value),
    /// Stores a value; with `true` past the caches, but for the rest of the row: the row must begin at a cache line.
    Store(Place, Value, bool),
}

impl Op {
    /// What it works on.
    pub(crate) fn operands(&self) -> impl Iterator<Item = Value> + use<> {
        let operands = match *self {
            Op::Literal(_) | Op::Scalar(_) | Op::Load(_) => [None; 3],
            Op::Unary(_, x) | Op::Store(_, x, _) => [Some(x), None, None],
            Op::Binary(_, x, y) => [Some(x), Some(y), None],
            Op::Fma(x, y, z) | Op::Select(x, y, z) => [Some(x), Some(y), Some(z)],
        };
        operands.into_iter().flatten()
    }

    /// Whether it is the same at all points.
    pub(super) fn is_constant(&self) -> bool {
        matches!(self, Op::Literal(_) | Op::Scalar(_))
    }
}

/// A row: `extern "C" fn(*const Arguments, points)`, where the arguments are the address of the first point in each
/// buffer, then the scalars, each as a value of the row.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    /// Whether values are doubles.
    pub(crate) double: bool,
    /// Number of buffers.
    pub(crate) buffers: usize,
    /// Pairs of buffers that may share memory; each shares it with itself.
    pub(crate) shared: Vec<(usize, usize)>,
    /// What is asked for in each cache line.
    pub(crate) ahead: Vec<Place>,
    /// What is done at each point.
    pub(crate) ops: Vec<Op>,
}

impl Row {
    /// Bytes of a value.
    pub(super) fn size(&self) -> i32 {
        if self.double { 8 } else { 4 }
    }

    /// Where a scalar is among the arguments.
    pub(crate) fn scalar_at(&self, scalar: usize) -> i32 {
        8 * self.buffers as i32 + self.size() * scalar as i32
    }

    /// Whether a store to one buffer may change what lies in another.
    pub(crate) fn meet(&self, a: usize, b: usize) -> bool {
        a == b || self.shared.contains(&(a, b)) || self.shared.contains(&(b, a))
    }

    /// Whether something is stored between a load and a later operation where the load may lie.
    pub(super) fn is_overwritten(&self, load: Value, until: Value) -> bool {
        let Op::Load(from) = self.ops[load] else { return false };
        self.ops[load..until]
            .iter()
            .any(|op| matches!(op, Op::Store(to, ..) if self.meet(from.buffer, to.buffer)))
    }
}
