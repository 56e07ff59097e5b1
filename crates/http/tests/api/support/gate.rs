//! A hasher that waits to be let on, so that a test can act while a request is under way.

use async_trait::async_trait;
use mango_domain::Failure;
use mango_domain::model::{Client, Password, PasswordHash};
use mango_domain::ports::Passwords;
use mango_testkit::memory::PlainPasswords;
use tokio::sync::Semaphore;

/// Hashes like [`PlainPasswords`] once it is open.
pub struct Gate {
    entered: Semaphore,
    open: Semaphore,
}

impl Default for Gate {
    fn default() -> Self {
        Self { entered: Semaphore::new(0), open: Semaphore::new(0) }
    }
}

impl Gate {
    /// Waits until somebody waits at the gate.
    pub async fn entered(&self) {
        self.entered.acquire().await.unwrap().forget();
    }

    /// Lets one through.
    pub fn open(&self) {
        self.open.add_permits(1);
    }
}

#[async_trait]
impl Passwords for Gate {
    async fn hash(&self, password: Password, by: Client) -> Result<PasswordHash, Failure> {
        self.entered.add_permits(1);
        self.open.acquire().await.unwrap().forget();
        PlainPasswords.hash(password, by).await
    }

    async fn verify(&self, password: Password, hash: Option<PasswordHash>, by: Client) -> Result<bool, Failure> {
        PlainPasswords.verify(password, hash, by).await
    }

    fn is_outdated(&self, hash: &PasswordHash) -> bool {
        PlainPasswords.is_outdated(hash)
    }
}
