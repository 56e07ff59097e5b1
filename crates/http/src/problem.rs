//! Problems as responses.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use mango_contract::{Problem, ProblemKind};

/// The media type of a problem.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// The response that tells of a problem.
#[must_use]
pub fn respond(problem: &Problem) -> HttpResponse {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    response.insert_header((header::CONTENT_TYPE, MEDIA_TYPE));
    if status == StatusCode::UNAUTHORIZED {
        response.insert_header((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
    }
    if status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
        // RFC 9110, section 15.5.16: no body is taken compressed.
        response.insert_header((header::ACCEPT_ENCODING, HeaderValue::from_static("identity")));
    }
    if let Some(milliseconds) = problem.retry_after_ms {
        response.insert_header((header::RETRY_AFTER, milliseconds.div_ceil(1000).max(1)));
    }
    response.json(problem)
}

/// The problem that a bare status stands for.
#[must_use]
pub fn of_status(status: StatusCode) -> Problem {
    let code = status.as_u16();
    let reason = status.canonical_reason().unwrap_or("The request failed");
    match ProblemKind::ALL.iter().find(|kind| kind.status() == code) {
        Some(kind) => Problem::new(*kind, kind.title()),
        // RFC 9457, section 4.2.1: a problem that says no more than its status does.
        None => Problem {
            kind: "about:blank".to_owned(),
            title: reason.to_owned(),
            status: code,
            detail: reason.to_owned(),
            errors: Vec::new(),
            retry_after_ms: None,
        },
    }
}
