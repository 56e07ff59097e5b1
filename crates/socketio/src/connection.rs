//! A connected socket: the mailbox for what it sends, and the task that handles it.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use mango_contract::{Ack, Problem, ProblemKind};
use mango_domain::error::chain;
use mango_domain::model::{ChatId, ConnectionId, Origin, Principal, Subject, UserId};
use mango_domain::{Error, FailureKind};
use socketioxide::adapter::LocalAdapter;
use socketioxide::extract::{AckSender, SocketRef};
use socketioxide::handler::FromMessageParts;
use socketioxide::socket::{Sid, Socket};
use socketioxide::{SendError, SocketError};
use socketioxide_core::{Str, Value};
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::time::{Instant, sleep};

use crate::hub::Context;
use crate::on::{self, Done, Verb};
use crate::places::Place;
use crate::rooms;

/// How many messages of one socket may be on their way to the store at once. The store commits what comes together in one go,
/// so that waiting for each alone would cost a client most of its speed.
const PIPELINE: usize = 64;

/// How often, and how long in between, to try to note that a user is gone.
const GO_OFFLINE_TRIES: u32 = 3;
const GO_OFFLINE_PAUSE: Duration = Duration::from_millis(200);

/// When to send an event again that there was no place for.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// An event as it came from a socket.
pub(crate) struct Call {
    socket: SocketRef,
    /// The name and the arguments as a JSON array. Attachments are not taken; their place in the text is held by an object, which is
    /// refused wherever a text or a number is expected.
    text: Str,
    ack: AckSender,
    /// Whether the client asked for an acknowledgement.
    wants_ack: bool,
}

impl FromMessageParts<LocalAdapter> for Call {
    type Error = Infallible;

    fn from_message_parts(socket: &Arc<Socket>, value: &mut Value, ack: &Option<i64>) -> Result<Self, Infallible> {
        let wants_ack = ack.is_some();
        let ack = AckSender::from_message_parts(socket, value, ack)?;
        let text = value.as_str().cloned().unwrap_or_default();
        Ok(Self { socket: SocketRef::from(Arc::clone(socket)), text, ack, wants_ack })
    }
}

/// A call that waits for its turn.
pub(crate) struct Job {
    verb: Verb,
    text: Str,
    ack: AckSender,
}

/// Where a socket's events wait. The socket owns it: when the socket is gone, however it went, the task comes to its end.
pub(crate) struct Mailbox {
    sender: Mutex<Option<mpsc::Sender<Job>>>,
    connection: Arc<Connection>,
}

impl Mailbox {
    pub(crate) fn new(sender: mpsc::Sender<Job>, connection: Arc<Connection>) -> Self {
        Self { sender: Mutex::new(Some(sender)), connection }
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Takes an event. One that there is no place for, or that its user sends too often, is refused at once; when its sender could not
    /// learn of that, because it asked for no acknowledgement, the socket is hung up on instead. In a shutdown events are refused as
    /// well, and nobody is hung up on: clients stay away after that, and come back by themselves after the connection is closed.
    pub(crate) fn post(&self, verb: Verb, call: Call) {
        if self.lock().is_none() {
            // Nothing is taken from a socket that was told to go.
            return;
        }
        let (context, user) = (self.connection.context(), self.connection.principal().user);
        if let Err(error) = context.use_cases.limit.run(verb.rate(), Subject::User(user)) {
            let problem = Problem::from(&error);
            return self.refuse(verb, call, &problem, !context.hub.closing().is_cancelled());
        }
        let size = call.text.len();
        let waiting = self.connection.waiting.fetch_add(size, Ordering::Relaxed).saturating_add(size);
        let overflow = match &*self.lock() {
            None => false,
            Some(sender) => match sender.try_reserve() {
                Ok(place) if waiting <= context.hub.options().max_incoming_bytes => {
                    return place.send(Job { verb, text: call.text, ack: call.ack });
                }
                Ok(_) | Err(TrySendError::Full(())) => true,
                Err(TrySendError::Closed(())) => false,
            },
        };
        self.connection.waiting.fetch_sub(size, Ordering::Relaxed);
        self.refuse(verb, call, &Problem::unavailable(RETRY_AFTER), overflow);
    }

    /// Refuses an event. `flood` is whether its socket is to blame.
    fn refuse(&self, verb: Verb, call: Call, problem: &Problem, flood: bool) {
        let outcome = if flood { "failed" } else { "dropped" };
        metrics::counter!("mango_socket_events_total", "event" => verb.name(), "outcome" => outcome).increment(1);
        if call.wants_ack {
            self.connection.acknowledge(call.ack, &Ack::Refused(problem.clone()));
        } else if flood {
            tracing::warn!(user = %self.connection.principal().user, "a socket sends more than can be handled");
            metrics::counter!("mango_sockets_hung_up_total", "reason" => "flood").increment(1);
            self.connection.context().hub.hang_up(call.socket);
        }
    }

    /// Takes no more events. Those that wait are still handled.
    pub(crate) fn close(&self) {
        self.lock().take();
    }

    /// Takes no more events, and lets those that wait go unhandled.
    pub(crate) fn bar(&self) {
        self.connection.barred.store(true, Ordering::Release);
        self.close();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<mpsc::Sender<Job>>> {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connected socket, apart from socketioxide: who it is and what is allowed.
pub(crate) struct Connection {
    context: Arc<Context>,
    sid: Sid,
    id: ConnectionId,
    principal: Mutex<Principal>,
    barred: AtomicBool,
    /// How many bytes wait to be handled or are being handled.
    waiting: AtomicUsize,
    /// The requests that are being handled and have not been answered.
    unanswered: Mutex<HashMap<u64, AckSender>>,
    next_request: AtomicU64,
    _place: Place<UserId>,
}

impl Connection {
    pub(crate) fn new(
        context: Arc<Context>,
        sid: Sid,
        id: ConnectionId,
        principal: Principal,
        place: Place<UserId>,
    ) -> Self {
        let principal = Mutex::new(principal);
        Self {
            context,
            sid,
            id,
            principal,
            barred: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
            unanswered: Mutex::default(),
            next_request: AtomicU64::new(0),
            _place: place,
        }
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    pub(crate) fn id(&self) -> &ConnectionId {
        &self.id
    }

    /// Who it is now.
    pub(crate) fn principal(&self) -> Principal {
        *self.principal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the socket was told to go.
    pub(crate) fn is_barred(&self) -> bool {
        self.barred.load(Ordering::Acquire)
    }

    /// Goes on under a fresh token of the same user. The socket now lives and ends with the session of that token.
    pub(crate) fn renew(&self, fresh: Principal) {
        let old = std::mem::replace(&mut *self.principal.lock().unwrap_or_else(PoisonError::into_inner), fresh);
        if let Some(socket) = self.context.hub.socket(self.sid).filter(|_| old.session != fresh.session) {
            socket.leave(rooms::session(old.session));
            socket.join(rooms::session(fresh.session));
        }
    }

    /// Puts the socket into the rooms of these chats. Whether it is in them now and was not before.
    pub(crate) fn enter(&self, chats: &[ChatId]) -> bool {
        let Some(socket) = self.context.hub.socket(self.sid) else { return false };
        let there: HashSet<_> = socket.rooms().into_iter().collect();
        let mut missing: Vec<String> = chats.iter().copied().map(rooms::chat).collect();
        missing.retain(|room| !there.contains(room.as_str()));
        if missing.is_empty() {
            return false;
        }
        socket.join(missing);
        let barred = self.is_barred();
        if barred {
            // It was told to go meanwhile, and is to hear of nothing more.
            socket.leave_all();
        }
        !barred
    }

    /// Ends the connection from this side.
    pub(crate) fn hang_up(&self, reason: &'static str) {
        metrics::counter!("mango_sockets_hung_up_total", "reason" => reason).increment(1);
        // A socket that is not there yet finds the bar when it comes.
        self.barred.store(true, Ordering::Release);
        if let Some(socket) = self.context.hub.socket(self.sid) {
            self.context.hub.hang_up(socket);
        }
    }

    /// Handles the events of the socket in their order, until there are no more. Messages do not wait for each other's commit: they
    /// are handed to the store in their order, which keeps it; every other event waits for those before it.
    pub(crate) async fn serve(self: Arc<Self>, mut jobs: mpsc::Receiver<Job>) {
        let open = metrics::gauge!("mango_sockets");
        open.increment(1.0);
        let closing = self.context.hub.closing().cancelled();
        tokio::pin!(closing);
        let expiry = sleep(self.time_left());
        tokio::pin!(expiry);
        let mut expired = false;
        let mut running = FuturesUnordered::new();
        loop {
            tokio::select! {
                biased;
                () = &mut expiry, if !expired => {
                    expired = true;
                    self.hang_up("expired");
                }
                () = &mut closing, if !jobs.is_closed() => jobs.close(),
                Some(()) = running.next(), if !running.is_empty() => {}
                job = jobs.recv(), if running.len() < PIPELINE => match job {
                    None => break,
                    Some(job) if job.verb == Verb::SendMessage => running.push(self.handle(job)),
                    Some(job) => {
                        while running.next().await.is_some() {}
                        let may_renew = job.verb == Verb::Authenticate;
                        // In a box, since the memory for it would otherwise be part of each socket's task, also of those that are idle.
                        Box::pin(self.handle(job)).await;
                        if may_renew {
                            expiry.as_mut().reset(Instant::now() + self.time_left());
                        }
                    }
                },
            }
        }
        while running.next().await.is_some() {}
        open.decrement(1.0);
        self.go_offline().await;
    }

    /// Takes note that the connection is gone.
    pub(crate) async fn go_offline(&self) {
        let user = self.principal().user;
        for left in (0..GO_OFFLINE_TRIES).rev() {
            match self.context.use_cases.go_offline.run(user, &self.id).await {
                Ok(()) => return,
                Err(_) if left > 0 => sleep(GO_OFFLINE_PAUSE).await,
                Err(error) => tracing::error!(%user, error = chain(&error), "could not note when a user was last seen"),
            }
        }
    }

    fn time_left(&self) -> Duration {
        let left = self.principal().expires_at - self.context.clock.now();
        // A year is as good as for ever, and does not overflow timers.
        left.to_std().unwrap_or_default().min(Duration::from_secs(365 * 24 * 60 * 60))
    }

    async fn handle(&self, job: Job) {
        let Job { verb, text, ack } = job;
        let outcome = if self.is_barred() { "dropped" } else { self.answer(verb, &text, ack).await };
        metrics::counter!("mango_socket_events_total", "event" => verb.name(), "outcome" => outcome).increment(1);
        self.waiting.fetch_sub(text.len(), Ordering::Relaxed);
    }

    async fn answer(&self, verb: Verb, text: &str, ack: AckSender) -> &'static str {
        let started = Instant::now();
        let request = self.next_request.fetch_add(1, Ordering::Relaxed);
        self.unanswered().insert(request, ack);
        let origin = Origin { connection: self.id.clone(), request };
        let answer = AssertUnwindSafe(on::run(self, verb, text, origin)).catch_unwind().await;
        metrics::histogram!("mango_socket_event_duration_seconds", "event" => verb.name()).record(started.elapsed());
        let (answer, outcome) = match answer {
            Ok(Ok(done)) => (Ack::Done(done), "ok"),
            Ok(Err(error)) => (Ack::Refused(on::problem(verb, &error)), report(verb, &error)),
            Err(_) => {
                tracing::error!(event = verb.name(), "the handler of an event panicked");
                let problem = Problem::new(ProblemKind::Internal, "the server could not do this");
                (Ack::Refused(problem), "panicked")
            }
        };
        self.answer_request(request, &answer);
        outcome
    }

    /// Answers a request that has not been answered yet. One that changed a chat is answered by the publisher, so that the answer
    /// takes its place among the events of the chat; any other by its handler.
    pub(crate) fn answer_request(&self, request: u64, answer: &Ack<Done>) {
        let ack = self.unanswered().remove(&request);
        if let Some(ack) = ack {
            self.acknowledge(ack, answer);
        }
    }

    fn unanswered(&self) -> std::sync::MutexGuard<'_, HashMap<u64, AckSender>> {
        self.unanswered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers an event, if it asked for that.
    fn acknowledge(&self, ack: AckSender, answer: &Ack<Done>) {
        match ack.send(answer) {
            Ok(()) | Err(SendError::Socket(SocketError::Closed)) => {}
            // In a shutdown the connection is about to be closed anyway, after which the client comes back.
            Err(SendError::Socket(SocketError::InternalChannelFull)) if self.context.hub.closing().is_cancelled() => {}
            Err(SendError::Socket(SocketError::InternalChannelFull)) => self.hang_up("slow"),
            Err(SendError::Serialize(error)) => tracing::error!(%error, "an acknowledgement could not be written"),
        }
    }
}

/// Logs what is the server's fault, and gives the outcome a name.
fn report(verb: Verb, error: &Error) -> &'static str {
    match error {
        Error::Failed(failure) => {
            match failure.kind {
                FailureKind::Busy { .. } => tracing::warn!(event = verb.name(), error = chain(failure), "busy"),
                FailureKind::StorageFull | FailureKind::Broken => {
                    tracing::error!(event = verb.name(), error = chain(failure), "an event failed");
                }
            }
            "failed"
        }
        _ => "refused",
    }
}
