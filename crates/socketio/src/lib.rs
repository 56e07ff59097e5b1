//! Socket.IO, in both directions: the events of clients become calls of use cases, and what happened becomes events for clients.
//!
//! # Wiring
//!
//! The use cases need the [`Publisher`], which needs the sockets, whose handlers need the use cases. So the sockets come first and
//! get their handlers last:
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use mango_domain::usecases::{Policy, Ports, UseCases};
//! use mango_socketio::{MemoryPresence, Options, build};
//!
//! fn wire(other: Ports, policy: Policy) {
//!     let (hub, service) = build(&Options::new(policy.max_content));
//!     let clock = other.clock.clone();
//!     let events = Arc::new(hub.publisher());
//!     let presence = Arc::new(MemoryPresence::default());
//!     let use_cases = Arc::new(UseCases::new(Ports { events, presence, ..other }, policy));
//!     hub.attach(use_cases, clock);
//!     // `service` is a hyper service to mount at `mango_socketio::PATH`; `hub.shutdown()` ends it.
//!     # drop(service);
//! }
//! ```
//!
//! # The life of a socket
//!
//! `connect` lets it in, its task (`connection`) runs the events that it sends (`on`) in their order, and the `hub`
//! hangs up on it when its token expires, its session ends, it does not keep up or it floods. A socket that is hung up on
//! leaves its rooms at once, so that it gets nothing after an event that it missed; its client sees `io server disconnect`.

mod connect;
mod connection;
mod frames;
mod hub;
mod intake;
mod metered;
mod on;
mod options;
mod outlet;
mod packets;
mod places;
mod presence;
mod publisher;
mod rooms;
mod service;
mod sums;

pub use hub::{Hub, PATH, build};
pub use metered::Metered;
pub use options::Options;
pub use outlet::Outlet;
pub use places::{Place, Places};
pub use presence::MemoryPresence;
pub use publisher::Publisher;
pub use service::Service;
