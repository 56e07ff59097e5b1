//! The service to be mounted: socketioxide's, and what it does not know of the sessions that poll.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt::Debug;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf, Bytes};
use engineioxide::service::NotFoundService;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Body;
use hyper::service::Service as _;
use serde::Deserialize;
use socketioxide::service::SocketIoService;
use socketioxide::socket::Sid;

use crate::hub::PATH;
use crate::intake::Paced;
use crate::outlet::{Outlet, WeakOutlet, is_counted};

/// What stands between the packets of a body (Engine.IO 4).
pub(crate) const SEPARATOR: u8 = 0x1e;

/// The most packets that python-engineio takes in one answer; one more, and it breaks off.
const PYTHON_TAKES: usize = 16;

/// The hyper service that speaks Engine.IO: long-polling, WebSocket, and the upgrade from one to the other.
///
/// A request for a WebSocket should have the [`Outlet`] of its connection among its extensions.
#[derive(Clone)]
pub struct Service {
    inner: SocketIoService<NotFoundService>,
    polling: Arc<Polling>,
}

/// The sessions that began with long-polling.
#[derive(Default)]
struct Polling {
    outlets: Mutex<Outlets>,
}

#[derive(Default)]
struct Outlets {
    /// Those that are gone are removed now and then.
    by_session: HashMap<Sid, WeakOutlet>,
    /// How many make it worth while to look.
    sweep_at: usize,
}

/// What a request is about.
enum Kind {
    /// A session begins with long-polling.
    Begin(Outlet),
    /// A session asks what there is for it, and takes so many packets at a time.
    Poll {
        outlet: Outlet,
        takes: usize,
    },
    /// A session that polls sends something.
    Post {
        outlet: Outlet,
        session: Sid,
    },
    /// A session asks for a WebSocket, but has to poll for the rest of an answer first.
    TooEarly,
    Other,
}

impl<B> hyper::service::Service<Request<B>> for Service
where
    B: Body + Debug + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Debug,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, mut request: Request<B>) -> Self::Future {
        let kind = self.judge(&mut request);
        match &kind {
            Kind::Poll { outlet, takes } => {
                let mut left = outlet.left();
                if !left.is_empty() {
                    let body = take_packets(&mut left, *takes);
                    drop(left);
                    note_poll(outlet, &body);
                    return Box::pin(ready(Ok(answer(StatusCode::OK, body))));
                }
            }
            Kind::TooEarly => {
                let refusal = refusal(StatusCode::BAD_REQUEST, br#"{"code":3,"message":"Bad request"}"#);
                return Box::pin(ready(Ok(refusal)));
            }
            Kind::Post { outlet, .. } if !outlet.receive(announced(request.body())) => {
                let refusal = refusal(StatusCode::PAYLOAD_TOO_LARGE, br#"{"code":3,"message":"Payload too large"}"#);
                return Box::pin(ready(Ok(refusal)));
            }
            Kind::Begin(_) | Kind::Post { .. } | Kind::Other => {}
        }
        let sender = if let Kind::Post { outlet, .. } = &kind { Some(outlet.clone()) } else { None };
        let answer = self.inner.call(request.map(|body| Paced::new(body, sender)));
        let service = self.clone();
        Box::pin(async move {
            let Ok(answer) = answer.await;
            if let Kind::Post { outlet, session } = &kind
                && outlet.is_flooding()
            {
                service.close_polling(*session).await;
                return Ok(refusal(StatusCode::TOO_MANY_REQUESTS, br#"{"code":3,"message":"Too many packets"}"#));
            }
            let (mut head, body) = answer.into_parts();
            // It is there as a whole.
            let Ok(body) = body.collect().await;
            let mut body = body.to_bytes();
            match kind {
                Kind::Begin(outlet) => service.polling.begin(&body, &outlet),
                Kind::Poll { outlet, takes } => {
                    let taken = take_packets(&mut body, takes);
                    *outlet.left() = std::mem::replace(&mut body, taken);
                    head.headers.insert(CONTENT_LENGTH, body.len().into());
                    note_poll(&outlet, &body);
                }
                Kind::Post { .. } | Kind::TooEarly | Kind::Other => {}
            }
            Ok(Response::from_parts(head, Full::new(body)))
        })
    }
}

impl Service {
    pub(crate) fn new(inner: SocketIoService<NotFoundService>) -> Self {
        Self { inner, polling: Arc::default() }
    }

    /// Whether there is a session of this name that began with long-polling.
    #[must_use]
    pub fn polls(&self, session: &str) -> bool {
        session.parse().is_ok_and(|session| self.polling.find(session).is_some())
    }

    /// Ends a session that polls, as its client would.
    pub(crate) async fn close_polling(&self, session: Sid) {
        let target = format!("{PATH}/?EIO=4&transport=polling&sid={session}");
        let request = Request::post(target).body(Full::new(Bytes::from_static(b"1")));
        match request {
            Ok(request) => drop(self.inner.call(request).await),
            Err(error) => tracing::error!(%error, "a session that polls could not be closed"),
        }
    }

    fn judge<B>(&self, request: &mut Request<B>) -> Kind {
        let query = request.uri().query().unwrap_or_default();
        let value = |name| query.split('&').find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name));
        let polls = value("transport").is_some_and(|(_, transport)| transport == "polling");
        let session = value("sid").map(|(_, sid)| sid.parse::<Sid>());
        match session {
            Some(Ok(session)) if polls && request.method() == Method::POST => {
                self.polling.find(session).map_or(Kind::Other, |outlet| Kind::Post { outlet, session })
            }
            _ if request.method() != Method::GET => Kind::Other,
            None if polls => {
                let outlet = Outlet::of_polling();
                request.extensions_mut().insert(outlet.clone());
                Kind::Begin(outlet)
            }
            Some(Ok(session)) if polls => match self.polling.find(session) {
                Some(outlet) => Kind::Poll { outlet, takes: takes(request.headers()) },
                None => Kind::Other,
            },
            Some(Ok(session)) => {
                let Some(session) = self.polling.find(session) else { return Kind::Other };
                if !session.left().is_empty() {
                    return Kind::TooEarly;
                }
                if let Some(own) = request.extensions().get::<Outlet>() {
                    own.continue_session(&session);
                }
                Kind::Other
            }
            None | Some(Err(_)) => Kind::Other,
        }
    }
}

impl Polling {
    /// Remembers a session, if it was opened.
    fn begin(&self, answer: &[u8], outlet: &Outlet) {
        #[derive(Deserialize)]
        struct Opened {
            sid: String,
        }
        let opened = answer.strip_prefix(b"0").and_then(|json| serde_json::from_slice::<Opened>(json).ok());
        let Some(session) = opened.and_then(|opened| opened.sid.parse::<Sid>().ok()) else { return };
        let mut outlets = self.outlets.lock().unwrap_or_else(PoisonError::into_inner);
        if outlets.by_session.len() >= outlets.sweep_at {
            outlets.by_session.retain(|_, outlet| outlet.upgrade().is_some());
            outlets.sweep_at = outlets.by_session.len().saturating_mul(2).max(64);
        }
        outlets.by_session.insert(session, outlet.downgrade());
    }

    fn find(&self, session: Sid) -> Option<Outlet> {
        let outlets = self.outlets.lock().unwrap_or_else(PoisonError::into_inner);
        outlets.by_session.get(&session)?.upgrade()
    }
}

/// How many packets a client takes at a time. Others than that of Python take all there are.
fn takes(headers: &HeaderMap) -> usize {
    let agent = headers.get(USER_AGENT).map(|agent| agent.as_bytes().to_ascii_lowercase()).unwrap_or_default();
    if agent.windows(6).any(|word| word == b"python") { PYTHON_TAKES } else { usize::MAX }
}

/// Takes so many packets off a body.
fn take_packets(body: &mut Bytes, count: usize) -> Bytes {
    let separators = body.iter().enumerate().filter(|(_, byte)| **byte == SEPARATOR);
    let end = separators.map(|(at, _)| at).nth(count.saturating_sub(1));
    match end {
        Some(end) => {
            let taken = body.split_to(end);
            body.advance(1);
            taken
        }
        None => std::mem::take(body),
    }
}

fn answer(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=UTF-8"));
    answer
}

/// An answer as engineioxide gives it to what it does not take.
fn refusal(status: StatusCode, body: &'static [u8]) -> Response<Full<Bytes>> {
    answer(status, Bytes::from_static(body))
}

/// How many bytes a body has. One that does not say has at least so many, and is cut off at the largest packet.
fn announced(body: &impl Body) -> usize {
    usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX)
}

/// Takes note of the packets that a poll has taken.
fn note_poll(outlet: &Outlet, body: &[u8]) {
    if is_counted(body.len()) {
        body.split(|byte| *byte == SEPARATOR).for_each(|packet| outlet.give_back(packet.len()));
    }
    outlet.note_taken(body.len());
}
