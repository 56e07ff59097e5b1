//! Sessions: login, refresh, logout.

use actix_web::http::{Method, header};
use actix_web::{HttpRequest, HttpResponse, web};
use mango_contract::auth::{LoginRequest, RefreshRequest, TokenReply};
use mango_domain::model::{Device, Grant, Rate, Visit};

use super::cookie;
use crate::HttpState;
use crate::error::HttpError;
use crate::extract::{Caller, Login, Presented, State};
use crate::limits::Limit;
use crate::peer;
use crate::resource::resource;

pub(super) fn configure(config: &mut web::ServiceConfig) {
    for path in ["/auth/login", "/user/login"] {
        config.service(resource(path, [(Method::POST, Limit::Address(Rate::LogIn), web::route().to(log_in))]));
    }
    for path in ["/auth/refresh", "/user/refresh"] {
        config.service(resource(path, [(Method::POST, Limit::Address(Rate::Refresh), web::route().to(refresh))]));
    }
    config.service(resource("/auth/logout", [(Method::POST, Limit::User(Rate::Create), web::route().to(log_out))]));
}

/// Log in
///
/// Begins a session for somebody who knows a phone and its password. The refresh token also comes as the cookie `refresh_token`,
/// which scripts cannot read. An unknown phone and a wrong password are answered alike.
#[utoipa::path(
    post, path = "/auth/login", tag = "sessions",
    request_body(content(
        (LoginRequest = "application/x-www-form-urlencoded"),
        (LoginRequest = "application/json"),
    )),
    responses(
        (status = 200, description = "The tokens of a new session", body = TokenReply,
            headers(("Set-Cookie" = String, description = "`refresh_token`, for browsers"))),
        (status = 401, description = "The phone is unknown or the password is wrong"),
        (status = 507, description = "There is no room to store the session"),
    )
)]
pub(crate) async fn log_in(request: HttpRequest, state: State, login: Login) -> Result<HttpResponse, HttpError> {
    let LoginRequest { username, password, device } = login.0;
    let visit = visit(&request, device.as_deref());
    let grant = state.change(|mango| async move { mango.log_in.run(&username, password, visit).await }).await?;
    Ok(granted(&request, &state, &grant))
}

/// Get new tokens
///
/// Takes the refresh token of the last grant, from the body or else from the cookie, and gives new tokens of the same session. The
/// old refresh token stays good until the new one is used, since an answer may get lost; after that, presenting it again ends
/// the session. The cookie counts for pages of this server and of listed origins only; a token in the body may come from anywhere.
#[utoipa::path(
    post, path = "/auth/refresh", tag = "sessions",
    request_body(content = Option<RefreshRequest>, description = "Leave it out to use the cookie"),
    responses(
        (status = 200, description = "New tokens of the session", body = TokenReply,
            headers(("Set-Cookie" = String, description = "`refresh_token`, for browsers"))),
        (status = 401, description = "There is no refresh token, or it is not good any more"),
        (status = 403, description = "The cookie came from a page of an origin that is not listed"),
        (status = 507, description = "There is no room to store the session"),
    )
)]
pub(crate) async fn refresh(
    request: HttpRequest,
    state: State,
    presented: Presented,
) -> Result<HttpResponse, HttpError> {
    let (token, address) = (presented.0, peer::address(&request));
    let grant = state.change(|mango| async move { mango.refresh_session.run(&token, address).await }).await?;
    Ok(granted(&request, &state, &grant))
}

/// Log out
///
/// Ends the session of the access token: all its tokens are void at once, and its sockets are closed.
#[utoipa::path(
    post, path = "/auth/logout", tag = "sessions",
    security(("login" = []), ("bearer" = [])),
    responses(
        (status = 204, description = "The session has ended",
            headers(("Set-Cookie" = String, description = "Makes browsers forget `refresh_token`"))),
        (status = 507, description = "There is no room to note it"),
    )
)]
pub(crate) async fn log_out(request: HttpRequest, state: State, caller: Caller) -> Result<HttpResponse, HttpError> {
    let (principal, address) = (caller.principal, peer::address(&request));
    state.change(|mango| async move { mango.log_out.run(&principal, address).await }).await?;
    Ok(HttpResponse::NoContent().cookie(cookie::removal(&request, &state)).finish())
}

/// Who logs in: the device as it calls itself, or else its browser or library.
fn visit(request: &HttpRequest, device: Option<&str>) -> Visit {
    let agent = || {
        let agent = request.headers().get(header::USER_AGENT)?;
        Device::tidy(&String::from_utf8_lossy(agent.as_bytes()))
    };
    Visit { device: device.and_then(Device::tidy).or_else(agent), address: peer::address(request) }
}

fn granted(request: &HttpRequest, state: &HttpState, grant: &Grant) -> HttpResponse {
    HttpResponse::Ok().cookie(cookie::of_grant(request, state, grant)).json(TokenReply::from(grant))
}
