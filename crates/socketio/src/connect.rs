//! The admission of sockets.
//!
//! All of it happens before the client is told that it is connected: its events find their handlers, and it is in its rooms,
//! its user's first, so that a chat that is created meanwhile is not missed. What is published before the client is told does
//! not reach it; it reads its chats once it is connected.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderMap;
use http::header::AUTHORIZATION;
use mango_contract::event::{HangUpReason, Ready};
use mango_contract::{Problem, catalogue};
use mango_domain::error::{Unauthenticated, chain};
use mango_domain::model::{ConnectionId, Principal, Rate, Subject, UserId};
use mango_domain::usecases::come_online::Welcome;
use mango_domain::{Error, Result};
use serde_json::Value;
use socketioxide::SocketIo;
use socketioxide::extract::{SocketRef, TryData};
use socketioxide::handler::ConnectHandler;
use socketioxide::socket::DisconnectReason;
use socketioxide::{SendError, SocketError};
use tokio::sync::mpsc;

use crate::connection::{Connection, Mailbox, Slot};
use crate::hub::{Context, Hub};
use crate::outlet::Outlet;
use crate::places::{Place, Places};
use crate::rooms;

/// Why nobody is let in any more.
const SHUTTING_DOWN: &str = "the server is shutting down";

/// How many times in a row a socket is not let in over one connection before the connection is closed.
const MOST_REFUSED: usize = 8;

/// Opens the namespace.
pub(crate) fn register(io: &SocketIo, namespace: &'static str, context: &Arc<Context>) {
    let admission = Arc::clone(context);
    let places = Arc::new(Places::new(context.hub.options().max_per_user));
    let admit = move |socket: SocketRef, TryData(auth): TryData<Value>| {
        let (context, places) = (Arc::clone(&admission), Arc::clone(&places));
        async move {
            let token = token(&socket.req_parts().headers, auth.as_ref().ok());
            admit(context, &places, &socket, token).await
        }
    };
    let greeting = Arc::clone(context);
    let greet = move |socket: SocketRef| {
        greet(&greeting, socket);
        ready(())
    };
    io.ns(namespace, greet.with(admit));
}

/// Lets a socket in, or says why not.
async fn admit(
    context: Arc<Context>,
    places: &Places<UserId>,
    socket: &SocketRef,
    token: Result<String>,
) -> std::result::Result<(), String> {
    if context.hub.closing().is_cancelled() {
        return Err(SHUTTING_DOWN.to_owned());
    }
    let outcome = async {
        let principal = context.use_cases.authenticate.run(&token?).await?;
        // A client can leave and come back over one connection as often as it likes, and each time its chats are read.
        context.use_cases.limit.run(Rate::Read, Subject::User(principal.user))?;
        let place = places.take(principal.user);
        let place = place.ok_or(Error::Forbidden("too many sockets of this user are connected, close some first"))?;
        settle(&context, socket, principal, place).await
    };
    outcome.await.map_err(|error: Error| {
        if let Error::Failed(failure) = &error {
            tracing::error!(error = chain(failure), "a socket could not be let in");
        }
        metrics::counter!("mango_sockets_refused_total").increment(1);
        if let Some(outlet) = socket.req_parts().extensions.get::<Outlet>()
            && outlet.note_refused() == MOST_REFUSED
        {
            // Whoever is refused has no reason to try it again over the same connection, again and again.
            context.hub.break_off(socket.id, outlet.clone());
        }
        Problem::from(&error).detail
    })
}

async fn settle(context: &Arc<Context>, socket: &SocketRef, principal: Principal, place: Place<UserId>) -> Result<()> {
    let hub = &context.hub;
    let outlet = socket.req_parts().extensions.get::<Outlet>().cloned();
    let connection = Connection::new(Arc::clone(context), connection_id(socket), principal, outlet, place);
    let connection = Arc::new(connection);
    let (sender, calls) = mpsc::channel(hub.options().max_incoming);
    listen(hub, socket, &Arc::new(Mailbox::new(sender, Arc::clone(&connection))));

    socket.join([rooms::user(principal.user), rooms::session(principal.session)]);
    match context.use_cases.come_online.run(&principal, connection.id()).await {
        Ok(Welcome { chats, epoch }) => {
            socket.join(chats.into_iter().map(rooms::chat).collect::<Vec<_>>());
            socket.extensions.insert(Ready::new(&principal, &epoch));
        }
        Err(error) => {
            // The rooms are left when this is returned.
            connection.go_offline().await;
            return Err(error);
        }
    }
    if let Some(outlet) = connection.outlet() {
        outlet.note_let_in();
    }
    hub.tasks().spawn(connection.serve(calls));
    Ok(())
}

/// Sends everything that comes from the socket to its mailbox.
fn listen(hub: &Hub, socket: &SocketRef, mailbox: &Arc<Mailbox>) {
    socket.extensions.insert(Arc::clone(mailbox));
    // There is one handler for all events, since each takes memory with every socket.
    socket.on_fallback(Slot(Arc::clone(mailbox)));
    let (ended, hub, sid) = (Arc::clone(mailbox), hub.clone(), socket.id);
    socket.on_disconnect(move |reason: DisconnectReason| {
        ended.close();
        let outlet = ended.connection().outlet();
        if let (Some(outlet), DisconnectReason::ClientNSDisconnect | DisconnectReason::ServerNSDisconnect) =
            (outlet, reason)
        {
            hub.expect_back(sid, outlet);
        }
        ready(())
    });
}

/// Tells the client that its socket is in its rooms. Looks again, now that the socket can be found, whether something happened
/// while it could not be.
fn greet(context: &Context, socket: SocketRef) {
    let Some(mailbox) = socket.extensions.get::<Arc<Mailbox>>() else { return };
    let connection = mailbox.connection();
    let overtaken = match connection.barred() {
        None if context.hub.has_ended(connection.principal().session) => Some(HangUpReason::SessionEnded),
        None if context.hub.closing().is_cancelled() => Some(HangUpReason::ShuttingDown),
        barred => barred,
    };
    if let Some(reason) = overtaken {
        return context.hub.hang_up(socket, reason);
    }
    let Some(ready) = socket.extensions.remove::<Ready>() else { return };
    metrics::counter!("mango_events_published_total", "event" => catalogue::READY).increment(1);
    match socket.emit(catalogue::READY, &ready) {
        Ok(()) => {}
        Err(SendError::Socket(SocketError::InternalChannelFull)) => context.hub.hang_up(socket, HangUpReason::Slow),
        Err(error) => tracing::debug!(%error, "a socket was gone before it was told that it is ready"),
    }
}

/// A name for the connection that begins with the id of the socket. A client may leave and come back over the same transport,
/// and then has the same socket id; so there is a number as well.
fn connection_id(socket: &SocketRef) -> ConnectionId {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    ConnectionId(format!("{}.{}", socket.id, NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// The token: of the auth payload, else of the header `auth`, else of `Authorization: Bearer`. Never of the query string, which
/// ends up in logs.
fn token(headers: &HeaderMap, auth: Option<&Value>) -> Result<String> {
    let malformed = || Error::Unauthenticated(Unauthenticated::Malformed);
    match auth.ok_or_else(malformed)?.get("token") {
        None | Some(Value::Null) => {}
        Some(Value::String(token)) if token.is_empty() => {}
        Some(Value::String(token)) => return Ok(token.clone()),
        Some(_) => return Err(malformed()),
    }
    let header = |name| headers.get(name).map(|value| value.to_str().map_err(|_| malformed())).transpose();
    if let Some(token) = header("auth")?.filter(|token| !token.is_empty()) {
        return Ok(token.to_owned());
    }
    let authorization = header(AUTHORIZATION.as_str())?.and_then(|value| value.split_once(' '));
    match authorization {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim().to_owned()),
        _ => Err(Error::Unauthenticated(Unauthenticated::Missing)),
    }
}
