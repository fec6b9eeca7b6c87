//! Memory that runs of one operator use one after the other.

use crate::dense::Dense;
use crate::locks::lock;
use std::sync::Mutex;

/// Arrays between two runs.
///
/// The system clears fresh memory before its first use, which costs as much as a step or two of the run. Arrays that a run
/// fills before it reads them need not be clear, so an operator keeps them. Runs at the same time have arrays of their own, of which
/// those of the last that ends are kept.
#[derive(Debug, Default)]
pub struct Spare {
    arrays: Mutex<Vec<Dense>>,
}

impl Spare {
    /// An array that is as it should be, with whatever was left in it.
    fn take(&self, fits: impl Fn(&Dense) -> bool) -> Option<Dense> {
        let mut arrays = lock(&self.arrays);
        let found = arrays.iter().position(fits)?;
        Some(arrays.swap_remove(found))
    }
}

/// The arrays of a run, which go back when it ends.
#[derive(Debug, Default)]
pub(crate) struct Lent<'a> {
    from: Option<&'a Spare>,
    arrays: Vec<Dense>,
}

impl<'a> Lent<'a> {
    pub(crate) fn of(spare: &'a Spare) -> Lent<'a> {
        Lent { from: Some(spare), arrays: Vec::new() }
    }

    pub(crate) fn take(&self, fits: impl Fn(&Dense) -> bool) -> Option<Dense> {
        self.from?.take(fits)
    }

    pub(crate) fn push(&mut self, array: Dense) {
        self.arrays.push(array);
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if let Some(spare) = self.from
            && !self.arrays.is_empty()
        {
            *lock(&spare.arrays) = std::mem::take(&mut self.arrays);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wavefold_codecs::DType;

    #[test]
    fn arrays_come_back() {
        let spare = Spare::default();
        let mut first = Lent::of(&spare);
        assert!(first.take(|_| true).is_none());
        let array = Dense::new("inv", DType::F32, &[4, 5], 1, 1).unwrap();
        let place = array.pointer();
        first.push(array);
        drop(first);
        let second = Lent::of(&spare);
        assert!(second.take(|a| a.shape() == [5, 4]).is_none());
        assert_eq!(second.take(|a| a.shape() == [4, 5]).map(|a| a.pointer()), Some(place));
        assert!(second.take(|_| true).is_none(), "it is lent once");
    }
}
