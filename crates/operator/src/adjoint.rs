//! The dot-product test of a pair of operators.

use crate::Result;
use wavefold_runtime::{Data, FieldData, SparseData};
use wavefold_symbolic::{Function, SparseFunction, SparseTimeFunction, TimeFunction};

/// Values that go into an operator or come out of it: those of any function that is not compressed.
pub trait Values {
    /// A copy of all values.
    ///
    /// # Errors
    /// Those of the function's `data`.
    fn values(&self) -> Result<Data>;

    /// Replaces all values.
    ///
    /// # Errors
    /// Those of the function's `set_data`.
    fn set_values(&self, data: Data) -> Result<()>;
}

macro_rules! values {
    ($($t:ty: $data:ident),*) => {$(
        impl Values for $t {
            fn values(&self) -> Result<Data> {
                Ok($data::data(self)?)
            }

            fn set_values(&self, data: Data) -> Result<()> {
                Ok($data::set_data(self, data)?)
            }
        }
    )*};
}

values!(Function: FieldData, TimeFunction: FieldData, SparseFunction: SparseData, SparseTimeFunction: SparseData);

/// The two inner products of a [`dot_product_test`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DotProducts {
    /// `<A x, y>`
    pub forward: f64,
    /// `<x, A' y>`
    pub adjoint: f64,
}

impl DotProducts {
    /// Their difference over the larger one: about the rounding of the type for a pair that is adjoint. 0 when both are 0.
    pub fn error(&self) -> f64 {
        let scale = self.forward.abs().max(self.adjoint.abs());
        if scale == 0.0 { 0.0 } else { (self.forward - self.adjoint).abs() / scale }
    }
}

/// Tests whether two operators are adjoint to each other: `<A x, y> = <x, A' y>` for random `x` and `y` (Claerbout, 1992).
///
/// `forward` computes the values of `output` from those of `input`, `adjoint` those of `adjoint_output` from those of
/// `adjoint_input`; they also set to zero whatever else they start from. Inputs are filled with numbers between -1 and 1, the
/// same in every run. Inner products are sums in double precision without weights: where an adjoint holds for others, scale
/// within the closures.
///
/// ```
/// # use wavefold_operator::{Backend, Operator, dot_product_test};
/// # use wavefold_symbolic::prelude::*;
/// # use wavefold_runtime::FieldData;
/// let grid = Grid::new([30, 20]).with_dtype(DType::F64);
/// let m = Function::new("m", &grid).space_order(4).build()?;
/// let [q, d, a, b] = ["q", "d", "a", "b"].map(|name| m.twin(name));
/// m.set_with(|i| 1.0 + i[0] as f64)?;
/// let forward = Operator::new([eq(&d, &m * q.dx())])?;
/// let adjoint = Operator::new([eq(&b, (&m * &a).dx().T())])?;
/// let run = |op: &Operator| op.apply().backend(Backend::Cranelift).run().map(|_| ());
/// let products = dot_product_test(&q, &d, || run(&forward), &a, &b, || run(&adjoint))?;
/// assert!(products.error() < 1e-14);
/// # Ok::<(), wavefold_operator::Error>(())
/// ```
///
/// # Errors
/// Those of the closures, and of reading and writing values.
pub fn dot_product_test(
    input: &dyn Values,
    output: &dyn Values,
    forward: impl FnOnce() -> Result<()>,
    adjoint_input: &dyn Values,
    adjoint_output: &dyn Values,
    adjoint: impl FnOnce() -> Result<()>,
) -> Result<DotProducts> {
    let x = random(input, 1)?;
    let y = random(adjoint_input, 2)?;
    forward()?;
    // Read before the adjoint runs, which may use the same functions.
    let ax = output.values()?;
    adjoint_input.set_values(y.clone())?;
    adjoint()?;
    let aty = adjoint_output.values()?;
    Ok(DotProducts { forward: product(&ax, &y), adjoint: product(&x, &aty) })
}

/// Fills a function; returns what it then holds, in its type.
fn random(values: &dyn Values, seed: u64) -> Result<Data> {
    let shape = values.values()?.shape().to_vec();
    let mut state = seed;
    let numbers = (0..shape.iter().product()).map(|_| {
        // splitmix64 (Steele and others, 2014)
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    });
    let numbers: Vec<f64> = numbers.collect();
    values.set_values(Data::from_vec(&shape, numbers)?)?;
    values.values()
}

fn product(a: &Data, b: &Data) -> f64 {
    a.iter().zip(b.iter()).map(|(a, b)| a * b).sum()
}
