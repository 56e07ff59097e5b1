//! A connected socket: what it may do, and the task that handles what it sends.

mod in_flight;
mod mailbox;

use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use mango_contract::event::HangUpReason;
use mango_contract::{Ack, Problem, ProblemKind};
use mango_domain::error::chain;
use mango_domain::model::{ChatId, ConnectionId, Origin, Principal, UserId};
use mango_domain::{Error, FailureKind};
use serde_json::value::to_raw_value;
use socketioxide::extract::AckSender;
use socketioxide::{SendError, SocketError};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use crate::hub::Context;
use crate::intake::Intake;
use crate::on::{self, Done, Verb};
use crate::outlet::{Outlet, ack_size};
use crate::places::Place;
use crate::rooms;

use self::in_flight::InFlight;
use self::mailbox::Job;
pub(crate) use self::mailbox::{Mailbox, Slot};

/// How many messages of one socket may be on their way to the store at once. The store commits what comes together in one go,
/// so that waiting for each alone would cost a client most of its speed.
const PIPELINE: usize = 64;

/// How often, and how long in between, to try to note that a user is gone.
const GO_OFFLINE_TRIES: u32 = 3;
const GO_OFFLINE_PAUSE: Duration = Duration::from_millis(200);

/// How long a socket that is held waits before it looks again how much waits for the others.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Where an acknowledgement goes, if the client asked for one.
struct Reply {
    sender: AckSender,
    /// The number that the client gave to its question.
    id: i64,
}

/// A connected socket, apart from socketioxide: who it is and what is allowed.
pub(crate) struct Connection {
    context: Arc<Context>,
    id: ConnectionId,
    principal: Mutex<Principal>,
    /// Why the socket was told to go.
    barred: OnceLock<HangUpReason>,
    /// Whether no more events come.
    closed: AtomicBool,
    /// What waits to be sent to the client.
    outlet: Option<Outlet>,
    in_flight: InFlight,
    /// The requests that are being handled and have not been answered.
    unanswered: Mutex<HashMap<u64, Reply>>,
    next_request: AtomicU64,
    _place: Place<UserId>,
}

impl Connection {
    pub(crate) fn new(
        context: Arc<Context>,
        id: ConnectionId,
        principal: Principal,
        outlet: Option<Outlet>,
        place: Place<UserId>,
    ) -> Self {
        let principal = Mutex::new(principal);
        if let Some(outlet) = &outlet {
            outlet.count_in(context.hub.backlog(), context.hub.intake());
        }
        Self {
            context,
            id,
            principal,
            barred: OnceLock::new(),
            closed: AtomicBool::new(false),
            outlet,
            in_flight: InFlight::default(),
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

    /// Why the socket was told to go, if it was.
    pub(crate) fn barred(&self) -> Option<HangUpReason> {
        self.barred.get().copied()
    }

    /// Takes note that the socket has to go. The first reason counts.
    fn bar(&self, reason: HangUpReason) {
        if self.barred.set(reason).is_ok() {
            metrics::counter!("mango_sockets_hung_up_total", "reason" => reason.word()).increment(1);
        }
    }

    /// Goes on under a fresh token of the same user. The socket now lives and ends with the session of that token.
    pub(crate) fn renew(&self, fresh: Principal) {
        let old = std::mem::replace(&mut *self.principal.lock().unwrap_or_else(PoisonError::into_inner), fresh);
        if let Some((socket, _)) = self.context.hub.find(&self.id).filter(|_| old.session != fresh.session) {
            socket.leave(rooms::session(old.session));
            socket.join(rooms::session(fresh.session));
        }
    }

    /// Puts the socket into the rooms of these chats. Whether it is in them now and was not before.
    pub(crate) fn enter(&self, chats: &[ChatId]) -> bool {
        let Some((socket, _)) = self.context.hub.find(&self.id) else { return false };
        let there: HashSet<_> = socket.rooms().into_iter().collect();
        let mut missing: Vec<String> = chats.iter().copied().map(rooms::chat).collect();
        missing.retain(|room| !there.contains(room.as_str()));
        if missing.is_empty() {
            return false;
        }
        socket.join(missing);
        let barred = self.barred().is_some();
        if barred {
            // It was told to go meanwhile, and is to hear of nothing more.
            socket.leave_all();
        }
        !barred
    }

    /// Ends the connection from this side.
    pub(crate) fn hang_up(&self, reason: HangUpReason) {
        // A socket that is not there yet finds the bar when it comes.
        self.bar(reason);
        if let Some((socket, _)) = self.context.hub.find(&self.id) {
            self.context.hub.hang_up(socket, reason);
        }
    }

    /// Makes room for a packet that is about to be sent; says no when too much waits for the socket.
    #[must_use]
    pub(crate) fn admit(&self, size: usize) -> bool {
        self.admit_shared(size, 1)
    }

    /// The same for a packet that so many sockets get, and that is in memory once for all of them.
    #[must_use]
    pub(crate) fn admit_shared(&self, size: usize, sockets: usize) -> bool {
        let (hub, Some(outlet)) = (&self.context.hub, &self.outlet) else { return true };
        outlet.admit(size, size.div_ceil(sockets.max(1)), hub.options().max_outgoing_bytes)
    }

    /// Whether so much waits for the socket, or for all of them together, that nothing more is done for it until its client reads on.
    fn is_held(&self) -> bool {
        let hub = &self.context.hub;
        let waiting = self.outlet.as_ref().map_or(0, Outlet::waiting);
        let limit = if hub.backlog().is_half_full() { 0 } else { hub.options().max_outgoing_bytes / 4 };
        waiting > limit && !self.closed.load(Ordering::Acquire)
    }

    /// Waits until the client has read on, or no more events come. Nobody tells when others have read on, so that it also ends after a while.
    async fn released(&self) {
        if let Some(outlet) = &self.outlet {
            let _ = timeout(LOOK_AGAIN, outlet.wait_while(|| self.is_held())).await;
        }
    }

    /// Has no more read from the client when its events take half of the room for them. The other half is for what has been read.
    fn hold_back(&self) {
        if let Some(outlet) = self.outlet.as_ref().filter(|_| self.in_flight.exceed(2, &self.context.hub)) {
            outlet.intake().shut();
            // They may all have been handled in between.
            self.read_on();
        }
    }

    /// Has the client read from again, once its events take no more than a quarter of the room for them.
    fn read_on(&self) {
        if let Some(outlet) = self.outlet.as_ref().filter(|_| !self.in_flight.exceed(4, &self.context.hub)) {
            outlet.intake().open();
        }
    }

    /// Has nothing read from the client for a moment when many of its events were not taken.
    fn slow_down(&self) {
        if let Some(outlet) = self.outlet.as_ref().filter(|outlet| !outlet.intake().refuses()) {
            outlet.pause();
        }
    }

    /// What is taken from the client.
    fn intake(&self) -> Option<&Intake> {
        self.outlet.as_ref().map(Outlet::intake)
    }

    /// What waits to be sent to the client.
    pub(crate) const fn outlet(&self) -> Option<&Outlet> {
        self.outlet.as_ref()
    }

    /// Handles the events of the socket in their order, until there are no more. Messages do not wait for each other's commit: they
    /// are handed to the store in their order, which keeps it; every other event waits for those before it, and all of them wait
    /// for a client that does not read what it was sent.
    pub(crate) async fn serve(self: Arc<Self>, mut jobs: mpsc::Receiver<Box<Job>>) {
        let open = metrics::gauge!("mango_sockets");
        open.increment(1.0);
        let closing = self.context.hub.closing().cancelled();
        tokio::pin!(closing);
        let expiry = sleep(self.time_left());
        tokio::pin!(expiry);
        let mut expired = false;
        let mut running = FuturesUnordered::new();
        loop {
            let held = self.is_held() && !jobs.is_closed();
            tokio::select! {
                biased;
                () = &mut expiry, if !expired => {
                    expired = true;
                    self.hang_up(HangUpReason::TokenExpired);
                }
                () = &mut closing, if !jobs.is_closed() => jobs.close(),
                Some(()) = running.next(), if !running.is_empty() => {}
                () = self.released(), if held => {}
                job = jobs.recv(), if !held && running.len() < PIPELINE => match job {
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

    async fn handle(&self, job: Box<Job>) {
        let Job { verb, text, reply } = *job;
        let outcome = if self.barred().is_some() { "dropped" } else { self.answer(verb, &text, reply).await };
        metrics::counter!("mango_socket_events_total", "event" => verb.name(), "outcome" => outcome).increment(1);
        self.in_flight.remove(text.len(), self.intake());
        self.read_on();
    }

    async fn answer(&self, verb: Verb, text: &str, reply: Option<Reply>) -> &'static str {
        let started = Instant::now();
        let request = self.next_request.fetch_add(1, Ordering::Relaxed);
        if let Some(reply) = reply {
            self.unanswered().insert(request, reply);
        }
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
        let reply = self.unanswered().remove(&request);
        if let Some(reply) = reply {
            self.acknowledge(reply, answer);
        }
    }

    fn unanswered(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Reply>> {
        self.unanswered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers an event.
    fn acknowledge(&self, reply: Reply, answer: &Ack<Done>) {
        let Reply { sender, id } = reply;
        let answer = match to_raw_value(answer) {
            Ok(answer) => answer,
            Err(error) => return tracing::error!(%error, "an acknowledgement could not be written"),
        };
        if !self.admit(ack_size(id, &answer)) {
            return self.hang_up(HangUpReason::Slow);
        }
        match sender.send(&answer) {
            Ok(()) | Err(SendError::Socket(SocketError::Closed)) => {}
            // In a shutdown the connection is about to be closed anyway, after which the client comes back.
            Err(SendError::Socket(SocketError::InternalChannelFull)) if self.context.hub.closing().is_cancelled() => {}
            Err(SendError::Socket(SocketError::InternalChannelFull)) => self.hang_up(HangUpReason::Slow),
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
        _ => {
            // All that is left of an event whose client did not ask for an acknowledgement.
            tracing::debug!(event = verb.name(), error = chain(error), "an event was refused");
            "refused"
        }
    }
}
