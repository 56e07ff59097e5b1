//! Uploaded pictures.

use actix_multipart::{Multipart, MultipartError};
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures_util::TryStreamExt as _;
use futures_util::future::LocalBoxFuture;
use mango_contract::ProblemKind;
use mango_domain::FieldError;

use super::{media_type, state, unsupported};
use crate::Bodies;
use crate::error::HttpError;

/// The name of the field.
const FIELD: &str = "image";

/// The bytes of the field `image` of a `multipart/form-data` body (RFC 7578). Other fields are passed over.
pub(crate) struct Picture(pub Vec<u8>);

impl FromRequest for Picture {
    type Error = HttpError;
    type Future = LocalBoxFuture<'static, Result<Self, HttpError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            if media_type(request.headers()) != "multipart/form-data" {
                return Err(unsupported("multipart/form-data"));
            }
            let bodies = &state(&request)?.uploads;
            let parts = Multipart::new(request.headers(), bodies.parts(&request, payload)?);
            let picture = read_picture(parts).await.map_err(|error| refusal(bodies, &error))?;
            picture.map(Self).ok_or_else(|| FieldError::new(FIELD, "is missing").into())
        })
    }
}

/// The bytes of the first field `image` of a form, if there is one. What the body has no limit for, this has none for either.
///
/// # Errors
/// When the body is not `multipart/form-data`, or cannot be read to its end.
pub async fn read_picture(mut parts: Multipart) -> Result<Option<Vec<u8>>, MultipartError> {
    let mut picture = None;
    while let Some(mut part) = parts.try_next().await? {
        let wanted = picture.is_none() && part.name() == Some(FIELD);
        let mut bytes = Vec::new();
        while let Some(chunk) = part.try_next().await? {
            if wanted {
                bytes.extend_from_slice(&chunk);
            }
        }
        if wanted {
            picture = Some(bytes);
        }
    }
    Ok(picture)
}

fn refusal(bodies: &Bodies, error: &MultipartError) -> HttpError {
    match error {
        MultipartError::Payload(error) => bodies.refusal(error).into(),
        error => HttpError::refused(ProblemKind::BadRequest, format!("the body is not multipart/form-data: {error}")),
    }
}
