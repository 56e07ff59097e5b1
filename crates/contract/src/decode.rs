//! The reading of JSON, with the path of what does not fit.

use std::fmt;
use std::marker::PhantomData;

use mango_domain::{Error, FieldError};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::Value;

/// Reads a value of any shape as a `T`.
///
/// # Errors
/// [`Error::Invalid`] with the path of the first field that is missing or has the wrong type.
pub fn decode<T: DeserializeOwned>(value: Value) -> Result<T, Error> {
    serde_path_to_error::deserialize(value).map_err(|error| shape_error(&error))
}

/// Reads JSON text as a `T`, without a tree of values in between.
///
/// # Errors
/// [`Error::Invalid`] with the path of the first field that is missing or has the wrong type.
pub fn decode_str<T: DeserializeOwned>(json: &str) -> Result<T, Error> {
    let mut reader = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| shape_error(&error))
}

/// Names the field of the request that does not have the shape it should have.
#[must_use]
pub fn shape_error<E: fmt::Display>(error: &serde_path_to_error::Error<E>) -> Error {
    let path = error.path().to_string();
    let message = error.inner().to_string();
    // A missing field is reported at its parent; its name stands between backquotes in the message.
    let missing = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
    let field = match (missing, path.as_str()) {
        (Some(name), "." | "?") => name.to_owned(),
        (Some(name), parent) => format!("{parent}.{name}"),
        (None, "." | "?") => String::new(),
        (None, path) => path.to_owned(),
    };
    let message = if missing.is_some() { "is missing".to_owned() } else { without_position(&message).to_owned() };
    FieldError::new(field, message).into()
}

/// Cuts ` at line 1 column 2` off, which says nothing to whoever built the value in a program.
fn without_position(message: &str) -> &str {
    message.rsplit_once(" at line ").map_or(message, |(text, _)| text)
}

/// Takes a struct from an object only. By itself serde also takes one from a list of its fields' values.
pub(crate) fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct Object<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map))
        }
    }

    deserializer.deserialize_map(Object(PhantomData))
}

/// Gathers what is wrong with several fields, so that a client learns of all at once.
#[derive(Default)]
pub(crate) struct Faults(Vec<FieldError>);

impl Faults {
    /// The value, or a note of what is wrong with it.
    pub fn take<T>(&mut self, parsed: Result<T, FieldError>) -> Option<T> {
        parsed.map_err(|error| self.0.push(error)).ok()
    }

    /// Like [`take`](Self::take) for a field that may be absent.
    pub fn take_option<T>(&mut self, parsed: Option<Result<T, FieldError>>) -> Option<T> {
        parsed.and_then(|parsed| self.take(parsed))
    }

    /// All that was wrong.
    pub fn into_error(self) -> Error {
        Error::Invalid(self.0)
    }

    /// Fails if anything was wrong.
    pub fn check(self) -> Result<(), Error> {
        if self.0.is_empty() { Ok(()) } else { Err(self.into_error()) }
    }
}
