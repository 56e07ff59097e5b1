//! The server of the port.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use actix_codec::Framed;
use actix_http::body::MessageBody;
use actix_http::error::DispatchError;
use actix_http::{HttpService, Request, Response, h1};
use actix_service::{IntoServiceFactory, ServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::Error;
use actix_web::dev::AppConfig;
use tokio::net::TcpStream;

use super::connection::Connection;
use super::shutdown::Running;
use super::sockets::Sockets;
use super::upgrade;

/// How long an idle connection is kept for the next request. Longer than the idle time-outs of usual reverse proxies (60 s), so
/// that the proxy closes first and never sends a request into a connection that is being closed.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long a closing connection may take to take leave.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How to serve.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How many threads answer HTTP; at least one.
    pub workers: usize,
    /// How long requests in flight and open sockets get when the server is told to stop.
    pub shutdown_timeout: Duration,
    /// How long the first head of a connection may take.
    pub head_timeout: Duration,
}

impl Options {
    /// As a server that faces the world needs it.
    #[must_use]
    pub const fn new(workers: usize, shutdown_timeout: Duration) -> Self {
        Self { workers, shutdown_timeout, head_timeout: Duration::from_secs(10) }
    }
}

/// Serves an application and sockets on a port that is bound already. `app` makes one application per worker, which should have
/// [`mount`](super::mount)ed the same sockets.
///
/// # Errors
/// When the listener cannot be used.
pub fn listen<F, I, S, B>(listener: TcpListener, app: F, sockets: &Sockets, options: Options) -> io::Result<Running>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<Error> + 'static,
    S::InitError: std::fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    B: MessageBody + 'static,
{
    let address = listener.local_addr()?;
    // Signals are the business of the program's lifecycle. The time-out has whole seconds; the exact one is kept in `Running`.
    let grace = options.shutdown_timeout.as_secs().saturating_add(1);
    let builder =
        actix_server::Server::build().workers(options.workers.max(1)).disable_signals().shutdown_timeout(grace);
    let draining = builder.graceful_shutdown_signal();
    let service = {
        let sockets = sockets.clone();
        move || {
            let draining = draining.clone();
            let (sockets, upgraded) = (sockets.clone(), sockets.clone());
            let app = app().into_factory().map_err(|error| error.into().error_response());
            let http = HttpService::build()
                .keep_alive(KEEP_ALIVE)
                .client_request_timeout(options.head_timeout)
                .client_disconnect_timeout(DISCONNECT_TIMEOUT)
                .local_addr(address)
                .graceful_shutdown_signal(move || {
                    let draining = draining.clone();
                    async move { draining.notified().await }
                })
                .upgrade(fn_service(move |(request, framed): (Request, Framed<Connection, h1::Codec>)| {
                    upgrade::take(&upgraded, &request, framed);
                    std::future::ready(Ok::<_, Error>(()))
                }))
                // The default is used for requests of HTTP/1.0 without a host alone.
                .h1(map_config(app, |()| AppConfig::default()));
            let connect = fn_service(move |socket: TcpStream| {
                // A chat sends small packets that must not wait for each other. The option stays with the socket when it is upgraded.
                if let Err(error) = socket.set_nodelay(true) {
                    tracing::debug!(%error, "could not set TCP_NODELAY");
                }
                let peer = socket.peer_addr().ok();
                std::future::ready(Ok::<_, DispatchError>((Connection::new(socket, sockets.clone()), peer)))
            });
            connect.and_then(http)
        }
    };
    let server = builder.listen("mango", listener, service)?.run();
    Ok(Running::new(server, sockets.clone(), options.shutdown_timeout))
}
