//! Which web pages may call.

use actix_cors::Cors;
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName};
use actix_web::middleware::Next;

use super::request_id::X_REQUEST_ID;
use crate::CorsPolicy;
use crate::limits::{RATE_LIMIT, RATE_LIMIT_POLICY};

/// How long a browser may remember the answer to a preflight request, in seconds. Browsers cap it at two hours or less.
const MAX_AGE: usize = 7200;

/// Headers that a page may read beyond those that are always readable.
const EXPOSED: [HeaderName; 7] =
    [header::LINK, header::LOCATION, header::ETAG, header::RETRY_AFTER, RATE_LIMIT, RATE_LIMIT_POLICY, X_REQUEST_ID];

/// The middleware for a policy.
pub(crate) fn cors(policy: &CorsPolicy) -> Cors {
    let cors = Cors::default()
        .allowed_methods(["GET", "HEAD", "POST", "PATCH", "DELETE"])
        .allow_any_header()
        .expose_headers(EXPOSED)
        .max_age(MAX_AGE);
    match policy {
        CorsPolicy::AnyOrigin => cors.allow_any_origin().send_wildcard(),
        CorsPolicy::Origins(origins) => {
            origins.iter().fold(cors.supports_credentials(), |cors, origin| cors.allowed_origin(origin))
        }
    }
}

/// Takes the word about cookies back where no origin was allowed: the middleware says it to pages that are not listed as well.
pub(crate) async fn credentials_with_origin<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let mut response = next.call(request).await?;
    if !response.headers().contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) {
        response.headers_mut().remove(header::ACCESS_CONTROL_ALLOW_CREDENTIALS);
    }
    Ok(response)
}
