//! Randomness.

use crate::Failure;

/// A cryptographically secure source of random bytes.
pub trait Random: Send + Sync {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), Failure>;
}
