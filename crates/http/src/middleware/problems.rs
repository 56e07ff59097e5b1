//! Problems in place of errors that are none yet: those of libraries, and of unknown paths.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse};

use crate::error::HttpError;
use crate::problem;

/// Makes a problem of every error that does not speak JSON. Errors that do are left alone: they are problems already, or those of
/// Engine.IO, which has a form of its own.
pub(crate) async fn problems(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let response = match next.call(request).await {
        Ok(response) => response.map_into_boxed_body(),
        Err(error) if error.as_error::<HttpError>().is_some() => return Err(error),
        Err(error) => {
            let status = error.as_response_error().status_code();
            return Err(HttpError::Refused(problem::of_status(status)).into());
        }
    };
    let failed = response.status().is_client_error() || response.status().is_server_error();
    if !failed || speaks_json(response.headers()) {
        return Ok(response);
    }
    let (request, bare) = response.into_parts();
    Ok(ServiceResponse::new(request, spelled_out(bare)))
}

fn speaks_json(headers: &HeaderMap) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    media_type.is_some_and(|media_type| media_type.split(';').next().is_some_and(|name| name.trim().ends_with("json")))
}

/// The same with a problem for a body; its other headers stay.
fn spelled_out(bare: HttpResponse) -> HttpResponse {
    let mut response = problem::respond(&problem::of_status(bare.status()));
    for (name, value) in bare.headers() {
        if ![header::CONTENT_TYPE, header::CONTENT_LENGTH, header::CONTENT_ENCODING].contains(name) {
            response.headers_mut().append(name.clone(), value.clone());
        }
    }
    response
}
