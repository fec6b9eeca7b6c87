//! Named scalars.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Result, identifier};

/// A named scalar. Its value is read each time an operator is applied, so that it can change
/// between runs without a new compilation.
#[derive(Clone, Debug)]
pub struct Constant(Arc<ConstantDecl>);

#[derive(Debug)]
struct ConstantDecl {
    name: String,
    bits: AtomicU64,
}

impl Constant {
    /// A constant with a first value. The name is checked when an operator is built.
    #[must_use]
    pub fn new(name: impl Into<String>, value: f64) -> Self {
        Self(Arc::new(ConstantDecl { name: name.into(), bits: AtomicU64::new(value.to_bits()) }))
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The value now.
    #[must_use]
    pub fn value(&self) -> f64 {
        f64::from_bits(self.0.bits.load(Ordering::Relaxed))
    }

    /// Sets the value, for all clones of the handle.
    pub fn set(&self, value: f64) {
        self.0.bits.store(value.to_bits(), Ordering::Relaxed);
    }

    /// Checks the name.
    ///
    /// # Errors
    /// `name::invalid`, `name::reserved`.
    pub fn check(&self) -> Result<()> {
        identifier::check(self.name())
    }
}

/// Two handles are equal when they are the same constant.
impl PartialEq for Constant {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Constant {}

impl std::hash::Hash for Constant {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}
