//! The one port: actix-web answers HTTP and long-polling, hyper answers WebSocket connections, and both speak to the same
//! Socket.IO service.
//!
//! Actix accepts every connection on its own current-thread workers and keeps those that stay HTTP. A request with
//! `Upgrade: websocket` leaves actix with its TCP socket and is served by hyper on the multi-thread runtime that the server was
//! started from; from then on no byte of it passes through actix. Everything of Socket.IO runs on that one runtime, polling
//! included, because a broadcast wakes one task per socket: from another thread each wake of a current-thread runtime costs
//! a system call, while a multi-thread runtime wakes its threads once and shares the work. It also outlives the workers, so
//! sockets can be told of a shutdown in any order.

mod connection;
mod head;
mod last;
mod listen;
mod origin;
mod patience;
mod polling;
mod probing;
mod refusal;
mod shutdown;
mod sockets;
mod stream;
mod upgrade;

pub use listen::{Options, listen};
pub use origin::Origins;
pub use polling::mount;
pub use shutdown::{Running, Stopped};
pub use sockets::{Admit, Doors, Polls, SocketBody, Sockets};

/// Where Socket.IO answers, with and without a slash at the end.
pub const SOCKET_PATH: &str = mango_socketio::PATH;
