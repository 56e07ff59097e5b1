//! Passwords in the open, so that tests do not wait for a hash.

use async_trait::async_trait;
use mango_domain::Failure;
use mango_domain::model::{Password, PasswordHash};
use mango_domain::ports::Passwords;

/// "Hashes" a password by writing `$plain$` in front of it.
#[derive(Debug, Default, Clone, Copy)]
pub struct PlainPasswords;

#[async_trait]
impl Passwords for PlainPasswords {
    async fn hash(&self, password: Password) -> Result<PasswordHash, Failure> {
        Ok(PasswordHash::new(format!("$plain${}", password.expose())))
    }

    async fn verify(&self, password: Password, hash: Option<PasswordHash>) -> Result<bool, Failure> {
        Ok(hash.is_some_and(|hash| hash.expose().strip_prefix("$plain$") == Some(password.expose())))
    }
}
