//! The key that signs access tokens.

use std::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

/// A secret of at least 256 bits. It does not show in debug output and is wiped from memory when dropped.
#[derive(Clone)]
pub struct SigningKey(Zeroizing<Vec<u8>>);

impl SigningKey {
    /// Fewest bytes of a key: RFC 7518, section 3.2, asks for as many as the hash has, and SHA-256 has 32.
    pub const MIN: usize = 32;

    /// Takes a secret.
    ///
    /// # Errors
    /// [`WeakKey`] when it has fewer than [`SigningKey::MIN`] bytes.
    pub fn new(secret: impl Into<Vec<u8>>) -> Result<Self, WeakKey> {
        let secret = Zeroizing::new(secret.into());
        if secret.len() < Self::MIN { Err(WeakKey) } else { Ok(Self(secret)) }
    }

    /// The secret. Never log it.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

/// A secret is too short to sign with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a signing key needs at least {} bytes", SigningKey::MIN)]
pub struct WeakKey;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_at_least_32_bytes() {
        assert!(SigningKey::new(vec![7; 31]).is_err());
        assert_eq!(SigningKey::new(vec![7; 32]).unwrap().expose(), [7; 32]);
    }

    #[test]
    fn a_key_does_not_show() {
        let key = SigningKey::new(*b"an open secret of thirty-two chars").unwrap();
        assert_eq!(format!("{key:?}"), "SigningKey(…)");
    }
}
