//! Refresh tokens.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;
use mango_contract::auth::RefreshRequest;
use mango_contract::{ProblemKind, decode};
use mango_domain::model::RefreshToken;
use serde_json::Value;

use super::{body, media_type, read, state, unsupported};
use crate::error::HttpError;

/// The cookie that holds the refresh token.
pub(crate) const COOKIE: &str = "refresh_token";

/// The refresh token that is presented: the one in the JSON body, or else the one in the cookie. A body that is empty, or an
/// object with nothing but `null` in it, holds none. 401 when there is none at all; 403 when there is the cookie alone, and it was
/// a page of somebody else's that had it sent (RFC 9700, section 4.7: cross-site request forgery).
pub(crate) struct Presented(pub RefreshToken);

impl FromRequest for Presented {
    type Error = HttpError;
    type Future = LocalBoxFuture<'static, Result<Self, HttpError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let body = read(&request, payload).await?;
            if body.is_empty() {
                return from_cookie(&request);
            }
            if !body::is_json(&media_type(request.headers())) {
                return Err(unsupported("application/json, or empty"));
            }
            match body::parse::<Value>(&body)? {
                Value::Object(fields) if fields.values().all(Value::is_null) => from_cookie(&request),
                value => Ok(Self(decode::<RefreshRequest>(value)?.into_domain())),
            }
        })
    }
}

fn from_cookie(request: &HttpRequest) -> Result<Presented, HttpError> {
    let missing = || {
        let detail = "a refresh token is needed, in the body or in the cookie";
        HttpError::refused(ProblemKind::Unauthenticated, detail)
    };
    let cookie = request.cookie(COOKIE).ok_or_else(missing)?;
    let state = state(request)?;
    let (peer, headers) = (request.peer_addr(), request.headers());
    let scheme = peer.and_then(|peer| state.settings.trusted_proxies.scheme(peer.ip(), headers));
    if !state.settings.cors.trusts_cookie(headers, scheme) {
        let detail = "pages of this origin may not use the cookie, send the refresh token in the body";
        return Err(HttpError::refused(ProblemKind::Forbidden, detail));
    }
    Ok(Presented(RefreshToken::new(cookie.value().to_owned())))
}
