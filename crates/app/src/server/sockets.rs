//! The Socket.IO service as both of its doors see it, and the connections that hang on it.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Body, Incoming};
use hyper::service::Service;
use mango_http::Bodies;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Origins;

/// The body of a request: from hyper as it comes in, from actix as it was read.
pub type SocketBody = Either<Incoming, Full<Bytes>>;

type BoxError = Box<dyn Error + Send + Sync>;
pub(super) type Answer = Response<UnsyncBoxBody<Bytes, BoxError>>;
type Call = dyn Fn(Request<SocketBody>) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync;

/// The Socket.IO service, the runtime that it lives on, and its open connections.
#[derive(Clone)]
pub struct Sockets {
    shared: Arc<Shared>,
}

struct Shared {
    call: Box<Call>,
    runtime: Handle,
    origins: Origins,
    bodies: Bodies,
    open: TaskTracker,
    closing: CancellationToken,
    hang_up: CancellationToken,
}

impl Sockets {
    /// Takes the service, to be run on the multi-thread runtime of the caller, and what reads the bodies of polling requests.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn new<S, B>(service: S, origins: Origins, bodies: Bodies) -> Self
    where
        S: Service<Request<SocketBody>, Response = Response<B>, Error = Infallible> + Send + Sync + 'static,
        S::Future: Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Error + Send + Sync + 'static,
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
            origins,
            bodies,
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

    /// Asks the service. The address of the client goes along as an extension of the request.
    pub(super) async fn call(&self, mut request: Request<SocketBody>, client: Option<SocketAddr>) -> Answer {
        if let Some(client) = client {
            request.extensions_mut().insert(client);
        }
        (self.shared.call)(request).await
    }

    pub(super) fn runtime(&self) -> &Handle {
        &self.shared.runtime
    }

    pub(super) fn origins(&self) -> &Origins {
        &self.shared.origins
    }

    pub(super) fn bodies(&self) -> &Bodies {
        &self.shared.bodies
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
