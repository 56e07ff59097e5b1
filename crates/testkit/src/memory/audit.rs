//! The audit log in memory.

use async_trait::async_trait;
use mango_domain::Failure;
use mango_domain::model::{AuditEntry, Timestamp};
use mango_domain::ports::Audit;

use super::MemoryStore;

#[async_trait]
impl Audit for MemoryStore {
    async fn append(&self, entries: Vec<AuditEntry>) -> Result<(), Failure> {
        self.enter("append to the audit log")?.audit.extend(entries);
        Ok(())
    }

    async fn newest(&self, limit: u32) -> Result<Vec<AuditEntry>, Failure> {
        let state = self.enter("read the audit log")?;
        Ok(state.audit.iter().rev().take(limit.try_into().unwrap_or(usize::MAX)).cloned().collect())
    }

    async fn prune(&self, before: Timestamp) -> Result<u64, Failure> {
        let mut state = self.enter("prune the audit log")?;
        let all = state.audit.len();
        state.audit.retain(|entry| entry.at >= before);
        Ok((all - state.audit.len()).try_into().unwrap_or(u64::MAX))
    }
}
