//! The audit log.

use async_trait::async_trait;

use crate::Failure;
use crate::model::{AuditEntry, Timestamp};

/// Keeps entries about what happened to accounts. They outlive the users and sessions that they name.
#[async_trait]
pub trait Audit: Send + Sync {
    /// Adds entries in their order, all or none. Use cases call it while somebody waits for an answer, and ignore that it failed: an
    /// implementer that they get hands the entries on and returns at once.
    async fn append(&self, entries: Vec<AuditEntry>) -> Result<(), Failure>;

    /// The entries that were added last, the newest first.
    async fn newest(&self, limit: u32) -> Result<Vec<AuditEntry>, Failure>;

    /// Forgets the entries from before a time; how many there were.
    async fn prune(&self, before: Timestamp) -> Result<u64, Failure>;
}
