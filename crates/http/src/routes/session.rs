//! One's own sessions: the list of them, and their ends.

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, web};
use mango_contract::auth::SessionReply;
use mango_domain::model::{Rate, SessionId};

use super::cookie;
use crate::error::HttpError;
use crate::extract::{Caller, Id, State};
use crate::limits::Limit;
use crate::peer;
use crate::resource::resource;

pub(super) fn configure(config: &mut web::ServiceConfig) {
    config
        .service(resource(
            "/auth/sessions",
            [
                (Method::GET, Limit::User(Rate::Read), web::route().to(list_sessions)),
                (Method::DELETE, Limit::User(Rate::Create), web::route().to(end_other_sessions)),
            ],
        ))
        .service(resource(
            "/auth/sessions/{id}",
            [(Method::DELETE, Limit::User(Rate::Create), web::route().to(end_session))],
        ));
}

/// List your sessions
///
/// Where you are logged in: the 100 sessions that were used last, the latest first. A session is used when it gets tokens, by a login or
/// a refresh. One whose tokens have all expired is not listed.
#[utoipa::path(
    get, path = "/auth/sessions", tag = "sessions",
    security(("login" = []), ("bearer" = [])),
    responses((status = 200, description = "The sessions that have neither ended nor expired", body = [SessionReply]))
)]
pub(crate) async fn list_sessions(state: State, caller: Caller) -> Result<HttpResponse, HttpError> {
    let sessions = state.use_cases.list_sessions.run(&caller.principal).await?;
    let reply: Vec<SessionReply> =
        sessions.iter().map(|session| SessionReply::seen_by(caller.principal.session, session)).collect();
    Ok(HttpResponse::Ok().json(reply))
}

/// End one of your sessions
///
/// All its tokens are void at once, and its sockets are closed. To end the session that asks is to log out.
#[utoipa::path(
    delete, path = "/auth/sessions/{id}", tag = "sessions",
    params(("id" = i64, Path, description = "The session's id")),
    security(("login" = []), ("bearer" = [])),
    responses(
        (status = 204, description = "The session has ended"),
        (status = 404, description = "The caller has no such session, or it had ended already"),
        (status = 507, description = "There is no room to note it"),
    )
)]
pub(crate) async fn end_session(
    request: HttpRequest,
    state: State,
    caller: Caller<Id<SessionId>>,
) -> Result<HttpResponse, HttpError> {
    let Caller { principal, rest: Id(session) } = caller;
    let address = peer::address(&request);
    state.change(|mango| async move { mango.end_session.run(&principal, session, address).await }).await?;
    let mut response = HttpResponse::NoContent();
    if session == principal.session {
        response.cookie(cookie::removal(&request, &state));
    }
    Ok(response.finish())
}

/// End all your other sessions
///
/// All but the session that asks: their tokens are void at once, and their sockets are closed.
#[utoipa::path(
    delete, path = "/auth/sessions", tag = "sessions",
    security(("login" = []), ("bearer" = [])),
    responses(
        (status = 204, description = "No other session is left"),
        (status = 404, description = "The path has a slash at its end, behind which an id is missing"),
        (status = 507, description = "There is no room to note it"),
    )
)]
pub(crate) async fn end_other_sessions(
    request: HttpRequest,
    state: State,
    caller: Caller,
) -> Result<HttpResponse, HttpError> {
    let (principal, address) = (caller.principal, peer::address(&request));
    state.change(|mango| async move { mango.end_other_sessions.run(&principal, address).await }).await?;
    Ok(HttpResponse::NoContent().finish())
}
