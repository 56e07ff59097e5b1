//! The reading of JSON, with the path of what does not fit.

use std::fmt;
use std::marker::PhantomData;

use mango_domain::{Error, FieldError};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::error::Category;

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
    serde_path_to_error::deserialize(&mut reader).map_err(|error| match error.inner().classify() {
        Category::Data => shape_error(&error),
        // Half a character, a number that no computer can hold.
        Category::Syntax | Category::Eof | Category::Io => FieldError::new(place(&error), "is not valid JSON").into(),
    })
}

/// Where the error is. A key that cannot be read is at fault where it stands.
fn place<E>(error: &serde_path_to_error::Error<E>) -> String {
    let path = error.path().to_string();
    path.strip_suffix(".?").unwrap_or(&path).to_owned()
}

/// Names the field of the request that does not have the shape it should have.
#[must_use]
pub fn shape_error<E: fmt::Display>(error: &serde_path_to_error::Error<E>) -> Error {
    let path = place(error);
    let message = error.inner().to_string();
    // A field that is missing, or is there twice, is reported at its parent; its name stands between backquotes in the message.
    let named = |prefix| message.strip_prefix(prefix).and_then(|rest: &str| rest.split('`').next());
    let (name, fault) = match (named("missing field `"), named("duplicate field `")) {
        (Some(name), _) => (Some(name), "is missing".to_owned()),
        (None, Some(name)) => (Some(name), "is there twice".to_owned()),
        (None, None) => (None, in_plain_words(&message)),
    };
    let field = match (name, path.as_str()) {
        (Some(name), "." | "?") => name.to_owned(),
        (Some(name), parent) => format!("{parent}.{name}"),
        (None, "." | "?") => String::new(),
        (None, path) => path.to_owned(),
    };
    FieldError::new(field, fault).into()
}

/// Says what a field must be, instead of how the reader puts it. What was sent is not repeated: it may be a secret.
fn in_plain_words(message: &str) -> String {
    const WHOLE_NUMBER: &str = "a whole number";
    // ` at line 1 column 2` says nothing to whoever built the value in a program.
    let message = message.rsplit_once(" at line ").map_or(message, |(text, _)| text);
    let expected = match message.rsplit_once(", expected ") {
        Some((_, "i64" | "u64")) => WHOLE_NUMBER,
        Some((_, "a string")) => "text",
        Some((_, "a boolean")) => "true or false",
        Some((_, "a sequence")) => "a list",
        Some((_, expected)) if !expected.starts_with("struct ") => expected,
        Some(_) => "an object",
        // How a number in a query string is refused.
        None if message.contains("integer") || message.contains("digit") || message.contains("number too") => {
            WHOLE_NUMBER
        }
        None => return message.to_owned(),
    };
    format!("must be {expected}")
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

#[cfg(test)]
mod tests {
    use mango_domain::Error;

    use super::decode_str;
    use crate::chat::CreateChatPayload;
    use crate::message::SendMessagePayload;
    use crate::sync::SyncPayload;

    fn check<T: serde::de::DeserializeOwned>(json: &str, field: &str, message: &str) {
        let Err(Error::Invalid(errors)) = decode_str::<T>(json) else { panic!("{json} was taken") };
        let told: Vec<_> = errors.iter().map(|error| (error.field.as_str(), error.message.as_str())).collect();
        assert_eq!(told, [(field, message)], "{json}");
    }

    #[test]
    fn names_the_field_and_what_it_must_be() {
        let message = |chat_id, content| format!(r#"{{"message": {{"chat_id": {chat_id}, "content": {content}}}}}"#);
        let chat = |members| format!(r#"{{"chat": {{"is_group": true, "members_array": {members}}}}}"#);
        check::<SendMessagePayload>("{}", "message", "is missing");
        check::<SendMessagePayload>(r#"{"message": 1}"#, "message", "must be an object");
        check::<SendMessagePayload>(&message("1", r#""x""#), "message.message_type", "is missing");
        check::<SendMessagePayload>(&message(r#""1""#, r#""x""#), "message.chat_id", "must be a whole number");
        check::<SendMessagePayload>(&message("1e30", r#""x""#), "message.chat_id", "must be a whole number");
        check::<SendMessagePayload>(&message("1", "[]"), "message.content", "must be text");
        check::<SendMessagePayload>(&message("1, \"chat_id\": 2", r#""x""#), "message.chat_id", "is there twice");
        check::<SendMessagePayload>(&message("1", r#""\ud800""#), "message.content", "is not valid JSON");
        check::<SyncPayload>(r#"{"chats": {"x": 1}}"#, "chats.x", "is no id of a chat");
        check::<SyncPayload>(r#"{"chats": {"1": "x"}}"#, "chats.1", "must be a whole number");
        check::<CreateChatPayload>(&chat("7"), "chat.members_array", "must be a list");
        check::<CreateChatPayload>(&chat(r#"[1, "2"]"#), "chat.members_array[1]", "must be a whole number");
        check::<CreateChatPayload>(r#"{"chat": {"is_group": 1}}"#, "chat.is_group", "must be true or false");
    }
}
