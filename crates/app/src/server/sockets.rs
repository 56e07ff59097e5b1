//! The Socket.IO service as both of its doors see it, and the connections that hang on it.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use actix_http::header::HeaderMap;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Body, Incoming};
use hyper::service::Service;
use mango_contract::Problem;
use mango_domain::Error;
use mango_domain::model::{Client, Held, Room, Standing};
use mango_http::{Bodies, TrustedProxies};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Origins;
use super::probing::{Probes, session};

/// The body of a request: from hyper as it comes in, from actix as it was read.
pub type SocketBody = Either<Incoming, Full<Bytes>>;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
pub(super) type Answer = Response<UnsyncBoxBody<Bytes, BoxError>>;
type Call = dyn Fn(Request<SocketBody>) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync;

/// What is looked at before a request reaches the Socket.IO service.
pub struct Doors {
    /// Which web pages may open a socket.
    pub origins: Origins,
    /// Reads the bodies of polling requests.
    pub bodies: Bodies,
    /// Which reverse proxies are believed when they say who the client is.
    pub proxies: TrustedProxies,
    /// Whether a session that began with long-polling has this name.
    pub polls: Box<Polls>,
    /// Counts a client that opens a socket.
    pub admit: Box<Admit>,
    /// How many sockets may be open, and how many of them from one address.
    pub places: Room,
    /// How many connections may be open, whatever they are for, and how many of them from one address. Trusted proxies may have as many as
    /// there is room for.
    pub connections: Room,
}

/// A place among the connections. A connection has it as long as it is open, whoever serves it.
pub(super) type Stand = Option<Held>;

/// A place among the sockets. A WebSocket connection has it as long as it is open; a session that began with long-polling keeps it among what it was
/// opened with.
pub(super) type Seat = Arc<Held>;

/// When to try again, for whoever finds no place.
const COME_BACK: Duration = Duration::from_secs(5);

/// Whether there is a session of this name that began with long-polling.
pub type Polls = dyn Fn(&str) -> bool + Send + Sync;

/// Counts a client that opens a socket; how it stands, if there is a limit.
pub type Admit = dyn Fn(IpAddr) -> Option<Standing> + Send + Sync;

/// What comes of a request for a socket: its place, if it needs one, and how the client stands, if it was counted.
pub(super) type Admitted = (Result<Option<Seat>, Problem>, Option<Standing>);

/// The Socket.IO service, the runtime that it lives on, and its open connections.
#[derive(Clone)]
pub struct Sockets {
    shared: Arc<Shared>,
}

struct Shared {
    call: Box<Call>,
    runtime: Handle,
    doors: Doors,
    probes: Probes,
    open: TaskTracker,
    closing: CancellationToken,
    hang_up: CancellationToken,
}

impl Sockets {
    /// Takes the service, to be run on the multi-thread runtime of the caller, and what stands before it.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn new<S, B>(service: S, doors: Doors) -> Self
    where
        S: Service<Request<SocketBody>, Response = Response<B>, Error = Infallible> + Send + Sync + 'static,
        S::Future: Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let call: Box<Call> = Box::new(move |request| {
            let answer = service.call(request);
            Box::pin(async move {
                let Ok(answer) = answer.await;
                answer.map(|body| body.map_err(BoxError::from).boxed_unsync())
            })
        });
        let shared = Shared {
            call,
            runtime: Handle::current(),
            doors,
            probes: Probes::default(),
            open: TaskTracker::new(),
            closing: CancellationToken::new(),
            hang_up: CancellationToken::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// How many upgraded connections are open and how many polling requests are being answered, together.
    #[must_use]
    pub fn open(&self) -> usize {
        self.shared.open.len()
    }

    /// Asks the service. The address of the client goes along as an extension of the request, an [`IpAddr`].
    pub(super) async fn call(
        &self,
        mut request: Request<SocketBody>,
        client: Option<IpAddr>,
        seat: Option<Seat>,
    ) -> Answer {
        if let Some(seat) = seat {
            request.extensions_mut().insert(seat);
        }
        if let Some(client) = client {
            request.extensions_mut().insert(client);
        }
        (self.shared.call)(request).await
    }

    pub(super) fn runtime(&self) -> &Handle {
        &self.shared.runtime
    }

    /// Which sessions try a WebSocket.
    pub(super) fn probes(&self) -> &Probes {
        &self.shared.probes
    }

    pub(super) fn doors(&self) -> &Doors {
        &self.shared.doors
    }

    /// Lets an address open another connection.
    ///
    /// # Errors
    /// When it has too many, or all have.
    pub(super) fn accept(&self, peer: Option<SocketAddr>) -> io::Result<Stand> {
        let doors = &self.shared.doors;
        let peer = peer.map(|peer| peer.ip().to_canonical()).filter(|peer| !doors.proxies.contains(*peer));
        let stand = doors.connections.hold(Client::at(peer), 1);
        if stand.is_none() {
            metrics::counter!("mango_connections_refused_total").increment(1);
        }
        stand.map(Some).ok_or_else(|| io::ErrorKind::ConnectionRefused.into())
    }

    /// Lets a client open a socket, or go on with one. The place that it gets for a new one is to be kept with the socket.
    pub(super) fn admit(&self, client: Option<IpAddr>, query: Option<&str>) -> Admitted {
        let goes_on = session(query).is_some();
        let Some(client) = client.filter(|_| !goes_on) else { return (Ok(None), None) };
        let doors = &self.shared.doors;
        let standing = (doors.admit)(client);
        if let Some(retry_after) = standing.and_then(|standing| standing.retry_after) {
            return (Err(Problem::from(&Error::TooMany { retry_after })), standing);
        }
        match doors.places.hold(Client::at(Some(client)), 1) {
            Some(place) => (Ok(Some(Arc::new(place))), standing),
            // How often it may be tried has nothing to do with this.
            None => (Err(Problem::too_many("too many sockets are open from this address", COME_BACK)), None),
        }
    }

    /// The address of the client of a request.
    pub(super) fn client(&self, peer: Option<SocketAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        Some(self.shared.doors.proxies.client(peer?.ip(), headers))
    }

    /// Whether a request may come from the web page that it comes from, if it comes from any.
    pub(super) fn is_welcome(&self, peer: Option<SocketAddr>, headers: &HeaderMap) -> bool {
        let doors = &self.shared.doors;
        doors.origins.allow(headers, peer.and_then(|peer| doors.proxies.scheme(peer.ip(), headers)))
    }

    pub(super) fn tracker(&self) -> &TaskTracker {
        &self.shared.open
    }

    /// Cancelled once the server no longer takes sockets.
    pub(super) fn closing(&self) -> &CancellationToken {
        &self.shared.closing
    }

    /// Cancelled once what sockets asked for is done: they break off then, with what the system takes of what waits to be sent.
    pub(super) fn hang_up(&self) -> &CancellationToken {
        &self.shared.hang_up
    }
}
