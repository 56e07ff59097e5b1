//! Compression where it pays.

use actix_http::encoding::Encoder;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, AcceptEncoding, ContentEncoding, Encoding, HeaderMap, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _};

use crate::fixed::Coded;

/// Below this a compressed body saves no packet.
const WORTHWHILE: u64 = 1024;

/// What is on offer, the best first.
const SUPPORTED: [Encoding; 3] = [Encoding::identity(), Encoding::brotli(), Encoding::gzip()];

/// Media types that shrink. Pictures do not, and long-polling of Socket.IO, which is `text/plain`, is small and in a hurry.
const SHRINKING: [&str; 6] = [
    "application/json",
    "application/problem+json",
    "application/javascript",
    "text/javascript",
    "text/css",
    "text/html",
];

/// Compresses texts of more than a kilobyte for clients that can read that, unless they come in the right coding already.
pub(crate) async fn compress<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<Encoder<B>>, Error> {
    let accepted = request.get_header::<AcceptEncoding>();
    let negotiated = accepted.and_then(|accepted| accepted.negotiate(SUPPORTED.iter()));
    let response = next.call(request).await?;
    let coded = response.response().extensions().contains::<Coded>();
    Ok(response.map_body(|head, body| {
        if !coded && !pays(head.headers(), body.size()) {
            return Encoder::response(ContentEncoding::Identity, head, body);
        }
        match negotiated {
            Some(Encoding::Known(encoding)) if !coded && encoding != ContentEncoding::Identity => {
                Encoder::response(encoding, head, body)
            }
            _ => {
                // Caches must know that others may get it in another coding.
                head.headers_mut().append(header::VARY, HeaderValue::from_static("accept-encoding"));
                Encoder::response(ContentEncoding::Identity, head, body)
            }
        }
    }))
}

fn pays(headers: &HeaderMap, size: BodySize) -> bool {
    let large = match size {
        BodySize::None => false,
        BodySize::Sized(length) => length >= WORTHWHILE,
        BodySize::Stream => true,
    };
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    large && SHRINKING.contains(&media_type)
}
