//! What a handler fails with, and what the log says of it.

use std::fmt;
use std::time::Instant;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use mango_contract::{Problem, ProblemKind};
use mango_domain::error::{Unauthenticated, chain};
use mango_domain::{Error, FailureKind, FieldError};

use crate::problem;
use crate::seldom::Seldom;

/// The challenge to somebody whose token is not good.
const INVALID_TOKEN: &str = "Bearer error=\"invalid_token\"";

/// What a handler fails with. It becomes a problem; failures of the server are logged with the request.
#[derive(Debug)]
pub(crate) enum HttpError {
    /// A use case refused or failed.
    Domain(Error),
    /// The request is not fit for any use case.
    Refused(Problem),
    /// Code panicked; the text is for the log.
    Crashed(String),
}

impl HttpError {
    /// A refusal of this kind.
    pub fn refused(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self::Refused(Problem::new(kind, detail))
    }

    /// What the client is told.
    pub fn problem(&self) -> Problem {
        match self {
            Self::Domain(error) => Problem::from(error),
            Self::Refused(problem) => problem.clone(),
            Self::Crashed(_) => Problem::new(ProblemKind::Internal, "the server could not do this"),
        }
    }

    /// Whether a token came and is not good. Who sent none, or a password, is told of no token (RFC 6750, section 3.1).
    fn is_about_a_token(&self) -> bool {
        let Self::Domain(Error::Unauthenticated(reason)) = self else { return false };
        match reason {
            Unauthenticated::Malformed | Unauthenticated::Expired | Unauthenticated::Revoked => true,
            Unauthenticated::Missing | Unauthenticated::Credentials => false,
        }
    }

    /// Tells the log of what is the server's fault. It is called once, where the request is logged. What there is no time or room for is told of once
    /// a second: whoever takes it all could fill the log otherwise.
    pub fn log(&self) {
        match self {
            Self::Domain(Error::Failed(failure)) => {
                static BUSY: Seldom = Seldom::new();
                static FULL: Seldom = Seldom::new();
                let error = || chain(failure);
                match failure.kind {
                    FailureKind::Busy { .. } => {
                        if let Some(requests) = BUSY.count(Instant::now()) {
                            tracing::warn!(error = error(), requests, "busy");
                        }
                    }
                    FailureKind::StorageFull => {
                        if let Some(requests) = FULL.count(Instant::now()) {
                            tracing::error!(error = error(), requests, "no room left");
                        }
                    }
                    FailureKind::Broken => tracing::error!(error = error(), "a request failed"),
                }
            }
            Self::Crashed(panic) => tracing::error!(%panic, "a handler panicked"),
            Self::Domain(_) | Self::Refused(_) => {}
        }
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem().detail)
    }
}

impl ResponseError for HttpError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.problem().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = problem::respond(&self.problem());
        if self.is_about_a_token() {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(INVALID_TOKEN));
        }
        response
    }
}

impl From<Error> for HttpError {
    fn from(error: Error) -> Self {
        Self::Domain(error)
    }
}

impl From<FieldError> for HttpError {
    fn from(error: FieldError) -> Self {
        Self::Domain(error.into())
    }
}

impl From<Problem> for HttpError {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem)
    }
}
