//! The server of the port.

use std::future::pending;
use std::io;
use std::net::TcpListener;
use std::time::Duration;

use actix_codec::Framed;
use actix_http::body::MessageBody;
use actix_http::error::DispatchError;
use actix_http::{HttpService, Request, Response, h1};
use actix_service::{
    IntoServiceFactory, Service as _, ServiceFactory, ServiceFactoryExt, apply_fn_factory, fn_service, map_config,
};
use actix_web::Error;
use actix_web::dev::AppConfig;
use tokio::net::TcpStream;

use super::connection::Connection;
use super::last::Last;
use super::shutdown::Running;
use super::sockets::Sockets;
use super::upgrade;

/// How long an idle connection is kept for the next request. Longer than the idle time-outs of usual reverse proxies (60 s), so
/// that the proxy closes first and never sends a request into a connection that is being closed.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long a closing connection may take to take leave.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The time in which a socket that does not answer pings is given up too: the interval of 25 s and the time-out of 20 s of Engine.IO.
const DEAD_AFTER: Duration = Duration::from_secs(45);

/// How to serve.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How many threads answer HTTP; at least one.
    pub workers: usize,
    /// How long requests in flight and open sockets get when the server is told to stop.
    pub shutdown_timeout: Duration,
    /// How long the first head of a connection may take.
    pub head_timeout: Duration,
    /// How long a request may take from its first byte to that of its answer, with a second more for each 16 KiB.
    pub request_timeout: Duration,
    /// How long a client may take to acknowledge what it was sent, or to have room for more of it, before its connection is cut.
    pub dead_after: Duration,
}

impl Options {
    /// As a server that faces the world needs it.
    #[must_use]
    pub const fn new(workers: usize, shutdown_timeout: Duration) -> Self {
        Self {
            workers,
            shutdown_timeout,
            head_timeout: Duration::from_secs(10),
            request_timeout: KEEP_ALIVE,
            dead_after: DEAD_AFTER,
        }
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
            // The default is used for requests of HTTP/1.0 without a host alone.
            let app = map_config(app, |()| AppConfig::default());
            let app = apply_fn_factory(app, |request: Request, app| {
                let is_over = request.conn_data::<Last>().is_some_and(|last| !last.allows(&request));
                let answer = (!is_over).then(|| app.call(request));
                async move {
                    match answer {
                        Some(answer) => answer.await,
                        // The connection is closed as soon as what was answered before is written.
                        None => pending().await,
                    }
                }
            });
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
                .on_connect_ext(|connection: &Connection, data| {
                    data.insert(connection.last().clone());
                })
                .h1(app);
            let connect = fn_service(move |socket: TcpStream| {
                let peer = socket.peer_addr().ok();
                // One too many is closed as it is: even an answer would cost more than the connection did.
                std::future::ready(sockets.accept(peer).map_err(DispatchError::Io).map(|stand| {
                    if let Err(error) = tune(&socket, options.dead_after) {
                        tracing::debug!(%error, "could not set the options of a connection");
                    }
                    (Connection::new(socket, stand, sockets.clone(), options.request_timeout), peer)
                }))
            });
            connect.and_then(http)
        }
    };
    let server = builder.listen("mango", listener, service)?.run();
    Ok(Running::new(server, sockets.clone(), options.shutdown_timeout))
}

/// Sets the options of a connection; they stay with it when it is upgraded.
fn tune(socket: &TcpStream, dead_after: Duration) -> io::Result<()> {
    // A chat sends small packets that must not wait for each other.
    socket.set_nodelay(true)?;
    give_up(socket, dead_after)
}

/// Has the system give a client up that is gone without a word, or reads no more, while something is on the way to it. By itself it tries
/// for a quarter of an hour, and for ever as long as the client's system answers.
#[cfg(target_os = "linux")]
fn give_up(socket: &TcpStream, after: Duration) -> io::Result<()> {
    let milliseconds = u32::try_from(after.as_millis()).unwrap_or(u32::MAX);
    Ok(rustix::net::sockopt::set_tcp_user_timeout(socket, milliseconds)?)
}

/// Elsewhere the system can only be had to ask now and then whether the client is still there.
#[cfg(all(unix, not(target_os = "linux")))]
fn give_up(socket: &TcpStream, _: Duration) -> io::Result<()> {
    Ok(rustix::net::sockopt::set_socket_keepalive(socket, true)?)
}

#[cfg(not(unix))]
fn give_up(_: &TcpStream, _: Duration) -> io::Result<()> {
    Ok(())
}
