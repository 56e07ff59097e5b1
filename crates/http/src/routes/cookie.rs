//! The cookie that keeps the refresh token where scripts cannot read it.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::cookie::{self, Cookie, SameSite};
use mango_domain::model::Grant;

use crate::extract::COOKIE;
use crate::{HttpState, SecureCookies};

/// The cookie of a grant; it lives as long as its refresh token.
pub(super) fn of_grant(request: &HttpRequest, state: &HttpState, grant: &Grant) -> Cookie<'static> {
    cookie(request, state, grant.refresh_token.expose().to_owned(), grant.refresh_ttl)
}

/// The cookie that makes a browser forget the one it has.
pub(super) fn removal(request: &HttpRequest, state: &HttpState) -> Cookie<'static> {
    cookie(request, state, String::new(), Duration::ZERO)
}

fn cookie(request: &HttpRequest, state: &HttpState, value: String, lifetime: Duration) -> Cookie<'static> {
    let secure = match state.settings.secure_cookies {
        SecureCookies::Auto => request.connection_info().scheme() == "https",
        SecureCookies::Always => true,
        SecureCookies::Never => false,
    };
    let seconds = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
    Cookie::build(COOKIE, value)
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(secure)
        .max_age(cookie::time::Duration::seconds(seconds))
        .finish()
}
