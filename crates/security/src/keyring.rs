//! The keys of access tokens: one that signs, and those that signed before and are good until their tokens have expired.

use std::sync::{Arc, PoisonError, RwLock};

use jsonwebtoken::{DecodingKey, EncodingKey};
use mango_domain::model::Timestamp;

use crate::SigningKey;

/// A key that signs no more.
#[derive(Debug, Clone)]
pub struct RetiredKey {
    /// The key.
    pub key: SigningKey,
    /// Until when tokens that it signed are taken; `None` for as long as it is in the ring.
    pub until: Option<Timestamp>,
}

/// The keys of a server. They can be replaced while it runs.
pub struct KeyRing {
    keys: RwLock<Arc<Keys>>,
}

/// The keys at one moment.
pub(crate) struct Keys {
    /// The name of the key that signs.
    pub id: String,
    pub sign: EncodingKey,
    check: Vec<Check>,
}

struct Check {
    id: String,
    key: DecodingKey,
    until: Option<Timestamp>,
}

impl KeyRing {
    /// Signs with one key, and also takes tokens of the others.
    #[must_use]
    pub fn new(current: &SigningKey, retired: &[RetiredKey]) -> Self {
        Self { keys: RwLock::new(Arc::new(Keys::new(current, retired))) }
    }

    /// Goes on with these keys instead.
    pub fn replace(&self, current: &SigningKey, retired: &[RetiredKey]) {
        let keys = Arc::new(Keys::new(current, retired));
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    /// The keys as they are now.
    pub(crate) fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Keys {
    fn new(current: &SigningKey, retired: &[RetiredKey]) -> Self {
        let check =
            |key: &SigningKey, until| Check { id: key.id(), key: DecodingKey::from_secret(key.expose()), until };
        let retired = retired.iter().map(|retired| check(&retired.key, retired.until));
        Self {
            id: current.id(),
            sign: EncodingKey::from_secret(current.expose()),
            check: std::iter::once(check(current, None)).chain(retired).collect(),
        }
    }

    /// The keys that a token may have been signed with: the one that it names, if that is good at this time. A token that names none is
    /// from before keys had names, and may be of any.
    pub fn candidates<'a>(&'a self, id: Option<&'a str>, now: Timestamp) -> impl Iterator<Item = &'a DecodingKey> {
        let good =
            move |check: &&Check| check.until.is_none_or(|until| now < until) && id.is_none_or(|id| id == check.id);
        self.check.iter().filter(good).map(|check| &check.key)
    }
}
