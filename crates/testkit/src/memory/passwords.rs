//! Passwords in the open, so that tests do not wait for a hash.

use async_trait::async_trait;
use mango_domain::Failure;
use mango_domain::model::{Client, Password, PasswordHash};
use mango_domain::ports::Passwords;

/// "Hashes" a password by writing `$plain$` in front of it. One with `$older$` in front is good too, and outdated.
#[derive(Debug, Default, Clone, Copy)]
pub struct PlainPasswords;

#[async_trait]
impl Passwords for PlainPasswords {
    async fn hash(&self, password: Password, _: Client) -> Result<PasswordHash, Failure> {
        Ok(PasswordHash::new(format!("$plain${}", password.expose())))
    }

    async fn verify(&self, password: Password, hash: Option<PasswordHash>, _: Client) -> Result<bool, Failure> {
        let plain = |hash: &str| hash.strip_prefix("$plain$").or(hash.strip_prefix("$older$")).map(str::to_owned);
        Ok(hash.and_then(|hash| plain(hash.expose())).is_some_and(|plain| plain == password.expose()))
    }

    fn is_outdated(&self, hash: &PasswordHash) -> bool {
        hash.expose().starts_with("$older$")
    }
}
