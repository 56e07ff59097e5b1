//! The hashing of passwords with Argon2id, on a bounded pool.

use std::sync::Arc;
use std::time::Instant;

use argon2::password_hash::{Error as HashError, PasswordHasher, PasswordVerifier, phc};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Params, Version};
use async_trait::async_trait;
use mango_domain::Failure;
use mango_domain::model::{Password, PasswordHash};
use mango_domain::ports::{Passwords, Random};

use crate::pool::{Pool, PoolSize};

/// OWASP's configuration of 19 MiB, two passes and one lane:
/// <https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#argon2id>.
/// The second recommendation of RFC 9106 (64 MiB, three passes, four lanes) does five times the work, and with it a small server
/// would be slow to let people in. Stored hashes carry their own parameters, so that these may be raised later: each password is hashed
/// with the new ones at its next login.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Bytes of a salt and of a hash, as RFC 9106 recommends them.
const SALT: usize = 16;
const OUTPUT: usize = 32;

const HASH: &str = "hash password";
const VERIFY: &str = "verify password";

/// Passwords hashed with Argon2id and kept as PHC strings.
pub struct Argon2Passwords {
    argon2: Argon2<'static>,
    random: Arc<dyn Random>,
    /// What a password is compared with when there is no hash: the hash of random bytes that nobody knows.
    nobodys: PasswordHash,
    pool: Pool,
}

impl Argon2Passwords {
    /// Sets up a pool of this size; salts come from `random`. It computes one hash, so it takes as long as a login.
    ///
    /// # Errors
    /// When there is no randomness or no memory for a hash.
    pub fn new(size: PoolSize, random: Arc<dyn Random>) -> Result<Self, Failure> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(OUTPUT)).map_err(|e| Failure::broken(HASH, e))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let mut nobodys_password = [0; OUTPUT];
        random.fill(&mut nobodys_password)?;
        let nobodys = hash(&argon2, &nobodys_password, &new_salt(&*random)?)?;
        Ok(Self { argon2, random, nobodys, pool: Pool::new(size) })
    }
}

#[async_trait]
impl Passwords for Argon2Passwords {
    async fn hash(&self, password: Password) -> Result<PasswordHash, Failure> {
        let argon2 = self.argon2.clone();
        let salt = new_salt(&*self.random)?;
        self.pool.run(HASH, move || hash(&argon2, password.expose().as_bytes(), &salt)).await
    }

    async fn verify(&self, password: Password, hash: Option<PasswordHash>) -> Result<bool, Failure> {
        let argon2 = self.argon2.clone();
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobodys.clone());
        let matches = self.pool.run(VERIFY, move || verify(&argon2, password.expose().as_bytes(), &hash)).await?;
        Ok(matches && known)
    }

    fn is_outdated(&self, hash: &PasswordHash) -> bool {
        let todays = |hash: &PasswordHash| {
            let hash = phc::PasswordHash::new(hash.expose()).ok()?;
            let params = Params::try_from(&hash).ok()?;
            let same = hash.algorithm == ARGON2ID_IDENT
                && hash.version == Some(Version::V0x13.into())
                && params == *self.argon2.params()
                && hash.salt?.len() == SALT;
            Some(same)
        };
        todays(hash) != Some(true)
    }
}

fn new_salt(random: &dyn Random) -> Result<[u8; SALT], Failure> {
    let mut salt = [0; SALT];
    random.fill(&mut salt)?;
    Ok(salt)
}

fn hash(argon2: &Argon2<'_>, password: &[u8], salt: &[u8]) -> Result<PasswordHash, Failure> {
    let hash = timed(|| argon2.hash_password_with_salt(password, salt)).map_err(|e| Failure::broken(HASH, e))?;
    Ok(PasswordHash::new(hash.to_string()))
}

fn verify(argon2: &Argon2<'_>, password: &[u8], hash: &PasswordHash) -> Result<bool, Failure> {
    let hash = phc::PasswordHash::new(hash.expose()).map_err(|e| Failure::broken(VERIFY, e))?;
    match timed(|| argon2.verify_password(password, &hash)) {
        Ok(()) => Ok(true),
        Err(HashError::PasswordInvalid) => Ok(false),
        Err(e) => Err(Failure::broken(VERIFY, e)),
    }
}

/// Runs a hash and records how long it took.
fn timed<T>(work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    metrics::histogram!("mango_password_hash_duration_seconds").record(start.elapsed());
    result
}
