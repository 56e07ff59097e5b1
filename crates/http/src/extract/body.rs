//! Bodies in JSON.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;
use mango_contract::ProblemKind;
use mango_contract::decode::shape_error;
use mango_contract::message::PostMessageBody;
use mango_contract::sync::SyncPayload;
use mango_contract::user::{CreateUserRequest, UpdateUserRequest};
use mango_domain::FieldError;
use mango_domain::model::SyncRequest;
use mango_domain::usecases::register::NewAccount;
use mango_domain::usecases::update_user::ProfileEdit;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;

use super::{media_type, state, unsupported};
use crate::error::HttpError;

/// A command in a JSON body that may be large. 415 when it is not called `application/json`, 413 when it is too large, 400 when it
/// does not parse, 422 with the fields when they do not have the right shape or must not hold what they hold.
pub(crate) struct Json<C: Command>(pub C::Meaning);

/// What a body in JSON can tell the server to do.
pub(crate) trait Command: DeserializeOwned + 'static {
    /// What it means to a use case.
    type Meaning: Send + 'static;

    /// Checks every field.
    fn meaning(self) -> Result<Self::Meaning, mango_domain::Error>;
}

impl Command for CreateUserRequest {
    type Meaning = NewAccount;

    fn meaning(self) -> Result<NewAccount, mango_domain::Error> {
        self.into_domain()
    }
}

impl Command for UpdateUserRequest {
    type Meaning = ProfileEdit;

    fn meaning(self) -> Result<ProfileEdit, mango_domain::Error> {
        self.into_domain()
    }
}

impl Command for SyncPayload {
    type Meaning = SyncRequest;

    fn meaning(self) -> Result<SyncRequest, mango_domain::Error> {
        self.into_domain()
    }
}

/// What it means depends on the path and the headers too, so the handler finds that out.
impl Command for PostMessageBody {
    type Meaning = Self;

    fn meaning(self) -> Result<Self, mango_domain::Error> {
        Ok(self)
    }
}

impl<C: Command> FromRequest for Json<C> {
    type Error = HttpError;
    type Future = LocalBoxFuture<'static, Result<Self, HttpError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            if !is_json(&media_type(request.headers())) {
                return Err(unsupported("application/json"));
            }
            let bodies = &state(&request)?.uploads;
            let body = bodies.read(&request, payload).await?;
            let size = body.len();
            let understand = move || Ok(parse::<C>(&body)?.meaning()?);
            bodies.work(size, understand).await?.map(Self)
        })
    }
}

/// Whether a media type is JSON (RFC 6839 gives everything that is written in JSON a name in `+json`).
pub(super) fn is_json(media_type: &str) -> bool {
    media_type == "application/json" || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

/// Reads a JSON object.
pub(super) fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, HttpError> {
    if text.trim_ascii().is_empty() {
        return Err(HttpError::refused(ProblemKind::BadRequest, "the body is empty, and has to be a JSON object"));
    }
    // Serde would take an array for the fields of a struct in their order, which is nothing that anybody shall rely on.
    if !text.trim_ascii_start().starts_with(b"{") {
        serde_json::from_slice::<IgnoredAny>(text).map_err(|error| unreadable(&error))?;
        return Err(FieldError::new("", "must be an object").into());
    }
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| match error.inner().classify() {
        // What is wrong with a field is of interest only when all of it is JSON; the reader stops at the field.
        Category::Data => match serde_json::from_slice::<IgnoredAny>(text) {
            Ok(_) => shape_error(&error).into(),
            Err(error) => unreadable(&error),
        },
        Category::Syntax | Category::Eof | Category::Io => unreadable(error.inner()),
    })?;
    reader.end().map_err(|error| unreadable(&error))?;
    Ok(value)
}

fn unreadable(error: &serde_json::Error) -> HttpError {
    let place = format!("line {}, column {}", error.line(), error.column());
    HttpError::refused(ProblemKind::BadRequest, format!("the body is not JSON: {place}"))
}
