//! Group commit: messages that arrive while the database commits are gathered and committed together.
//!
//! A writer takes whatever waits in its queue, and waits only when there is nothing. So a message that comes alone is committed
//! at once, and groups grow by themselves under load, where one commit for many messages is what makes them affordable.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use async_trait::async_trait;
use mango_domain::model::{Message, MessageId, NewMessage, Seq};
use mango_domain::{Failure, FailureKind};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::error::{Fault, RETRY_AFTER};

/// What failures call the operation.
const OPERATION: &str = "append message";

/// Most messages in one commit.
const MAX_GROUP: usize = 512;

/// Messages that are committed together, in the order in which they came.
pub(crate) type Group = Arc<Vec<NewMessage>>;

/// What each message of a group was given, in the same order; `None` where the sender is no member of the chat.
pub(crate) type Places = Vec<Option<(MessageId, Seq)>>;

/// Commits groups of messages to a database.
#[async_trait]
pub(crate) trait Commit: Send + Sync + 'static {
    /// Commits the messages of members in one transaction, durably, and gives the messages of each chat its next seqs in
    /// the order of the group.
    async fn commit(&self, group: Group) -> Result<Places, Fault>;
}

/// A message on its way, and where its sender waits.
struct Job {
    message: NewMessage,
    reply: oneshot::Sender<Result<Option<Message>, Failure>>,
}

/// The queues and their writers. A chat's messages always take the same queue, so that writers do not wait for each other's
/// lock on a chat and a chat's messages are committed in the order in which they came.
pub(crate) struct Appends {
    queues: RwLock<Vec<mpsc::Sender<Job>>>,
    writers: Mutex<Vec<JoinHandle<()>>>,
}

impl Appends {
    /// Starts as many writers, each with a queue of the given length.
    pub(crate) fn start(commit: Arc<dyn Commit>, writers: usize, queue: usize) -> Self {
        let (queues, writers) = (0..writers)
            .map(|_| {
                let (sender, jobs) = mpsc::channel(queue.max(1));
                (sender, tokio::spawn(write(Arc::clone(&commit), jobs)))
            })
            .unzip();
        Self { queues: RwLock::new(queues), writers: Mutex::new(writers) }
    }

    /// Appends a message; fails as busy at once when its queue is full.
    pub(crate) async fn append(&self, message: NewMessage) -> Result<Option<Message>, Failure> {
        let (reply, answer) = oneshot::channel();
        self.enqueue(Job { message, reply }).map_err(|fault| fault.during(OPERATION))?;
        answer.await.unwrap_or_else(|lost| Err(Failure::broken(OPERATION, lost)))
    }

    fn enqueue(&self, job: Job) -> Result<(), Fault> {
        let queues = self.queues.read().unwrap_or_else(PoisonError::into_inner);
        let count = i64::try_from(queues.len()).unwrap_or(i64::MAX).max(1);
        let chosen = usize::try_from(job.message.chat.get().rem_euclid(count)).unwrap_or_default();
        queues.get(chosen).ok_or(Fault::Closed)?.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => Fault::QueueFull,
            TrySendError::Closed(_) => Fault::Closed,
        })
    }

    /// Takes no more messages, and returns when those that were taken are committed.
    pub(crate) async fn close(&self) {
        self.queues.write().unwrap_or_else(PoisonError::into_inner).clear();
        let writers = mem::take(&mut *self.writers.lock().unwrap_or_else(PoisonError::into_inner));
        for writer in writers {
            // Its only way to fail is a panic, which has been reported where it happened.
            let _ = writer.await;
        }
    }
}

/// The life of a writer. Each group is committed in a task of its own, so that a panic costs no more than the group.
async fn write(commit: Arc<dyn Commit>, mut jobs: mpsc::Receiver<Job>) {
    let mut gathered = Vec::new();
    while jobs.recv_many(&mut gathered, MAX_GROUP).await > 0 {
        let group = mem::take(&mut gathered);
        metrics::histogram!("mango_commit_group_size").record(u32::try_from(group.len()).unwrap_or(u32::MAX));
        if let Err(error) = tokio::spawn(settle(Arc::clone(&commit), group)).await {
            tracing::error!(%error, "a group of messages was lost");
        }
    }
}

/// Commits a group and tells every sender what came of it.
async fn settle(commit: Arc<dyn Commit>, jobs: Vec<Job>) {
    let (messages, replies): (Vec<_>, Vec<_>) = jobs.into_iter().map(|job| (job.message, job.reply)).unzip();
    let group = Arc::new(messages);
    let outcome = commit.commit(Arc::clone(&group)).await;
    match outcome {
        Ok(places) => {
            count(&places);
            let messages = Arc::unwrap_or_clone(group);
            for ((message, reply), place) in messages.into_iter().zip(replies).zip(places) {
                // Whoever no longer waits for the answer does not need it.
                let _ = reply.send(Ok(place.map(|place| stored(message, place))));
            }
        }
        // The database refused the group and may be refusing one message of it: the others shall not suffer.
        Err(fault) if fault.kind() == FailureKind::Broken && replies.len() > 1 => {
            let mut waiting = Arc::unwrap_or_clone(group).into_iter().zip(replies);
            for (message, reply) in waiting.by_ref() {
                let outcome = alone(commit.as_ref(), message).await;
                let away = outcome.as_ref().is_err_and(|failure| matches!(failure.kind, FailureKind::Busy { .. }));
                let _ = reply.send(outcome);
                if away {
                    break;
                }
            }
            // The rest would wait in vain, one after the other.
            for (_, reply) in waiting {
                let _ = reply.send(Err(Failure::busy(OPERATION, RETRY_AFTER)));
            }
        }
        Err(fault) => {
            let fault = Arc::new(fault);
            for reply in replies {
                let _ = reply.send(Err(fault.shared(OPERATION)));
            }
        }
    }
}

async fn alone(commit: &dyn Commit, message: NewMessage) -> Result<Option<Message>, Failure> {
    let group = Arc::new(vec![message]);
    let places = commit.commit(Arc::clone(&group)).await.map_err(|fault| fault.during(OPERATION))?;
    count(&places);
    Ok(Arc::unwrap_or_clone(group)
        .pop()
        .zip(places.into_iter().next().flatten())
        .map(|(message, place)| stored(message, place)))
}

/// Counts what was committed; the message of somebody who is no member was not.
fn count(places: &Places) {
    let committed = places.iter().flatten().count();
    metrics::counter!("mango_messages_total").increment(u64::try_from(committed).unwrap_or(u64::MAX));
}

fn stored(message: NewMessage, (id, seq): (MessageId, Seq)) -> Message {
    let NewMessage { chat, sender, body, created_at } = message;
    Message { id, chat, seq, sender, body, created_at }
}
