use ndarray::{ArrayD, IxDyn};
use rayon::prelude::*;

/// An array of this shape, made one column of depth (the last axis) at a time, on several threads: `fill` gets the
/// indices along the other axes, and the points of the column, which hold the default.
pub(crate) fn by_column<T>(shape: &[usize], fill: impl Fn(&[usize], &mut [T]) + Sync) -> ArrayD<T>
where
    T: Clone + Default + Send,
{
    let mut array = ArrayD::from_elem(IxDyn(shape), T::default());
    let (&depth, lateral) = shape.split_last().unwrap_or((&1, &[]));
    if let Some(values) = array.as_slice_mut().filter(|values| !values.is_empty()) {
        let columns = values.par_chunks_exact_mut(depth).enumerate();
        columns.for_each_init(
            || vec![0; lateral.len()],
            |index, (column, values)| {
                let mut rest = column;
                for (i, points) in index.iter_mut().zip(lateral).rev() {
                    *i = rest % points;
                    rest /= points;
                }
                fill(index, values);
            },
        );
    }
    array
}
