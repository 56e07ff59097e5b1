//! The hashing of passwords.

use async_trait::async_trait;

use crate::Failure;
use crate::model::{Client, Password, PasswordHash};

/// Hashes passwords slowly, off the event loops, a bounded number at a time. Those that wait for their turn share the places with each other by
/// whom it is done for: a call for somebody who has taken their share of the line fails as [busy](crate::FailureKind::Busy).
#[async_trait]
pub trait Passwords: Send + Sync {
    /// Hashes a password with a new salt.
    async fn hash(&self, password: Password, by: Client) -> Result<PasswordHash, Failure>;

    /// Whether the password is the hashed one. Without a hash it does the same work on a hash of nobody's and answers false,
    /// so that the time taken does not tell whether a phone is known.
    async fn verify(&self, password: Password, hash: Option<PasswordHash>, by: Client) -> Result<bool, Failure>;

    /// Whether a password that has this hash would be hashed otherwise today, with other parameters or by another algorithm. It
    /// does no hashing itself.
    fn is_outdated(&self, hash: &PasswordHash) -> bool;
}
