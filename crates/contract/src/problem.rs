//! Problem details (RFC 9457), the one shape of every error, and the one place where errors get their statuses.

use std::time::Duration;

use mango_domain::error::Unauthenticated;
use mango_domain::{Error, FailureKind, FieldError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What went wrong, as RFC 9457 has it. Over HTTP its media type is `application/problem+json`; over Socket.IO it is the
/// `error` of an acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "type": "urn:mango:problem:validation", "title": "Some fields are not valid", "status": 422,
    "detail": "some fields are not valid", "errors": [{"field": "name", "message": "must have 1 to 255 characters, has 0"}]
}))]
pub struct Problem {
    /// A stable name for the kind of problem: compare this one.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem in words, the same each time.
    pub title: String,
    /// The HTTP status code.
    pub status: u16,
    /// What went wrong this time, for a human.
    pub detail: String,
    /// The fields at fault; empty when no field is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
    /// When the same request may succeed, in milliseconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// One field and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldProblem {
    /// The path of the field, such as `message.content`.
    pub field: String,
    /// What to do about it, for a human.
    pub message: String,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $status:literal, $name:literal, $title:literal;)*) => {
        /// Every kind of problem there is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ProblemKind {
            $($(#[$doc])* $variant,)*
        }

        impl ProblemKind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The HTTP status code.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status),* }
            }

            /// The `type`.
            #[must_use]
            pub const fn uri(self) -> &'static str {
                match self { $(Self::$variant => concat!("urn:mango:problem:", $name)),* }
            }

            /// The `title`.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),* }
            }
        }
    };
}

kinds! {
    /// The request cannot be read at all, such as JSON that does not parse.
    BadRequest = 400, "bad-request", "The request cannot be read";
    /// No token came along, or none of ours.
    Unauthenticated = 401, "unauthenticated", "A valid token is needed";
    /// The access token was good and is too old: refresh it.
    TokenExpired = 401, "token-expired", "The access token has expired";
    /// The session was ended: log in again.
    SessionEnded = 401, "session-ended", "The session has ended";
    /// Unknown phone or wrong password.
    WrongCredentials = 401, "wrong-credentials", "The phone or the password is wrong";
    /// Known, and not allowed.
    Forbidden = 403, "forbidden", "This is not allowed";
    /// Not there, or not for the caller to know of.
    NotFound = 404, "not-found", "There is no such thing";
    /// The path is right and the method is not.
    MethodNotAllowed = 405, "method-not-allowed", "The method is not allowed here";
    /// The request took too long to arrive.
    RequestTimeout = 408, "request-timeout", "The request took too long to arrive";
    /// The phone belongs to somebody else.
    PhoneTaken = 409, "phone-taken", "The phone is already registered";
    /// What was asked for only if it is unchanged has changed.
    PreconditionFailed = 412, "precondition-failed", "A precondition is not met";
    /// The body is larger than is allowed.
    TooLarge = 413, "too-large", "The body is too large";
    /// The body is of a type that is not taken here.
    UnsupportedMediaType = 415, "unsupported-media-type", "The media type is not supported";
    /// The part of the file that is asked for is not in it.
    RangeNotSatisfiable = 416, "range-not-satisfiable", "The range is not in the file";
    /// The request can be read and fields hold what they must not hold.
    Validation = 422, "validation", "Some fields are not valid";
    /// Done too often: try again.
    TooMany = 429, "too-many-requests", "Too many requests";
    /// The server is at fault.
    Internal = 500, "internal", "Something went wrong on the server";
    /// Too busy, or the database is away: try again.
    Unavailable = 503, "unavailable", "The server is busy";
    /// No room left to store what was sent.
    StorageFull = 507, "storage-full", "The server has no room left";
}

impl Problem {
    /// A problem of a kind, with what went wrong this time.
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self {
            kind: kind.uri().to_owned(),
            title: kind.title().to_owned(),
            status: kind.status(),
            detail: detail.into(),
            errors: Vec::new(),
            retry_after_ms: None,
        }
    }

    /// A 422 that names the fields.
    #[must_use]
    pub fn validation(errors: Vec<FieldError>) -> Self {
        let errors = errors.into_iter().map(|FieldError { field, message }| FieldProblem { field, message }).collect();
        Self { errors, ..Self::new(ProblemKind::Validation, "some fields are not valid") }
    }

    /// A 429 that says what there is too much of, and when to try again.
    pub fn too_many(detail: impl Into<String>, retry_after: Duration) -> Self {
        Self { retry_after_ms: Some(milliseconds(retry_after)), ..Self::new(ProblemKind::TooMany, detail) }
    }

    /// A 503 that says when to try again.
    #[must_use]
    pub fn unavailable(retry_after: Duration) -> Self {
        let problem = Self::new(ProblemKind::Unavailable, "the server cannot do this right now, try again shortly");
        Self { retry_after_ms: Some(milliseconds(retry_after)), ..problem }
    }
}

/// Whole milliseconds that are not too few.
fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// What the client is told of an error. The causes of a failure stay in the log.
impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        let kind = match error {
            Error::Invalid(errors) => return Self::validation(errors.clone()),
            Error::Unauthenticated(Unauthenticated::Missing | Unauthenticated::Malformed) => {
                ProblemKind::Unauthenticated
            }
            Error::Unauthenticated(Unauthenticated::Expired) => ProblemKind::TokenExpired,
            Error::Unauthenticated(Unauthenticated::Revoked) => ProblemKind::SessionEnded,
            Error::Unauthenticated(Unauthenticated::Credentials) => ProblemKind::WrongCredentials,
            Error::Forbidden(_) => ProblemKind::Forbidden,
            Error::NotFound(_) => ProblemKind::NotFound,
            Error::PhoneTaken => ProblemKind::PhoneTaken,
            Error::TooMany { retry_after } => {
                return Self::too_many(error.to_string(), *retry_after);
            }
            Error::Failed(failure) => {
                return match failure.kind {
                    FailureKind::Busy { retry_after } => Self::unavailable(retry_after),
                    FailureKind::StorageFull => {
                        Self::new(ProblemKind::StorageFull, "the server has no room left, nothing was stored")
                    }
                    FailureKind::Broken => Self::new(ProblemKind::Internal, "the server could not do this"),
                };
            }
        };
        Self::new(kind, error.to_string())
    }
}
