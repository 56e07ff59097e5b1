//! The one transport-neutral error of the use cases, and the failure that a port reports when the world lets it down.

use std::fmt;
use std::time::Duration;

use thiserror::Error as ThisError;

/// What a use case answers.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a use case refused, or could not do, what it was asked. Its texts are meant for the client.
#[derive(Debug, ThisError)]
pub enum Error {
    /// Fields hold what they must not hold; at least one is named.
    #[error("some fields are not valid")]
    Invalid(Vec<FieldError>),
    /// The caller has not shown who they are.
    #[error("{0}")]
    Unauthenticated(Unauthenticated),
    /// The caller is known and may not do this.
    #[error("{0}")]
    Forbidden(&'static str),
    /// There is no such thing, or none that the caller may know of.
    #[error("there is no such {0}, or you have no access to it")]
    NotFound(&'static str),
    /// The phone belongs to another user.
    #[error("this phone is already registered")]
    PhoneTaken,
    /// The caller does this too often.
    #[error("too many requests, try again in {} s", .retry_after.as_secs_f64().ceil())]
    TooMany {
        /// When to try again.
        retry_after: Duration,
    },
    /// A port failed; the cause is for the log, not for the client.
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// Why a caller counts as nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ThisError)]
pub enum Unauthenticated {
    /// No token came with the request.
    #[error("an access token is needed")]
    Missing,
    /// The token is not one of ours, or was altered.
    #[error("the token is not valid")]
    Malformed,
    /// The token was good and is too old.
    #[error("the token has expired")]
    Expired,
    /// The session was ended by a logout, a password change or the reuse of an old refresh token.
    #[error("the session has ended, log in again")]
    Revoked,
    /// Unknown phone and wrong password alike.
    #[error("the phone or the password is wrong")]
    Credentials,
}

/// One field and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The path of the field in the request, such as `message.content`.
    pub field: String,
    /// What to do about it, for a human.
    pub message: String,
}

impl FieldError {
    /// Names a field and what is wrong with it.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

impl From<FieldError> for Error {
    fn from(error: FieldError) -> Self {
        Self::Invalid(vec![error])
    }
}

/// A port could not do its work, through no fault of the caller.
#[derive(Debug, ThisError)]
#[error("{operation}: {kind}")]
pub struct Failure {
    /// The operation that failed, such as `append message`.
    pub operation: &'static str,
    /// What the caller can expect.
    pub kind: FailureKind,
    /// The cause, for the log.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What a failed port lets its caller expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// Too much at once, or a service is away: the same call may succeed after this time.
    Busy {
        /// When to try again.
        retry_after: Duration,
    },
    /// No room is left where it would have been stored.
    StorageFull,
    /// Anything else; trying again is not expected to help.
    Broken,
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy { .. } => f.write_str("busy or away"),
            Self::StorageFull => f.write_str("no room left"),
            Self::Broken => f.write_str("failed"),
        }
    }
}

impl Failure {
    /// The operation broke for this reason.
    pub fn broken(operation: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { operation, kind: FailureKind::Broken, source: Some(source.into()) }
    }

    /// The operation can be tried again after this time.
    pub fn busy(operation: &'static str, retry_after: Duration) -> Self {
        Self { operation, kind: FailureKind::Busy { retry_after }, source: None }
    }

    /// There was no room for the result of the operation.
    pub fn storage_full(operation: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { operation, kind: FailureKind::StorageFull, source: Some(source.into()) }
    }
}

/// An error and its causes on one line, for the log. A cause that the error has told of already is not told again.
#[must_use]
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes
        .map(ToString::to_string)
        .fold(error.to_string(), |line, cause| if line.ends_with(&cause) { line } else { format!("{line}: {cause}") })
}
