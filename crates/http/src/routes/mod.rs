//! The routes, one file a resource. Each file has its handlers with their documentation, and `configure` to put them on their
//! paths.

pub(crate) mod auth;
pub(crate) mod chat;
mod cookie;
pub(crate) mod docs;
mod link;
pub(crate) mod media;
pub(crate) mod message;
pub(crate) mod ops;
pub(crate) mod session;
pub(crate) mod sync;
pub(crate) mod user;

use actix_web::{HttpRequest, HttpResponse, web};
use mango_contract::{Problem, ProblemKind};

use crate::problem;

/// Puts all routes on their paths, and a problem on all others.
pub(crate) fn configure(config: &mut web::ServiceConfig) {
    for configure in [
        auth::configure,
        session::configure,
        user::configure,
        chat::configure,
        message::configure,
        sync::configure,
        media::configure,
        ops::configure,
        docs::configure,
    ] {
        config.configure(configure);
    }
    config.default_service(web::to(no_such_path));
}

async fn no_such_path(request: HttpRequest) -> HttpResponse {
    // Where a client of Socket.IO asks by default.
    let detail = match request.path().starts_with("/socket.io") {
        true => "Socket.IO is served at /ws/socket.io/; give that to the client as its `path`",
        false => "nothing is served at this path; /docs lists what is",
    };
    problem::respond(&Problem::new(ProblemKind::NotFound, detail))
}
