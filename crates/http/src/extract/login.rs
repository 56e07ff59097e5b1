//! Phone and password.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;
use mango_contract::auth::LoginRequest;

use super::{body, media_type, query, read, unsupported};
use crate::error::HttpError;

/// Phone and password as a form, which is what OAuth 2.0 clients such as Swagger UI send, or as JSON.
pub(crate) struct Login(pub LoginRequest);

impl FromRequest for Login {
    type Error = HttpError;
    type Future = LocalBoxFuture<'static, Result<Self, HttpError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let media_type = media_type(request.headers());
            if media_type == "application/x-www-form-urlencoded" {
                query::parse(&read(&request, payload).await?).map(Self)
            } else if body::is_json(&media_type) {
                body::parse(&read(&request, payload).await?).map(Self)
            } else {
                Err(unsupported("application/x-www-form-urlencoded or application/json"))
            }
        })
    }
}
