//! Group commit: changes of chats that arrive while the database commits are gathered and committed together.
//!
//! A writer takes whatever waits in its queue, and waits only when there is nothing. So a change that comes alone is committed at
//! once, and groups grow by themselves under load, where one commit for many messages is what makes them affordable.
//!
//! Everything that takes a version of a chat goes through the chat's one writer, and from there to the writer's one publisher. That
//! is what makes the events of a chat come in the order of its versions.

mod change;
mod publish;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::mem;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use mango_domain::model::{ChatId, Event, LikeToggle, NewMessage, PinToggle, UserId, Version};
use mango_domain::ports::{Announcer, Appended, CreatedChat, Events};
use mango_domain::{Failure, FailureKind};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use self::publish::{News, Settled};
use crate::error::{Fault, RETRY_AFTER};

pub(crate) use self::change::{Change, ChatToCreate, Creation, NewLike, NewPin, Outcome};

/// Most changes in one commit.
const MAX_GROUP: usize = 512;

/// How long to wait before asking again for the versions of chats that are in doubt.
const DOUBT_PAUSE: Duration = Duration::from_millis(if cfg!(test) { 20 } else { 1000 });

/// Changes that are committed together.
pub(crate) type Group = Arc<Vec<Change>>;

/// Commits groups of changes to a database.
#[async_trait]
pub(crate) trait Commit: Send + Sync + 'static {
    /// Commits the changes in one transaction, durably, and gives what came of each, in the same order. Messages come first: they are
    /// given the next seqs and versions of their chats in the order of the group. Then the other changes, in their order.
    async fn commit(&self, group: Group) -> Result<Vec<Outcome>, Fault>;

    /// The versions of those of the chats that there are, once nothing that was begun is still being committed to them.
    async fn versions(&self, chats: Vec<ChatId>) -> Result<Vec<(ChatId, Version)>, Fault>;

    /// The chats that these creations made, once nothing that was begun is still being committed to them.
    async fn made_by(&self, creations: Vec<Creation>) -> Result<Vec<(Creation, CreatedChat)>, Fault>;

    /// How the pins of these members of chats are, once nothing that was begun is still being committed to them.
    async fn pins(&self, of: Vec<(ChatId, UserId)>) -> Result<Vec<PinToggle>, Fault>;
}

/// A change on its way, and where whoever asked for it waits.
struct Job {
    change: Change,
    announcer: Announcer,
    reply: Reply,
}

type Reply = oneshot::Sender<Result<Outcome, Failure>>;

/// The queues and their writers. A chat's changes always take the same queue, so that writers do not wait for each other's lock on
/// a chat and a chat's changes are committed in the order in which they came.
pub(crate) struct Writers {
    queues: RwLock<Vec<mpsc::Sender<Job>>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Writers {
    /// Starts as many writers, each with a queue of the given length.
    pub(crate) fn start(commit: &Arc<dyn Commit>, writers: usize, queue: usize) -> Self {
        let (queues, tasks) = (0..writers)
            .map(|_| {
                let (sender, jobs) = mpsc::channel(queue.max(1));
                let (publisher, publishing) = publish::start();
                let writer = Writer {
                    commit: Arc::clone(commit),
                    publisher,
                    doubts: HashMap::new(),
                    unborn: HashMap::new(),
                    pins: HashMap::new(),
                    resolve_at: Instant::now(),
                };
                let task = async move {
                    writer.run(jobs).await;
                    // Its only way to fail is a panic, which has been reported where it happened.
                    let _ = publishing.await;
                };
                (sender, tokio::spawn(task))
            })
            .unzip();
        Self { queues: RwLock::new(queues), tasks: Mutex::new(tasks) }
    }

    /// Appends a message, and publishes it.
    pub(crate) async fn append(&self, message: NewMessage, announcer: Announcer) -> Result<Option<Appended>, Failure> {
        self.make(Change::Append(message), announcer).await?.appended()
    }

    /// Toggles a like, and publishes that.
    pub(crate) async fn like(&self, like: NewLike, announcer: Announcer) -> Result<Option<LikeToggle>, Failure> {
        self.make(Change::Like(like), announcer).await?.liked()
    }

    /// Toggles a pin, and publishes that.
    pub(crate) async fn pin(&self, pin: NewPin, announcer: Announcer) -> Result<Option<PinToggle>, Failure> {
        self.make(Change::Pin(pin), announcer).await?.pinned()
    }

    /// Creates a chat and publishes it, or says which of its members do not exist.
    pub(crate) async fn create(
        &self,
        mut chat: ChatToCreate,
        announcer: Announcer,
    ) -> Result<Result<CreatedChat, Vec<UserId>>, Failure> {
        loop {
            match self.make(Change::Create(Box::new(chat.clone())), announcer.clone()).await? {
                // The other of the pair was quicker.
                Outcome::Elsewhere(id) => chat.id = Some(id),
                outcome => return outcome.created(),
            }
        }
    }

    /// Has a change made; fails as busy at once when its queue is full.
    async fn make(&self, change: Change, announcer: Announcer) -> Result<Outcome, Failure> {
        let operation = change.operation();
        let (reply, answer) = oneshot::channel();
        self.enqueue(Job { change, announcer, reply }).map_err(|fault| fault.during(operation))?;
        answer.await.unwrap_or_else(|lost| Err(Failure::broken(operation, lost)))
    }

    fn enqueue(&self, job: Job) -> Result<(), Fault> {
        let queues = self.queues.read().unwrap_or_else(PoisonError::into_inner);
        let count = i64::try_from(queues.len()).unwrap_or(i64::MAX).max(1);
        let chosen = usize::try_from(job.change.lane().rem_euclid(count)).unwrap_or_default();
        queues.get(chosen).ok_or(Fault::Closed)?.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => Fault::QueueFull,
            TrySendError::Closed(_) => Fault::Closed,
        })
    }

    /// Takes no more changes, and returns when those that were taken are committed and published.
    pub(crate) async fn close(&self) {
        self.queues.write().unwrap_or_else(PoisonError::into_inner).clear();
        let tasks = mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            // As above.
            let _ = task.await;
        }
    }
}

/// One writer.
struct Writer {
    commit: Arc<dyn Commit>,
    publisher: mpsc::Sender<Settled>,
    /// Chats with changes of which it is not known whether they were committed, and where to tell of that.
    doubts: HashMap<ChatId, Arc<dyn Events>>,
    /// Creations of which it is not known whether they made a chat, and where to tell of that.
    unborn: HashMap<Creation, Arc<dyn Events>>,
    /// Pins of which it is not known whether they are set, and where to tell of that.
    pins: HashMap<(ChatId, UserId), Arc<dyn Events>>,
    /// When to ask the database about them.
    resolve_at: Instant,
}

impl Writer {
    async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut gathered = Vec::new();
        loop {
            tokio::select! {
                // What is in doubt is not to wait for a pause between messages.
                biased;
                () = sleep_until(self.resolve_at), if self.is_in_doubt() => self.resolve().await,
                count = jobs.recv_many(&mut gathered, MAX_GROUP) => {
                    if count == 0 {
                        break;
                    }
                    let group = mem::take(&mut gathered);
                    metrics::histogram!("mango_commit_group_size").record(u32::try_from(group.len()).unwrap_or(u32::MAX));
                    self.settle(group).await;
                }
            }
        }
    }

    /// Commits a group, and hands on what came of each change for publishing and answering.
    async fn settle(&mut self, mut jobs: Vec<Job>) {
        jobs.sort_by_key(|job| job.change.turn());
        let (changes, waiting): (Vec<_>, Vec<_>) =
            jobs.into_iter().map(|job| (job.change, (job.announcer, job.reply))).unzip();
        let group = Arc::new(changes);
        let mut waiting = group.iter().zip(waiting);
        match self.attempt(Arc::clone(&group)).await {
            Ok(outcomes) => {
                for ((_, waiting), outcome) in waiting.zip(outcomes) {
                    self.hand_on(waiting, Ok(outcome)).await;
                }
            }
            // The database refused the group and may be refusing one change of it: the others shall not suffer.
            Err(fault) if is_worth_retrying(&fault, group.len()) => {
                for (change, to) in waiting.by_ref() {
                    let outcome = self.alone(change, &to.0).await;
                    let away = outcome.as_ref().is_err_and(|failure| matches!(failure.kind, FailureKind::Busy { .. }));
                    self.hand_on(to, outcome).await;
                    if away {
                        break;
                    }
                }
                // The rest would wait in vain, one after the other.
                for (change, to) in waiting {
                    self.hand_on(to, Err(Failure::busy(change.operation(), RETRY_AFTER))).await;
                }
            }
            Err(fault) => {
                let fault = Arc::new(fault);
                for (change, to) in waiting {
                    self.doubt(&fault, change, &to.0);
                    self.hand_on(to, Err(fault.shared(change.operation()))).await;
                }
            }
        }
    }

    /// Commits a group. A panic costs no more than that group.
    async fn attempt(&self, group: Group) -> Result<Vec<Outcome>, Fault> {
        // Not in a task of its own: what wakes one task after the other wakes another thread as well.
        AssertUnwindSafe(self.commit.commit(group)).catch_unwind().await.unwrap_or(Err(Fault::Panicked))
    }

    async fn alone(&mut self, change: &Change, announcer: &Announcer) -> Result<Outcome, Failure> {
        let alone = Arc::new(vec![change.clone()]);
        let mut done = self.attempt(Arc::clone(&alone)).await;
        if done.as_ref().is_err_and(Fault::is_sent_twice) {
            done = self.attempt(alone).await;
        }
        match done {
            Ok(outcomes) => outcomes.into_iter().next().ok_or_else(|| change::mixed_up(change.operation())),
            Err(fault) => {
                self.doubt(&fault, change, announcer);
                Err(fault.during(change.operation()))
            }
        }
    }

    /// Takes note of a change that may have been committed without anybody being told.
    fn doubt(&mut self, fault: &Fault, change: &Change, announcer: &Announcer) {
        if !fault.is_uncertain() {
            return;
        }
        let events = Arc::clone(&announcer.events);
        if let Some(creation) = change.creation() {
            self.unborn.insert(creation, events);
        } else if let Change::Pin(NewPin { chat, user, .. }) = change {
            self.pins.insert((*chat, *user), events);
        } else if let Some(chat) = change.chat() {
            self.doubts.insert(chat, events);
        }
        self.resolve_at = Instant::now() + DOUBT_PAUSE;
    }

    fn is_in_doubt(&self) -> bool {
        !self.doubts.is_empty() || !self.unborn.is_empty() || !self.pins.is_empty()
    }

    /// Has those told who do not know what was committed, once the database can say.
    async fn resolve(&mut self) {
        if let Err(fault) = self.ask().await {
            tracing::debug!(%fault, "chats are in doubt until the database answers");
            self.resolve_at = Instant::now() + DOUBT_PAUSE;
        }
    }

    /// Has the members of chats that prove to have been created told of them, then those of chats in doubt to catch up, and then users how
    /// their pins are: a pin is no change of its chat, so that nobody would learn of it by catching up with that.
    async fn ask(&mut self) -> Result<(), Fault> {
        if !self.unborn.is_empty() {
            let made = self.commit.made_by(self.unborn.keys().copied().collect()).await?;
            for (creation, created) in made {
                if let Some(events) = self.unborn.get(&creation) {
                    self.publish(Settled::tell(created.news(None), events)).await;
                }
            }
            self.unborn.clear();
        }
        if !self.doubts.is_empty() {
            let versions = self.commit.versions(self.doubts.keys().copied().collect()).await?;
            for (chat, version) in versions {
                if let Some(events) = self.doubts.get(&chat) {
                    self.publish(Settled::tell(Some(Event::ChatChanged { chat, version }), events)).await;
                }
            }
            self.doubts.clear();
        }
        if !self.pins.is_empty() {
            for pin in self.commit.pins(self.pins.keys().copied().collect()).await? {
                if let Some(events) = self.pins.get(&(pin.chat, pin.user)) {
                    self.publish(Settled::tell(Some(Event::PinToggled { pin }), events)).await;
                }
            }
            self.pins.clear();
        }
        Ok(())
    }

    async fn hand_on(&self, (announcer, reply): (Announcer, Reply), outcome: Result<Outcome, Failure>) {
        if let Ok(outcome) = &outcome {
            outcome.count();
        }
        let news = outcome.as_ref().ok().and_then(|outcome| News::of(outcome, announcer));
        self.publish(Settled { news, answer: Some((reply, outcome)) }).await;
    }

    /// Waits while the publisher has too much to do, so that the queue fills and those who send are told to wait.
    async fn publish(&self, settled: Settled) {
        if self.publisher.send(settled).await.is_err() {
            tracing::error!("there is nobody left to publish changes");
        }
    }
}

/// Whether a refused group is tried again, change by change: when it is certain that none of it was committed, and either one change
/// alone may be at fault or another node was quicker with the same message.
fn is_worth_retrying(fault: &Fault, changes: usize) -> bool {
    let is_refused = fault.kind() == FailureKind::Broken && !fault.is_uncertain();
    is_refused && (changes > 1 || fault.is_sent_twice())
}
