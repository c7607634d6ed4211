//! What verifiers show to be let in where verifiers may go: a pass for one instance, as long as the verification runs.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::seam::InstanceView;

type Known = HashMap<[u8; 32], Arc<dyn InstanceView>>;

/// The passes of all verifications that run now.
#[derive(Default)]
pub(crate) struct Passes(Mutex<Known>);

impl fmt::Debug for Passes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Passes").field(&self.known().len()).finish()
    }
}

impl Passes {
    /// A new pass for a verification of this instance.
    pub(super) fn issue(self: &Arc<Self>, instance: &Arc<dyn InstanceView>) -> Pass {
        let text = Uuid::new_v4().simple().to_string();
        self.known().insert(hash(&text), Arc::clone(instance));
        Pass {
            text,
            passes: Arc::clone(self),
        }
    }

    /// The instance that the bearer of this text verifies.
    pub(crate) fn instance(&self, text: &str) -> Option<Arc<dyn InstanceView>> {
        // Hashes are looked up, so the time of the search says nothing about the passes.
        self.known().get(&hash(text)).cloned()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pass of one verification. Dropping it ends what it is good for.
pub(super) struct Pass {
    text: String,
    passes: Arc<Passes>,
}

impl Pass {
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.passes.known().remove(&hash(&self.text));
    }
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}
