//! The one rule that names and other short texts share, and the types that keep it.

use unicode_width::UnicodeWidthChar;

use crate::FieldError;

/// Checks that a text has `min` to `max` characters (Unicode scalar values), something to see among them, and none that is a
/// control character (`multiline` lets line breaks and tabs through) or that turns the direction of the text around it (UAX #9,
/// explicit formatting characters), by which a name can pass for another. Gives it back without the white space around it.
///
/// # Errors
/// A [`FieldError`] that names `field`.
pub(crate) fn bounded(field: &str, raw: &str, min: usize, max: usize, multiline: bool) -> Result<String, FieldError> {
    let text = raw.trim();
    let length = text.chars().count();
    if length < min || length > max {
        return Err(FieldError::new(field, format!("must have {min} to {max} characters, has {length}")));
    }
    let forbidden = |c: char| c.is_control() && !(multiline && matches!(c, '\n' | '\r' | '\t'));
    let turning = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if text.chars().any(|c| forbidden(c) || turning(c)) {
        return Err(FieldError::new(field, "must not contain control characters"));
    }
    let visible = |c: char| !c.is_whitespace() && c.width().is_some_and(|columns| columns > 0);
    if !text.chars().any(visible) {
        return Err(FieldError::new(field, "must have something to see"));
    }
    Ok(text.to_owned())
}

/// Defines the type of a text that is [`bounded`].
macro_rules! bounded_text {
    ($(#[$doc:meta])* $name:ident { field: $field:literal, max: $max:literal, multiline: $multiline:literal }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            /// Checks it.
            ///
            /// # Errors
            #[doc = concat!("A [`FieldError`](crate::FieldError) on `", $field, "`.")]
            pub fn parse(raw: &str) -> Result<Self, $crate::FieldError> {
                $crate::model::text::bounded($field, raw, 1, $max, $multiline).map(Self)
            }

            /// Takes what the store holds.
            #[must_use]
            pub fn from_store(text: String) -> Self {
                Self(text)
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}

pub(crate) use bounded_text;
