//! The audit log of a running server: entries wait in memory until the database has room for them, so that nobody waits for them.
//! Also `mango audit`, which shows the log.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::SecondsFormat;
use mango_domain::Failure;
use mango_domain::error::chain;
use mango_domain::model::{AuditEntry, SessionId, Timestamp, UserId};
use mango_domain::ports::Audit;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

/// How many calls may wait. With more logins than the database can note for that long, entries are lost rather than memory.
const PLACES: usize = 4096;

/// How many calls are written in one transaction.
const TOGETHER: usize = 256;

/// An audit log that is written in the background.
pub struct QueuedAudit {
    store: Arc<dyn Audit>,
    sender: Mutex<Option<mpsc::Sender<Vec<AuditEntry>>>>,
    writing: TaskTracker,
}

impl QueuedAudit {
    /// Writes to a store, on the runtime that this is called on.
    #[must_use]
    pub fn new(store: Arc<dyn Audit>) -> Self {
        let (sender, receiver) = mpsc::channel(PLACES);
        let writing = TaskTracker::new();
        writing.spawn(write(Arc::clone(&store), receiver));
        Self { store, sender: Mutex::new(Some(sender)), writing }
    }

    /// Writes what waits, and takes no more.
    pub async fn finish(&self) {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.writing.close();
        self.writing.wait().await;
    }
}

#[async_trait]
impl Audit for QueuedAudit {
    async fn append(&self, entries: Vec<AuditEntry>) -> Result<(), Failure> {
        let count = entries.len();
        let taken = match &*self.sender.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(sender) => sender.try_send(entries).map_err(|_| "too many entries wait for the database"),
            None => Err("the server is shutting down"),
        };
        taken.map_err(|reason| {
            lost(count);
            Failure::broken("append to the audit log", reason)
        })
    }

    async fn newest(&self, limit: u32) -> Result<Vec<AuditEntry>, Failure> {
        self.store.newest(limit).await
    }

    async fn prune(&self, before: Timestamp) -> Result<u64, Failure> {
        self.store.prune(before).await
    }
}

async fn write(store: Arc<dyn Audit>, mut receiver: mpsc::Receiver<Vec<AuditEntry>>) {
    let mut waiting = Vec::new();
    while receiver.recv_many(&mut waiting, TOGETHER).await > 0 {
        let entries: Vec<AuditEntry> = waiting.drain(..).flatten().collect();
        let count = entries.len();
        if let Err(failure) = store.append(entries).await {
            lost(count);
            tracing::error!(entries = count, error = chain(&failure), "the audit log lacks events");
        }
    }
}

fn lost(entries: usize) {
    metrics::counter!("mango_audit_lost_total").increment(u64::try_from(entries).unwrap_or(u64::MAX));
}

/// Shows entries, one a line: for people, or as JSON objects.
///
/// # Errors
/// They cannot be written.
pub fn show(entries: &[AuditEntry], as_json: bool, out: &mut dyn Write) -> io::Result<()> {
    for AuditEntry { at, event, user, session, address } in entries {
        let at = at.to_rfc3339_opts(SecondsFormat::Micros, true);
        let (user, session) = (user.map(UserId::get), session.map(SessionId::get));
        let address = address.map(|address| address.to_string());
        if as_json {
            let line =
                json!({"at": at, "event": event.name(), "user_id": user, "session_id": session, "address": address});
            writeln!(out, "{line}")?;
        } else {
            let number = |number: Option<i64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
            let (user, session) = (number(user), number(session));
            let address = address.as_deref().unwrap_or("-");
            writeln!(out, "{at}  {:<15}  user {user:<8}  session {session:<8}  from {address}", event.name())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use mango_domain::model::AuditEvent;
    use mango_testkit::Memory;
    use mango_testkit::build::moment;
    use tokio::sync::Semaphore;

    use super::*;

    fn entry(second: i64) -> AuditEntry {
        AuditEntry {
            at: moment(second),
            event: AuditEvent::LoggedIn,
            user: Some(UserId::new(7)),
            session: None,
            address: None,
        }
    }

    /// A store that writes once it is let.
    struct Slow {
        store: Arc<dyn Audit>,
        permits: Semaphore,
        calls: Mutex<usize>,
    }

    #[async_trait]
    impl Audit for Slow {
        async fn append(&self, entries: Vec<AuditEntry>) -> Result<(), Failure> {
            self.permits.acquire().await.unwrap().forget();
            *self.calls.lock().unwrap() += 1;
            self.store.append(entries).await
        }

        async fn newest(&self, limit: u32) -> Result<Vec<AuditEntry>, Failure> {
            self.store.newest(limit).await
        }

        async fn prune(&self, before: Timestamp) -> Result<u64, Failure> {
            self.store.prune(before).await
        }
    }

    fn slow(memory: &Memory) -> Arc<Slow> {
        Arc::new(Slow { store: memory.stores().audit, permits: Semaphore::new(0), calls: Mutex::new(0) })
    }

    #[tokio::test]
    async fn nobody_waits_for_the_database_and_what_waits_is_written_together() {
        let memory = Memory::new();
        let store = slow(&memory);
        let audit = QueuedAudit::new(store.clone());
        for second in 0..100 {
            audit.append(vec![entry(second)]).await.unwrap();
        }
        store.permits.add_permits(10);
        audit.finish().await;
        let written = audit.newest(1000).await.unwrap();
        assert_eq!(written, (0..100).rev().map(entry).collect::<Vec<_>>(), "in their order");
        assert!(*store.calls.lock().unwrap() <= 2, "{:?}", store.calls);
        assert!(audit.append(vec![entry(0)]).await.is_err(), "nothing is taken any more");
    }

    #[tokio::test]
    async fn what_there_is_no_place_for_is_refused_at_once() {
        let memory = Memory::new();
        let audit = QueuedAudit::new(slow(&memory));
        for second in 0..4096 {
            audit.append(vec![entry(second)]).await.unwrap();
        }
        assert!(audit.append(vec![entry(9999)]).await.is_err());
    }

    #[tokio::test]
    async fn a_failure_loses_what_it_concerns_and_no_more() {
        let memory = Memory::new();
        let audit = QueuedAudit::new(memory.stores().audit);
        memory.store.fail_next("append to the audit log");
        audit.append(vec![entry(1)]).await.unwrap();
        tokio::task::yield_now().await;
        audit.append(vec![entry(2)]).await.unwrap();
        audit.finish().await;
        assert_eq!(audit.newest(10).await.unwrap(), [entry(2)]);
    }

    #[test]
    fn entries_are_shown_for_people_and_for_programs() {
        let full =
            AuditEntry { session: Some(SessionId::new(9)), address: Some("192.0.2.1".parse().unwrap()), ..entry(1) };
        let bare = AuditEntry { event: AuditEvent::LoginFailed, user: None, ..entry(0) };
        let shown = |as_json| {
            let mut out = Vec::new();
            show(&[full.clone(), bare.clone()], as_json, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            shown(false),
            "2026-01-01T00:00:01.000000Z  login            user 7         session 9         from 192.0.2.1\n\
             2026-01-01T00:00:00.000000Z  login_failed     user -         session -         from -\n"
        );
        let lines: Vec<serde_json::Value> =
            shown(true).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(
            lines,
            [
                json!({"at": "2026-01-01T00:00:01.000000Z", "event": "login", "user_id": 7, "session_id": 9, "address": "192.0.2.1"}),
                json!({"at": "2026-01-01T00:00:00.000000Z", "event": "login_failed", "user_id": null, "session_id": null, "address": null}),
            ]
        );
    }
}
