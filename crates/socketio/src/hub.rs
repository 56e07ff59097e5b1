//! The sockets of this process: how they are set up, found, hung up on and shut down.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mango_contract::catalogue;
use mango_contract::event::{HangUpReason, HangingUp};
use mango_domain::model::{ConnectionId, SessionId, UserId};
use mango_domain::ports::Clock;
use mango_domain::usecases::UseCases;
use socketioxide::extract::SocketRef;
use socketioxide::operators::BroadcastOperators;
use socketioxide::socket::Sid;
use socketioxide::{ParserConfig, SocketError, SocketIo, TransportType};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connect;
use crate::connection::Mailbox;
use crate::options::Options;
use crate::outlet::Outlet;
use crate::publisher::Publisher;
use crate::service::Service;
use crate::sums::Sum;

/// Where the service is to be mounted; a slash at the end does not matter.
pub const PATH: &str = "/ws/socket.io";

/// The namespace. There is only the default one.
const NAMESPACE: &str = "/";

/// Most attachments of an event. No event takes any: with a few, a client is told so rather than cut off.
const MAX_ATTACHMENTS: usize = 16;

/// How long events that were sent before a shutdown may take.
const GRACE: Duration = Duration::from_secs(3);

/// How long to remember that a session has ended: longer than a socket takes to get connected.
const ENDED_MEMORY: Duration = Duration::from_secs(300);

/// How long to wait before telling a socket again that it is disconnected, when there was no place in its buffer.
const RETRY: Duration = Duration::from_secs(1);

/// How many times in a row a client that was disconnected may be seen to read nothing before its connection is broken off.
const RETRIES: u32 = 5;

/// How long to wait after sockets were hung up on because too much waits for all of them, before others are.
const RELIEF: Duration = Duration::from_millis(100);

/// The sockets of this process.
#[derive(Clone)]
pub struct Hub {
    io: SocketIo,
    service: Service,
    shared: Arc<Shared>,
}

struct Shared {
    options: Options,
    /// Sessions that ended lately. A socket that was being connected when its session ended was in no room yet; it is found
    /// out by looking here afterwards.
    ended: Mutex<HashMap<SessionId, Instant>>,
    /// What waits to be sent to all of them.
    backlog: Sum,
    /// What all of them have sent and is not done with.
    intake: Sum,
    tasks: TaskTracker,
    closing: CancellationToken,
}

/// Sets up sockets that nobody can connect to before [`Hub::attach`].
#[must_use]
pub fn build(options: &Options) -> (Hub, Service) {
    let (service, io) = SocketIo::builder()
        .req_path(PATH)
        .transports([TransportType::Polling, TransportType::Websocket])
        .ping_interval(options.ping_interval)
        .ping_timeout(options.ping_timeout)
        .connect_timeout(options.connect_timeout)
        .upgrade_timeout(options.upgrade_timeout)
        .max_buffer_size(options.max_outgoing)
        .max_payload(u64::try_from(options.max_message).unwrap_or(u64::MAX))
        .ws_max_message_size(options.max_message)
        .ws_max_frame_size(options.max_message)
        .with_parser(
            ParserConfig::common()
                .max_incoming_binary_buf_size(options.max_message)
                .max_incoming_binaries(MAX_ATTACHMENTS)
                .packet_completion_timeout(options.connect_timeout),
        )
        .build_svc();
    let shared = Shared {
        options: options.clone(),
        ended: Mutex::default(),
        backlog: Sum::new(options.max_backlog),
        intake: Sum::new(options.max_intake),
        tasks: TaskTracker::new(),
        closing: CancellationToken::new(),
    };
    let service = Service::new(service);
    (Hub { io, service: service.clone(), shared: Arc::new(shared) }, service)
}

impl Hub {
    /// The events port over these sockets.
    #[must_use]
    pub fn publisher(&self) -> Publisher {
        Publisher::new(self.clone())
    }

    /// Lets clients connect and runs their events. The clock is the one that tokens are checked against.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn attach(&self, use_cases: Arc<UseCases>, clock: Arc<dyn Clock>) {
        tokio::spawn(self.clone().relieve());
        connect::register(&self.io, NAMESPACE, &Arc::new(Context { hub: self.clone(), use_cases, clock }));
    }

    /// Lets nobody in any more, finishes the events that were sent, and takes note that all users are gone. Takes some seconds at most.
    ///
    /// Then the caller, who has mounted the service, breaks the connections off. The clients are told why, but not disconnected: they
    /// connect again by themselves when a connection breaks, while python-socketio takes a close packet of Engine.IO as a wish of the
    /// server to be left alone.
    pub async fn shutdown(&self) {
        self.shared.closing.cancel();
        self.shared.tasks.close();
        if timeout(GRACE, self.shared.tasks.wait()).await.is_err() {
            tracing::warn!(sockets = self.shared.tasks.len(), "not all events of sockets were finished in time");
        }
        let Some(sockets) = self.sockets() else { return };
        metrics::counter!("mango_events_published_total", "event" => catalogue::HANGING_UP).increment(1);
        let farewell = HangingUp { reason: HangUpReason::ShuttingDown };
        if let Err(error) = sockets.broadcast().emit(catalogue::HANGING_UP, &farewell).await {
            tracing::debug!(%error, "not all sockets could be told of the shutdown");
        }
    }

    /// The sockets, for choosing among them; `None` before the first can connect.
    pub(crate) fn sockets(&self) -> Option<BroadcastOperators> {
        self.io.of(NAMESPACE)
    }

    /// The socket of a connection, and its mailbox; `None` when it is gone or not connected yet. A client that leaves and comes back
    /// over the same transport has a socket with the same id, which is not the one of the connection that it left.
    pub(crate) fn find(&self, connection: &ConnectionId) -> Option<(SocketRef, Arc<Mailbox>)> {
        let (sid, _) = connection.0.split_once('.')?;
        let socket = self.sockets()?.get_socket(sid.parse::<Sid>().ok()?)?;
        let mailbox = socket.extensions.get::<Arc<Mailbox>>()?;
        (mailbox.connection().id() == connection).then_some((socket, mailbox))
    }

    pub(crate) fn options(&self) -> &Options {
        &self.shared.options
    }

    /// What waits to be sent to all of them.
    pub(crate) fn backlog(&self) -> &Sum {
        &self.shared.backlog
    }

    /// What all of them have sent and is not done with.
    pub(crate) fn intake(&self) -> &Sum {
        &self.shared.intake
    }

    /// Hangs up on those for whom most waits when too much waits for all of them, and on those who have sent most when all of them have sent
    /// too much.
    async fn relieve(self) {
        let of_intake = |outlet: &Outlet| outlet.intake().share().size();
        loop {
            tokio::select! {
                () = self.closing().cancelled() => return,
                () = self.backlog().overfull() => self.hang_up_on_fullest(self.backlog(), Outlet::share, HangUpReason::Slow),
                () = self.intake().overfull() => self.hang_up_on_fullest(self.intake(), of_intake, HangUpReason::Flood),
            }
            sleep(RELIEF).await;
        }
    }

    fn hang_up_on_fullest(&self, sum: &Sum, share: impl Fn(&Outlet) -> usize, reason: HangUpReason) {
        let outlet_of = |socket: &SocketRef| socket.extensions.get::<Arc<Mailbox>>()?.connection().outlet().cloned();
        let sockets = self.sockets().map(BroadcastOperators::sockets).unwrap_or_default();
        let mut full: Vec<_> = sockets
            .into_iter()
            .filter_map(|socket| {
                let outlet = outlet_of(&socket)?;
                let user = socket.extensions.get::<Arc<Mailbox>>()?.connection().principal().user;
                Some((share(&outlet), user, outlet, socket)).filter(|(share, ..)| *share > 0)
            })
            .collect();
        // Whoever has many sockets with a little each is no better than one who has a single one with much.
        let mut of_user: HashMap<UserId, usize> = HashMap::new();
        for (share, user, ..) in &full {
            let sum = of_user.entry(*user).or_default();
            *sum = sum.saturating_add(*share);
        }
        full.sort_unstable_by_key(|(share, user, ..)| Reverse((of_user.get(user).copied(), *share)));
        let (count, all) = (full.len(), sum.size());
        let mut hung_up = 0_usize;
        for (.., outlet, socket) in full {
            if !sum.is_overfull() {
                break;
            }
            hung_up = hung_up.saturating_add(1);
            // Whoever reads nothing cannot be told, and what waits for them takes memory as long as the connection is there. So does what
            // they have sent.
            let is_at_once = outlet.is_blocked() || reason == HangUpReason::Flood;
            let sid = socket.id;
            self.hang_up(socket, reason);
            if is_at_once {
                self.break_off(sid, outlet);
            }
        }
        tracing::warn!(
            bytes = all,
            sockets = count,
            hung_up,
            reason = reason.word(),
            "too much waited of all sockets together"
        );
    }

    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.shared.tasks
    }

    pub(crate) fn closing(&self) -> &CancellationToken {
        &self.shared.closing
    }

    /// Disconnects a socket. From now on it gets nothing more and what it sent is not handled any more, also while there is no place
    /// in its buffer to tell it so.
    pub(crate) fn hang_up(&self, socket: SocketRef, reason: HangUpReason) {
        let Some(mailbox) = socket.extensions.get::<Arc<Mailbox>>() else { return };
        if !mailbox.shut(reason) {
            return;
        }
        if let Some(outlet) = mailbox.connection().outlet() {
            outlet.count_out();
        }
        socket.leave_all();
        if let Err(error) = socket.emit(catalogue::HANGING_UP, &HangingUp { reason }) {
            tracing::debug!(%error, reason = reason.word(), "a socket could not be told why it is hung up on");
        }
        let is_told = tell_off(&socket);
        tokio::spawn(self.clone().see_off(socket, is_told));
    }

    /// Sees to it that a socket that was hung up on is told, or is broken off when its client reads nothing, so that what waits for it
    /// takes no memory any longer.
    async fn see_off(self, socket: SocketRef, mut is_told: bool) {
        let Some(outlet) = socket.req_parts().extensions.get::<Outlet>() else {
            while !is_told {
                sleep(RETRY).await;
                is_told = tell_off(&socket);
            }
            return;
        };
        let (mut taken, mut idle) = (outlet.taken(), 0);
        loop {
            sleep(RETRY).await;
            is_told = is_told || tell_off(&socket);
            let before = std::mem::replace(&mut taken, outlet.taken());
            idle = if taken == before { idle + 1 } else { 0 };
            let reads = match outlet.wire() {
                Some(_) => !outlet.is_blocked(),
                // There is at least the word that it is disconnected to be polled for.
                None => idle == 0,
            };
            if is_told && reads {
                return;
            }
            if idle == RETRIES {
                tracing::debug!(sid = %socket.id, "a client that was hung up on reads nothing");
                return self.close(socket.id, outlet).await;
            }
        }
    }

    /// Closes the connection that a socket has left or was hung up on over, unless its client has come back over it within the time that
    /// it has to be let in at first. A connection without a socket counts against no user.
    pub(crate) fn expect_back(&self, sid: Sid, outlet: &Outlet) {
        let (hub, let_in, outlet) = (self.clone(), outlet.let_in(), outlet.downgrade());
        tokio::spawn(async move {
            sleep(hub.options().connect_timeout).await;
            let Some(outlet) = outlet.upgrade().filter(|outlet| outlet.let_in() == let_in) else { return };
            tracing::debug!(%sid, "a client that has left did not come back");
            hub.close(sid, &outlet).await;
        });
    }

    /// Closes a connection, and waits for nothing.
    pub(crate) fn break_off(&self, sid: Sid, outlet: Outlet) {
        let hub = self.clone();
        tokio::spawn(async move { hub.close(sid, &outlet).await });
    }

    /// Closes a connection.
    async fn close(&self, sid: Sid, outlet: &Outlet) {
        match outlet.wire() {
            Some(wire) => wire.cancel(),
            None => self.service.close_polling(sid).await,
        }
    }

    /// Takes note that sessions have ended.
    pub(crate) fn note_ends(&self, sessions: &[SessionId]) {
        let now = Instant::now();
        let mut ended = self.shared.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.retain(|_, since| now.duration_since(*since) < ENDED_MEMORY);
        ended.extend(sessions.iter().map(|session| (*session, now)));
    }

    /// Whether a session has ended lately.
    pub(crate) fn has_ended(&self, session: SessionId) -> bool {
        self.shared.ended.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&session)
    }
}

/// Tells a socket that it is disconnected; whether there was a place for that, or it is gone already.
fn tell_off(socket: &SocketRef) -> bool {
    // One that is gone may have come back over the same transport, under the same id.
    !socket.connected() || !matches!(socket.clone().disconnect(), Err(SocketError::InternalChannelFull))
}

/// What sockets need to do their work.
pub(crate) struct Context {
    pub(crate) hub: Hub,
    pub(crate) use_cases: Arc<UseCases>,
    pub(crate) clock: Arc<dyn Clock>,
}
