//! Queries, and forms, which are written alike.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use mango_contract::decode::shape_error;
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use crate::error::HttpError;

/// The query of the URL; 422 with the parameter that does not fit. Parameters that nobody knows are passed over.
pub(crate) struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = HttpError;
    type Future = Ready<Result<Self, HttpError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(parse(request.query_string().as_bytes()).map(Self))
    }
}

/// Reads `key=value&…`.
pub(super) fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, HttpError> {
    let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(text));
    serde_path_to_error::deserialize(pairs).map_err(|error| shape_error(&error).into())
}
