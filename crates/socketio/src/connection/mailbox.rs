//! The mailbox: where the events of a socket wait for its task.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mango_contract::event::HangUpReason;
use mango_contract::{Ack, Problem};
use mango_domain::model::Subject;
use socketioxide::adapter::LocalAdapter;
use socketioxide::extract::{AckSender, Event, SocketRef};
use socketioxide::handler::{FromMessageParts, MessageHandler};
use socketioxide::socket::Socket;
use socketioxide_core::{Str, Value};
use tokio::sync::mpsc::{self, error::TrySendError};

use super::{Connection, Reply};
use crate::on::Verb;

/// When to send an event again that there was no place for.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// An event as it came from a socket.
struct Call {
    socket: SocketRef,
    verb: Verb,
    /// The name and the arguments as a JSON array. Attachments are not taken; their place in the text is held by an object, which is
    /// refused wherever a text or a number is expected.
    text: Str,
    reply: Option<Reply>,
}

/// What socketioxide gives the events of a socket to. It posts them at once, in their order. A function in its place would be called with each
/// in a task of its own, and a client that sends many would fill the memory with tasks.
pub(crate) struct Slot(pub(crate) Arc<Mailbox>);

impl MessageHandler<LocalAdapter, Verb> for Slot {
    fn call(&self, socket: Arc<Socket>, mut value: Value, ack: Option<i64>) {
        // That the name is a text has been seen before.
        let Ok(Event(name)) = Event::from_message_parts(&socket, &mut value, &ack) else { return };
        let Ok(sender) = AckSender::from_message_parts(&socket, &mut value, &ack);
        let reply = ack.map(|id| Reply { sender, id });
        let text = value.as_str().cloned().unwrap_or_default();
        self.0.post(Call { socket: SocketRef::from(socket), verb: Verb::named(&name), text, reply });
    }
}

/// A call that waits for its turn. It waits in a box: a mailbox has room for 32 of them from its beginning, and most are empty.
pub(crate) struct Job {
    pub(super) verb: Verb,
    pub(super) text: Str,
    pub(super) reply: Option<Reply>,
}

/// Where a socket's events wait. The socket owns it: when the socket is gone, however it went, the task comes to its end.
pub(crate) struct Mailbox {
    sender: Mutex<Option<mpsc::Sender<Box<Job>>>>,
    connection: Arc<Connection>,
    /// Whether the socket is being disconnected.
    shut: AtomicBool,
}

impl Mailbox {
    pub(crate) fn new(sender: mpsc::Sender<Box<Job>>, connection: Arc<Connection>) -> Self {
        Self { sender: Mutex::new(Some(sender)), connection, shut: AtomicBool::new(false) }
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Takes an event. One that there is no place for, or that its user sends too often, is refused at once; when its sender could not
    /// learn of that, because it asked for no acknowledgement, the socket is hung up on instead. In a shutdown events are refused as
    /// well, and nobody is hung up on: clients stay away after that, and come back by themselves after the connection is closed.
    fn post(&self, call: Call) {
        if self.lock().is_none() {
            // Nothing is taken from a socket that was told to go.
            return self.connection.slow_down();
        }
        let verb = call.verb;
        let (context, user) = (self.connection.context(), self.connection.principal().user);
        if let Err(error) = context.use_cases.limit.run(verb.rate(), Subject::User(user)) {
            let problem = Problem::from(&error);
            self.connection.slow_down();
            return self.refuse(call, &problem, !context.hub.closing().is_cancelled());
        }
        let size = call.text.len();
        let bytes = self.connection.in_flight.add(size, self.connection.intake());
        let overflow = match &*self.lock() {
            None => false,
            Some(sender) => match sender.try_reserve() {
                Ok(place) if bytes <= context.hub.options().max_incoming_bytes => {
                    self.connection.hold_back();
                    return place.send(Box::new(Job { verb, text: call.text, reply: call.reply }));
                }
                Ok(_) | Err(TrySendError::Full(())) => true,
                Err(TrySendError::Closed(())) => false,
            },
        };
        self.connection.in_flight.remove(size, self.connection.intake());
        self.refuse(call, &Problem::unavailable(RETRY_AFTER), overflow);
    }

    /// Refuses an event. `flood` is whether its socket is to blame.
    fn refuse(&self, call: Call, problem: &Problem, flood: bool) {
        let outcome = if flood { "failed" } else { "dropped" };
        metrics::counter!("mango_socket_events_total", "event" => call.verb.name(), "outcome" => outcome).increment(1);
        if let Some(reply) = call.reply {
            self.connection.acknowledge(reply, &Ack::Refused(problem.clone()));
        } else if flood {
            tracing::warn!(user = %self.connection.principal().user, "a socket sends more than can be handled");
            self.connection.context().hub.hang_up(call.socket, HangUpReason::Flood);
        }
    }

    /// Takes no more events. Those that wait are still handled.
    pub(crate) fn close(&self) {
        self.connection.closed.store(true, Ordering::Release);
        self.lock().take();
        if let Some(outlet) = &self.connection.outlet {
            outlet.wake();
            // What comes is not kept any more.
            outlet.intake().open();
        }
    }

    /// Takes no more events, and lets those that wait go unhandled; whether this is the first time.
    #[must_use]
    pub(crate) fn shut(&self, reason: HangUpReason) -> bool {
        self.connection.bar(reason);
        self.close();
        !self.shut.swap(true, Ordering::AcqRel)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<mpsc::Sender<Box<Job>>>> {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
