//! Request ids: a client or proxy gives one, or it is made here.

use actix_web::http::header::HeaderName;

/// The header that carries a request id in both directions.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static(NAME);
/// Its name.
pub(crate) const NAME: &str = "x-request-id";

/// Most characters of a request id that is taken from outside.
const MAX: usize = 64;

/// The id that came along when it is fit for a log: at most 64 characters of those that ids are made of, none of which means anything to a
/// reader of the log, be it text or JSON, or to whoever pastes it into a shell. Otherwise a random one.
pub(crate) fn of(given: Option<&[u8]>) -> String {
    let given = given.filter(|id| is_sane(id));
    given.and_then(|id| std::str::from_utf8(id).ok()).map_or_else(random, str::to_owned)
}

fn is_sane(id: &[u8]) -> bool {
    (1..=MAX).contains(&id.len()) && id.iter().all(is_plain)
}

/// Letters, digits, and the signs of UUIDs, of base64 in both alphabets, and of the trace ids of proxies.
fn is_plain(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._:/+=".contains(byte)
}

/// An id only tells requests apart, so a system without randomness gets ids that tell nothing rather than errors.
fn random() -> String {
    let mut id = [0; 16];
    let _ = getrandom::fill(&mut id);
    format!("{:032x}", u128::from_be_bytes(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(given: &[u8], taken: bool) {
        let id = of(Some(given));
        assert_eq!(id.as_bytes() == given, taken, "{given:?}");
        assert!(is_sane(id.as_bytes()));
    }

    #[test]
    fn only_sane_ids_are_taken() {
        check(b"7", true);
        check(b"01J-abc_DEF.9/x", true);
        check(b"Root=1-67891233-abcdef012345678912345678", true);
        check(b"0af7651916cd43dd8448eb211c80319c:b7ad6b7169203331:0:1", true);
        check(b"q83vEjRWeJA+/w==", true);
        check(&[b'a'; 64], true);
        check(&[b'a'; 65], false);
        check(b"", false);
        check(b"two words", false);
        check(b"tab\there", false);
        check("naïve".as_bytes(), false);
        for sign in b"\n\r\0\x1b\x7f\"'`\\{}[]()<>|&;$%#!?*,@^~" {
            check(&[b'a', *sign, b'b'], false);
        }
    }

    #[test]
    fn made_ids_differ() {
        assert_ne!(of(None), of(None));
    }
}
