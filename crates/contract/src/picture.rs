//! Pictures as text.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use mango_domain::FieldError;

/// Padding may be there or not: encoders differ.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Reads base64 (RFC 4648 section 4), with or without a `data:` prefix (RFC 2397). Line breaks, which MIME encoders add, are
/// passed over. The media type of the prefix is not believed: what the bytes are is seen from the bytes.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, FieldError> {
    let refused = || FieldError::new("photo", "must be base64 of a JPEG, PNG, WebP or GIF, with or without `data:`");
    let encoded = match text.trim().strip_prefix("data:") {
        Some(uri) => match uri.split_once(',') {
            Some((kind, data)) if kind.ends_with(";base64") => data,
            _ => return Err(refused()),
        },
        None => text.trim(),
    };
    let decoded = if encoded.contains(['\r', '\n']) {
        BASE64.decode(encoded.replace(['\r', '\n'], ""))
    } else {
        BASE64.decode(encoded)
    };
    decoded.map_err(|_| refused())
}

/// Writes base64 without a prefix.
pub(crate) fn encode(picture: &[u8]) -> String {
    BASE64.encode(picture)
}
