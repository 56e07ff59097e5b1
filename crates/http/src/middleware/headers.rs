//! Headers that every answer has unless its route knows better.

use actix_http::ConnectionType;
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::http::{StatusCode, Version};
use actix_web::middleware::Next;

pub(crate) const DEFAULTS: [(&str, &str); 4] = [
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    // Answers of an API are no pages: a browser that is made to show one shall run and load nothing.
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    // Most answers hold somebody's data or tokens.
    ("cache-control", "no-store"),
];

/// Adds the headers that are not there yet.
pub(crate) async fn headers<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let mut response = next.call(request).await?;
    // Actix says `connection: upgrade` to whoever asked to upgrade, to HTTP/2 for instance, also when nothing comes of it, unless the
    // connection ends with the answer.
    if response.request().head().upgrade() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    // Chunks are not known to HTTP/1.0, where a body of unknown length ends with the connection (RFC 9112, section 6.1).
    if response.request().version() < Version::HTTP_11 {
        let head = response.response_mut().head_mut();
        head.no_chunking(true);
        head.set_connection_type(ConnectionType::Close);
    }
    for (name, value) in DEFAULTS {
        if !response.headers().contains_key(name) {
            response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
    }
    Ok(response)
}
