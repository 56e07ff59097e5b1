//! What handlers take: requests read into values, or refused with a problem.

mod body;
mod caller;
mod login;
mod path;
mod picture;
mod query;
mod refresh;

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{HttpRequest, web};
use bytes::Bytes;
use mango_contract::ProblemKind;

pub(crate) use body::Json;
pub(crate) use caller::Caller;
pub(crate) use login::Login;
pub(crate) use path::Id;
pub(crate) use picture::Picture;
pub use picture::read_picture;
pub(crate) use query::Query;
pub(crate) use refresh::{COOKIE, Presented};

use crate::HttpState;
use crate::error::HttpError;

/// What the application was made with.
pub(crate) type State = web::Data<HttpState>;

/// The state, for an extractor.
fn state(request: &HttpRequest) -> Result<State, HttpError> {
    // It is always there: `app` puts it.
    let missing = || HttpError::refused(ProblemKind::Internal, "the application has no state");
    request.app_data::<State>().cloned().ok_or_else(missing)
}

/// Reads the body of a login or of a call that asks for new tokens.
async fn read(request: &HttpRequest, payload: Payload) -> Result<Bytes, HttpError> {
    Ok(state(request)?.calls.read(request, payload).await?)
}

/// The media type of the body in lower case, without parameters; empty when none is given.
fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The refusal of a body that is not of the type it should be.
fn unsupported(expected: &str) -> HttpError {
    HttpError::refused(ProblemKind::UnsupportedMediaType, format!("the body must be {expected}"))
}
