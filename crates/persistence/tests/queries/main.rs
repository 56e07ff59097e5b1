//! The queries that the stores really send: how many there are, and that each finds its rows by an index.
//!
//! Diesel reports queries to one listener in the process, so the tests here take turns, and other tests are not here.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

#[expect(dead_code, reason = "these tests need less of it than those that it was written for")]
#[macro_use]
#[path = "../database/support.rs"]
mod support;

mod counts;
mod plans;
mod workload;

use std::sync::{Mutex, Once};

use diesel::connection::{Instrumentation, InstrumentationEvent, set_default_instrumentation};

/// Every query that was sent since it was last emptied.
static SENT: Mutex<Vec<String>> = Mutex::new(Vec::new());
/// Whose turn it is.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

fn listen() {
    static ONCE: Once = Once::new();
    fn listener() -> Option<Box<dyn Instrumentation>> {
        Some(Box::new(|event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::StartQuery { query, .. } = event {
                let query = query.to_string();
                // The debug form ends with the values of the parameters.
                let sql = query.split(" -- binds:").next().unwrap_or_default().trim();
                SENT.lock().unwrap().push(sql.to_owned());
            }
        }))
    }
    ONCE.call_once(|| set_default_instrumentation(listener).unwrap());
}

/// What is sent while the work is done.
async fn sent_by<R>(work: impl Future<Output = R>) -> Vec<String> {
    SENT.lock().unwrap().clear();
    work.await;
    std::mem::take(&mut *SENT.lock().unwrap())
}
