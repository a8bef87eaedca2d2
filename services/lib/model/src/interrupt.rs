//! How a walk through a model is ended early: asked for from another thread, and heard before each layer.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::ModelError;

/// Asks the models that know it to compute no further; clones share it. Once asked for it stays so.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Ends what is computed, before its next layer, and everything that is begun from now on.
    pub fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Nothing, or the error that a walk ends with.
    ///
    /// # Errors
    /// [`ModelError::Interrupted`] once it was asked for.
    pub fn check(&self) -> Result<(), ModelError> {
        if self.0.load(Ordering::Relaxed) { Err(ModelError::Interrupted) } else { Ok(()) }
    }
}
