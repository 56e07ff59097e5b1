//! Bodies, read under limits.

use std::io;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest};
use bytes::{Bytes, BytesMut};
use futures_util::future::LocalBoxFuture;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use mango_contract::ProblemKind;
use mango_contract::decode::shape_error;
use mango_domain::FieldError;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;
use tokio::time::timeout;

use super::{media_type, state, unsupported};
use crate::Settings;
use crate::error::HttpError;

/// A JSON body. 415 when it is not called `application/json`, 413 when it is too large, 400 when it does not parse, 422 with the
/// field when it does not have the right shape.
pub(crate) struct Json<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = HttpError;
    type Future = LocalBoxFuture<'static, Result<Self, HttpError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            if !is_json(&media_type(request.headers())) {
                return Err(unsupported("application/json"));
            }
            parse(&read(&request, payload).await?).map(Self)
        })
    }
}

/// Whether a media type is JSON (RFC 6839 gives everything that is written in JSON a name in `+json`).
pub(super) fn is_json(media_type: &str) -> bool {
    media_type == "application/json" || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

/// Reads a JSON object.
pub(super) fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, HttpError> {
    // Serde would take an array for the fields of a struct in their order, which is nothing that anybody shall rely on.
    if !text.trim_ascii_start().starts_with(b"{") {
        serde_json::from_slice::<IgnoredAny>(text).map_err(|error| unreadable(&error))?;
        return Err(FieldError::new("", "must be an object").into());
    }
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| match error.inner().classify() {
        Category::Data => shape_error(&error).into(),
        Category::Syntax | Category::Eof | Category::Io => unreadable(error.inner()),
    })?;
    reader.end().map_err(|error| unreadable(&error))?;
    Ok(value)
}

fn unreadable(error: &serde_json::Error) -> HttpError {
    let place = format!("line {}, column {}", error.line(), error.column());
    HttpError::refused(ProblemKind::BadRequest, format!("the body is not JSON: {place}"))
}

/// Reads a body whole.
pub(super) async fn read(request: &HttpRequest, payload: Payload) -> Result<Bytes, HttpError> {
    let settings = state(request)?.settings.clone();
    check_length(request, &settings)?;
    let collected = bounded(payload, &settings).try_fold(BytesMut::new(), |mut body, part| {
        body.extend_from_slice(&part);
        std::future::ready(Ok(body))
    });
    collected.await.map(BytesMut::freeze).map_err(|error| refusal(&error))
}

/// Refuses a body that says itself that it is too large, before any of it is read.
pub(super) fn check_length(request: &HttpRequest, settings: &Settings) -> Result<(), HttpError> {
    let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    match declared.and_then(|length| length.parse::<usize>().ok()) {
        Some(length) if length > settings.max_body => Err(refusal(&PayloadError::Overflow)),
        _ => Ok(()),
    }
}

/// The parts of a body, and an error in place of the one that makes it too large or takes too long.
pub(super) fn bounded(
    payload: Payload,
    settings: &Settings,
) -> impl Stream<Item = Result<Bytes, PayloadError>> + use<> {
    let (room, patience) = (settings.max_body, settings.body_timeout);
    stream::try_unfold((payload, room), move |(mut payload, room)| async move {
        let part = timeout(patience, payload.next()).await;
        match part.map_err(|_| PayloadError::Io(io::ErrorKind::TimedOut.into()))? {
            None => Ok(None),
            Some(part) => {
                let part = part?;
                let room = room.checked_sub(part.len()).ok_or(PayloadError::Overflow)?;
                Ok(Some((part, (payload, room))))
            }
        }
    })
}

/// What a client is told of a body that did not come whole.
pub(super) fn refusal(error: &PayloadError) -> HttpError {
    match error {
        PayloadError::Overflow => {
            HttpError::refused(ProblemKind::TooLarge, "the body is larger than this server takes")
        }
        PayloadError::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
            HttpError::refused(ProblemKind::RequestTimeout, "the body took too long to arrive")
        }
        _ => HttpError::refused(ProblemKind::BadRequest, "the body did not arrive whole"),
    }
}
