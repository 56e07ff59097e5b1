//! The publisher of a writer: tells of what was committed, one after the other, and then answers whoever asked for it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use mango_domain::Failure;
use mango_domain::model::Event;
use mango_domain::ports::{Announcer, Events};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{Outcome, Reply};

/// How many settled changes may wait to be published before the writer waits too.
const BACKLOG: usize = 1024;

/// A change that was committed or was not.
pub(super) struct Settled {
    /// What to tell.
    pub(super) news: Option<News>,
    /// What to answer, and whom.
    pub(super) answer: Option<(Reply, Result<Outcome, Failure>)>,
}

/// An event and where to publish it.
pub(super) struct News {
    event: Event,
    events: Arc<dyn Events>,
}

impl News {
    /// What there is to tell of a change.
    pub(super) fn of(outcome: &Outcome, Announcer { events, origin }: Announcer) -> Option<Self> {
        outcome.event(origin).map(|event| Self { event, events })
    }
}

impl Settled {
    /// What there is to tell of a change that nobody waits for any more.
    pub(super) fn tell(event: Option<Event>, events: &Arc<dyn Events>) -> Self {
        Self { news: event.map(|event| News { event, events: Arc::clone(events) }), answer: None }
    }
}

/// Starts a publisher, which ends when it is handed no more.
pub(super) fn start() -> (mpsc::Sender<Settled>, JoinHandle<()>) {
    let (sender, mut settled) = mpsc::channel::<Settled>(BACKLOG);
    let publishing = tokio::spawn(async move {
        while let Some(Settled { news, answer }) = settled.recv().await {
            if let Some(News { event, events }) = news
                && AssertUnwindSafe(events.publish(event)).catch_unwind().await.is_err()
            {
                tracing::error!("the publishing of an event panicked");
            }
            if let Some((reply, outcome)) = answer {
                // Whoever no longer waits for the answer does not need it.
                let _ = reply.send(outcome);
            }
        }
    });
    (sender, publishing)
}
