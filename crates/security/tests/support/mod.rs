//! What the tests of this crate share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use mango_domain::Failure;
use mango_domain::ports::Random;

/// A source that fills each buffer with a number of its own: 1, 2, 3, …
#[derive(Default)]
struct Counting(AtomicU8);

/// Such a source, as the adapters take it.
pub fn counting() -> Arc<dyn Random> {
    Arc::new(Counting::default())
}

impl Random for Counting {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), Failure> {
        buffer.fill(self.0.fetch_add(1, Ordering::Relaxed) + 1);
        Ok(())
    }
}

/// A source that has run dry.
pub struct Dry;

impl Random for Dry {
    fn fill(&self, _: &mut [u8]) -> Result<(), Failure> {
        Err(Failure::broken("read randomness", "there is none"))
    }
}
