//! Slashes at the end of paths.

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use mango_contract::ProblemKind;

use crate::error::HttpError;

/// Refuses to delete at a path that has a slash at its end. To everything else the slash does not matter, but behind it an id may be
/// missing, and then the path without it names all that there is: `/auth/sessions/` with no id is not to end all sessions.
pub(crate) async fn slashes(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if request.method() == Method::DELETE && request.path().ends_with('/') {
        let detail = "nothing is deleted at a path with a slash at its end: is an id missing behind it?";
        let refusal = HttpError::refused(ProblemKind::NotFound, detail);
        return Ok(ServiceResponse::from_err(refusal, request.into_parts().0));
    }
    next.call(request).await.map(ServiceResponse::map_into_boxed_body)
}
