//! The one rule that names and other short texts share.

use crate::FieldError;

/// Checks that a text has `min` to `max` characters (Unicode scalar values) and none that is a control character
/// (`multiline` lets line breaks and tabs through), and gives it back without the white space around it.
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
    if text.chars().any(forbidden) {
        return Err(FieldError::new(field, "must not contain control characters"));
    }
    Ok(text.to_owned())
}
