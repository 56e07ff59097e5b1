//! Who is calling.

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{Error, FromRequest, HttpMessage as _, HttpRequest};
use futures_util::future::LocalBoxFuture;
use mango_domain::error::Unauthenticated;
use mango_domain::model::Principal;

use super::state;
use crate::error::HttpError;
use crate::limits;
use crate::middleware::access::SentBy;

/// Who is calling, by the bearer token (RFC 6750), and then the rest of the request: nothing of it is looked at for a stranger, or for
/// somebody who calls too often. When it is there it is seen again that the caller may call: a body can be sent slowly, and a session be
/// ended by its owner meanwhile.
pub(crate) struct Caller<Rest = ()> {
    /// Who.
    pub principal: Principal,
    /// The rest of the request.
    pub rest: Rest,
}

impl<Rest: FromRequest + 'static> FromRequest for Caller<Rest> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        let has_body = !matches!(payload, Payload::None);
        Box::pin(async move {
            let principal = authenticate(&request).await?;
            request.extensions_mut().insert(SentBy(principal.user));
            limits::count_user(&request, principal.user)?;
            let rest = Rest::from_request(&request, &mut payload).await.map_err(Into::into)?;
            if has_body {
                state(&request)?.use_cases.authenticate.again(&principal).await.map_err(HttpError::from)?;
            }
            Ok(Self { principal, rest })
        })
    }
}

async fn authenticate(request: &HttpRequest) -> Result<Principal, HttpError> {
    let missing = mango_domain::Error::Unauthenticated(Unauthenticated::Missing);
    let token = bearer(request.headers()).ok_or(missing)?;
    Ok(state(request)?.use_cases.authenticate.run(token).await?)
}

/// The token of `Authorization: Bearer …`; the scheme's name has no case (RFC 9110, section 11.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, token: Option<&str>) {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        assert_eq!(bearer(&headers), token, "{value}");
    }

    #[test]
    fn the_scheme_has_no_case_and_white_space_does_not_matter() {
        check("Bearer abc", Some("abc"));
        check("bearer abc", Some("abc"));
        check("BEARER   abc ", Some("abc"));
        check("Bearer", None);
        check("Bearer ", None);
        check("Basic abc", None);
        check("abc", None);
        check("", None);
        assert_eq!(bearer(&HeaderMap::new()), None);
    }
}
