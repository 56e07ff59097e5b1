//! What Mango is, apart from how it is reached and where it is kept: entities and value types ([`model`]), the interfaces
//! it asks of the outside ([`ports`]), what can be done with it ([`usecases`]) and how that can fail ([`error`]).
//!
//! Nothing here knows a framework, a database, a socket or a file.

pub mod error;
pub mod model;
pub mod ports;
pub mod usecases;

pub use error::{Error, Failure, FailureKind, FieldError, Result};
