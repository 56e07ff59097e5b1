//! The one rule that names and other short texts share, and the types that keep it.

use unicode_width::UnicodeWidthChar;

use crate::FieldError;

/// Checks that a text has `min` to `max` characters (Unicode scalar values), something to see among them, and none that is a
/// control character or a separator of lines (`multiline` lets line breaks and tabs through) or that turns the direction of the text
/// around it (UAX #9, explicit formatting characters; `multiline` lets isolates through that end where they began), by which a name
/// can pass for another. Gives it back without the white space around it.
///
/// # Errors
/// A [`FieldError`] that names `field`.
pub(crate) fn bounded(field: &str, raw: &str, min: usize, max: usize, multiline: bool) -> Result<String, FieldError> {
    let text = raw.trim();
    let length = text.chars().count();
    if length < min || length > max {
        return Err(FieldError::new(field, format!("must have {min} to {max} characters, has {length}")));
    }
    let breaking = |c: char| matches!(c, '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}');
    if text.chars().any(|c| if breaking(c) { !multiline } else { c.is_control() }) {
        return Err(FieldError::new(field, "must not contain control characters"));
    }
    if turns(text, multiline) {
        return Err(FieldError::new(field, "must not contain characters that turn the direction of text"));
    }
    let visible = |c: char| !c.is_whitespace() && !blank(c) && c.width().is_some_and(|columns| columns > 0);
    if !text.chars().any(visible) {
        return Err(FieldError::new(field, "must have something to see"));
    }
    Ok(text.to_owned())
}

/// Whether a text turns the direction of what stands around it. An isolate that ends in its paragraph does not, and passes if `isolates`
/// may: embeddings and overrides reach further (UAX #9, sections 2.1 to 2.4).
fn turns(text: &str, isolates: bool) -> bool {
    let balanced = |paragraph: &str| {
        let mut open = 0_usize;
        for c in paragraph.chars() {
            match c {
                '\u{202a}'..='\u{202e}' => return false,
                '\u{2066}'..='\u{2068}' if isolates => open = open.saturating_add(1),
                '\u{2069}' if open > 0 => open = open.saturating_sub(1),
                '\u{2066}'..='\u{2069}' => return false,
                _ => {}
            }
        }
        open == 0
    };
    !text.split(['\n', '\r', '\u{2029}']).all(balanced)
}

/// Whether a character shows nothing though it has a width: the fillers of Hangul, the braille pattern without dots, the musical null
/// notehead, and noncharacters.
pub(crate) fn blank(c: char) -> bool {
    let noncharacter = matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe;
    noncharacter || matches!(c, '\u{115f}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}' | '\u{1d159}')
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
