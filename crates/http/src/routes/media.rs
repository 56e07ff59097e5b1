//! The files of photos.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_files::NamedFile;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::{Next, from_fn};
use actix_web::mime::Mime;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use mango_domain::model::{Held, PhotoFile, PhotoId};
use mango_domain::{Error, Failure};

use crate::error::HttpError;
use crate::extract::State;
use crate::limits::Limit;
use crate::peer;
use crate::resource::resource;

/// The pictures under a name never change.
const FOREVER: &str = "public, max-age=31536000, immutable";

const SERVE: &str = "serve photo";

/// When to try again, for whoever finds too many files open.
const COME_BACK: Duration = Duration::from_secs(2);

pub(super) fn configure(config: &mut web::ServiceConfig) {
    let photo = resource("/{photo}/{file}", [(Method::GET, Limit::Free, web::route().to(get_photo))]);
    config.service(web::scope("/static").wrap(from_fn(ignore_ranges)).service(photo));
}

/// Takes away a `Range` that is to be ignored (RFC 9110, section 14.2): one that cannot be read, which actix-files would refuse, and
/// several, of which it would send the first alone.
async fn ignore_ranges(
    mut request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let mut ranges = request.headers().get_all(header::RANGE);
    let usable = ranges.next().is_none_or(is_one_range) && ranges.next().is_none();
    if !usable {
        request.headers_mut().remove(header::RANGE);
    }
    next.call(request).await
}

/// Whether it is `bytes=first-last`, `bytes=first-` or `bytes=-length`.
fn is_one_range(range: &HeaderValue) -> bool {
    let Some((unit, (first, last))) = range.to_str().ok().and_then(|range| {
        let (unit, bounds) = range.split_once('=')?;
        Some((unit, bounds.split_once('-')?))
    }) else {
        return false;
    };
    let number =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten();
    let bounds = match (number(first), number(last)) {
        (Some(first), Some(last)) => first <= last,
        (Some(_), None) => last.is_empty(),
        (None, Some(_)) => first.is_empty(),
        (None, None) => false,
    };
    unit.eq_ignore_ascii_case("bytes") && bounds
}

/// Get a photo
///
/// Anybody who knows the name of a photo can see it. What a name stands for never changes, so it may be cached for ever.
#[utoipa::path(
    get, path = "/static/{photo}/{file}", tag = "photos",
    params(
        ("photo" = String, Path, description = "The `photo` of a user", example = "0123456789abcdef0123456789abcdef"),
        ("file" = String, Path, description = "`original.jpeg` (or `original.jpg`), `400x400.webp`, `100x100.webp` \
            or `50x50.webp`", example = "400x400.webp"),
        ("Range" = Option<String>, Header, description = "Which bytes, as one range; what cannot be read is ignored",
            example = "bytes=0-1023"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of what is there already",
            example = "\"0123456789abcdef0123456789abcdef-400x400.webp\""),
    ),
    responses(
        (status = 200, description = "The file",
            content(("image/jpeg"), ("image/webp")),
            headers(("ETag" = String, description = "Names this content"))),
        (status = 206, description = "The bytes that `Range` asks for", content(("image/jpeg"), ("image/webp"))),
        (status = 304, description = "It is what the client has already"),
        (status = 404, description = "There is no such photo"),
        (status = 412, description = "It is not what `If-Match` or `If-Unmodified-Since` asks for"),
        (status = 416, description = "It has no such bytes"),
        (status = 503, description = "Too many photos are being read, by all or by you: `Retry-After` says when to try again"),
    )
)]
pub(crate) async fn get_photo(
    request: HttpRequest,
    state: State,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, HttpError> {
    let missing = || HttpError::Domain(Error::NotFound("photo"));
    let photo = PhotoId::parse(&path.0).ok_or_else(missing)?;
    let file = PhotoFile::parse(&path.1).ok_or_else(missing)?;
    let path = state.media.path(&photo, file);
    // A file that a client takes its time to read is open until then, and the process may have only so many.
    let busy = || HttpError::Domain(Failure::busy(SERVE, COME_BACK).into());
    let place = state.files.hold(peer::client(&request), 1).ok_or_else(busy)?;
    let opened = match web::block(move || NamedFile::open(path)).await {
        Ok(Ok(opened)) => opened,
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => return Err(missing()),
        Ok(Err(error)) => return Err(broken(error)),
        Err(error) => return Err(broken(error)),
    };
    let media_type: Mime = file.media_type().parse().map_err(broken)?;
    let mut response = opened.set_content_type(media_type).disable_content_disposition().into_response(&request);
    if !response.status().is_client_error() {
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(FOREVER));
    }
    Ok(response.map_body(|_, body| BoxBody::new(Opened { body, _place: place })))
}

/// The rest of a file that is open, with its place among those.
struct Opened {
    body: BoxBody,
    _place: Held,
}

impl MessageBody for Opened {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_next(cx)
    }
}

fn broken(error: impl std::error::Error + Send + Sync + 'static) -> HttpError {
    Error::Failed(Failure::broken(SERVE, error)).into()
}
