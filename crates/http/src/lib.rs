//! The HTTP API on actix-web: reads requests, calls use cases, writes replies. What is said on the wire is `mango-contract`'s;
//! who may do what is decided in `mango-domain`.
//!
//! [`app()`] makes the whole application, middleware included, and takes further routes that go under the same middleware:
//!
//! ```no_run
//! # fn sockets(_: &mut actix_web::web::ServiceConfig) {}
//! # fn serve(state: mango_http::HttpState) -> std::io::Result<actix_web::dev::Server> {
//! let server = actix_web::HttpServer::new(move || mango_http::app(state.clone(), sockets));
//! # Ok(server.bind(("127.0.0.1", 5000))?.run())
//! # }
//! ```

mod answers;
mod app;
mod bodies;
mod changes;
mod error;
mod exchange;
mod extract;
mod fixed;
mod limits;
mod middleware;
mod openapi;
mod origin;
mod peer;
mod pieces;
mod problem;
mod resource;
mod routes;
mod seldom;
mod state;

pub use answers::Answers;
pub use app::app;
pub use bodies::{Bodies, BodyLimits};
pub use changes::Changes;
pub use exchange::Exchange;
pub use extract::read_picture;
pub use limits::tell_standing;
pub use middleware::access::{Routine, UNMATCHED};
pub use openapi::openapi;
pub use origin::is_own_origin;
pub use peer::TrustedProxies;
pub use problem::{of_status, respond};
pub use state::{CorsPolicy, FailedCheck, HttpState, Readiness, SecureCookies, Settings};
