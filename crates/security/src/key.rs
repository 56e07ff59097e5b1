//! The key that signs access tokens.

use std::fmt::{self, Write as _};

use sha2::{Digest, Sha256};
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

    /// The name by which a token says that this key signed it (`kid`). It follows from the secret, so that a key has the same name on every
    /// server and wherever it is kept, and it tells no more about the secret than any signature does.
    #[must_use]
    pub fn id(&self) -> String {
        let digest = Sha256::new().chain_update(b"mango signing key\0").chain_update(self.expose()).finalize();
        digest.iter().take(8).fold(String::new(), |mut id, byte| {
            // Writing to a string cannot fail.
            let _ = write!(id, "{byte:02x}");
            id
        })
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
    fn a_key_has_a_name_of_its_own() {
        let id = |byte| SigningKey::new(vec![byte; 32]).unwrap().id();
        assert_eq!((id(7).len(), id(7)), (16, id(7)));
        assert_ne!(id(7), id(8));
    }

    #[test]
    fn a_key_does_not_show() {
        let key = SigningKey::new(*b"an open secret of thirty-two chars").unwrap();
        assert_eq!(format!("{key:?}"), "SigningKey(…)");
    }
}
