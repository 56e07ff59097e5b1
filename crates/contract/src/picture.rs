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

/// Reads base64 (RFC 4648 section 4), with or without a `data:` prefix (RFC 2397), which may be written in any case. White space, such as
/// the line breaks of MIME encoders, is passed over. The media type of the prefix is not believed: what the bytes are is seen
/// from the bytes.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, FieldError> {
    let refused = || FieldError::new("photo", "must be base64 of a JPEG, PNG, WebP or GIF, with or without `data:`");
    let encoded = match text.trim().split_once(',') {
        Some((prefix, data)) => {
            let prefix = prefix.to_ascii_lowercase();
            if !prefix.starts_with("data:") || !prefix.ends_with(";base64") {
                return Err(refused());
            }
            data
        }
        None => text,
    };
    let decoded = if encoded.contains(|c: char| c.is_ascii_whitespace()) {
        BASE64.decode(encoded.split_ascii_whitespace().collect::<String>())
    } else {
        BASE64.decode(encoded)
    };
    decoded.map_err(|_| refused())
}

/// Writes base64 without a prefix.
pub(crate) fn encode(picture: &[u8]) -> String {
    BASE64.encode(picture)
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn takes_base64_however_it_is_wrapped() {
        let forms = [
            "AQID/w==",
            "AQID/w",
            " AQ\r\nID /w==\n",
            "data:image/png;base64,AQID/w==",
            "DATA:image/png;name=a;BASE64, AQID/w==",
        ];
        for form in forms {
            assert_eq!(decode(form).unwrap(), [1, 2, 3, 255], "{form}");
        }
    }

    #[test]
    fn refuses_what_is_no_base64() {
        for form in ["AQID_w==", "data:image/png,AQID", "data:image/png;base64", "image/png;base64,AQID", "A", "é"] {
            assert_eq!(decode(form).unwrap_err().field, "photo", "{form}");
        }
    }
}
