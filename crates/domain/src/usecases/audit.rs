//! The keeping and the pruning of the audit log.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use crate::Result;
use crate::error::chain;
use crate::model::{AuditEntry, AuditEvent, SessionId, UserId};
use crate::ports::{Audit, Clock};

/// Writes entries for the use cases. An entry that cannot be written is told to the log and fails nothing.
#[derive(Clone)]
pub(super) struct Auditor {
    audit: Arc<dyn Audit>,
    clock: Arc<dyn Clock>,
}

impl Auditor {
    pub fn new(audit: Arc<dyn Audit>, clock: Arc<dyn Clock>) -> Self {
        Self { audit, clock }
    }

    pub async fn note(
        &self,
        event: AuditEvent,
        user: Option<UserId>,
        sessions: impl IntoIterator<Item = Option<SessionId>>,
        address: Option<IpAddr>,
    ) {
        let at = self.clock.now();
        let entries = sessions.into_iter().map(|session| AuditEntry { at, event, user, session, address }).collect();
        if let Err(failure) = self.audit.append(entries).await {
            tracing::error!(event = event.name(), error = chain(&failure), "the audit log lacks an event");
        }
    }
}

/// Forgets old entries of the audit log.
pub struct PruneAudit {
    audit: Arc<dyn Audit>,
    clock: Arc<dyn Clock>,
    retention: Duration,
}

impl PruneAudit {
    pub(super) fn new(audit: Arc<dyn Audit>, clock: Arc<dyn Clock>, retention: Duration) -> Self {
        Self { audit, clock, retention }
    }

    /// Forgets entries that are older than the policy says; how many there were.
    ///
    /// # Errors
    /// Only failures of ports.
    pub async fn run(&self) -> Result<u64> {
        let age = TimeDelta::from_std(self.retention).ok();
        match age.and_then(|age| self.clock.now().checked_sub_signed(age)) {
            Some(before) => Ok(self.audit.prune(before).await?),
            // Nothing is from before the calendar.
            None => Ok(0),
        }
    }
}
