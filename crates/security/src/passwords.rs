//! The hashing of passwords with Argon2id, on a bounded pool.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use argon2::password_hash::{Error as HashError, phc};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version};
use async_trait::async_trait;
use mango_domain::Failure;
use mango_domain::model::{Client, Password, PasswordHash};
use mango_domain::ports::{Passwords, Random};
use tokio::runtime::Handle;

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
    hasher: Arc<Hasher>,
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
        let hasher = Arc::new(Hasher { params, memory: Mutex::default() });
        let mut nobodys_password = [0; OUTPUT];
        random.fill(&mut nobodys_password)?;
        let nobodys = hasher.hash(&nobodys_password, &new_salt(&*random)?)?;
        Ok(Self { hasher, random, nobodys, pool: Pool::new(size) })
    }

    /// Hashes on the threads of this runtime for blocking work, rather than on those of each caller's runtime.
    #[must_use]
    pub fn on(self, runtime: Handle) -> Self {
        Self { pool: self.pool.on(runtime), ..self }
    }
}

#[async_trait]
impl Passwords for Argon2Passwords {
    async fn hash(&self, password: Password, by: Client) -> Result<PasswordHash, Failure> {
        let hasher = Arc::clone(&self.hasher);
        let salt = new_salt(&*self.random)?;
        self.pool.run(HASH, by, move || hasher.hash(password.expose().as_bytes(), &salt)).await
    }

    async fn verify(&self, password: Password, hash: Option<PasswordHash>, by: Client) -> Result<bool, Failure> {
        let hasher = Arc::clone(&self.hasher);
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobodys.clone());
        let matches = self.pool.run(VERIFY, by, move || hasher.verify(password.expose().as_bytes(), &hash)).await?;
        Ok(matches && known)
    }

    fn is_outdated(&self, hash: &PasswordHash) -> bool {
        let todays = |hash: &PasswordHash| {
            let hash = phc::PasswordHash::new(hash.expose()).ok()?;
            let params = Params::try_from(&hash).ok()?;
            let same = hash.algorithm == ARGON2ID_IDENT
                && hash.version == Some(Version::V0x13.into())
                && params == self.hasher.params
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

/// The function itself, with the memory that it needs.
struct Hasher {
    params: Params,
    /// The memory of hashes that are done, for the next ones: never more than run at once. Memory that is given back after each hash is kept
    /// by the allocator, once for each thread that ever hashed, until a server that somebody guesses passwords at has none left.
    memory: Mutex<Vec<Vec<Block>>>,
}

impl Hasher {
    fn hash(&self, password: &[u8], salt: &[u8]) -> Result<PasswordHash, Failure> {
        let broken = |error: HashError| Failure::broken(HASH, error);
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone());
        let output = self.digest(&argon2, password, salt, OUTPUT).map_err(broken)?;
        let hash = phc::PasswordHash {
            algorithm: ARGON2ID_IDENT,
            version: Some(Version::V0x13.into()),
            params: phc::ParamsString::try_from(&self.params).map_err(broken)?,
            salt: Some(phc::Salt::new(salt).map_err(|e| Failure::broken(HASH, e))?),
            hash: Some(output),
        };
        Ok(PasswordHash::new(hash.to_string()))
    }

    /// Compares under the parameters of the hash. The comparison takes as long wherever the first difference is: that of `Output` sees
    /// to it.
    fn verify(&self, password: &[u8], hash: &PasswordHash) -> Result<bool, Failure> {
        let broken = |error: HashError| Failure::broken(VERIFY, error);
        let hash = phc::PasswordHash::new(hash.expose()).map_err(|e| Failure::broken(VERIFY, e))?;
        let (Some(salt), Some(expected)) = (&hash.salt, &hash.hash) else {
            return Err(broken(HashError::PasswordInvalid));
        };
        let algorithm = Algorithm::try_from(hash.algorithm.as_str()).map_err(broken)?;
        let version = hash
            .version
            .map_or(Ok(Version::default()), |version| Version::try_from(version).map_err(|e| broken(e.into())))?;
        let argon2 = Argon2::new(algorithm, version, Params::try_from(&hash).map_err(broken)?);
        Ok(self.digest(&argon2, password, salt, expected.len()).map_err(broken)? == *expected)
    }

    fn digest(
        &self,
        argon2: &Argon2<'_>,
        password: &[u8],
        salt: &[u8],
        length: usize,
    ) -> Result<phc::Output, HashError> {
        let mut memory = self.free().pop().unwrap_or_default();
        memory.resize(argon2.params().block_count(), Block::new());
        let mut output = [0; phc::Output::MAX_LENGTH];
        let output = output.get_mut(..length).ok_or(HashError::OutputSize)?;
        let hashed = timed(|| argon2.hash_password_into_with_memory(password, salt, output, &mut memory));
        self.free().push(memory);
        hashed?;
        phc::Output::new(output).map_err(|_| HashError::OutputSize)
    }

    fn free(&self) -> std::sync::MutexGuard<'_, Vec<Vec<Block>>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a hash and records how long it took.
fn timed<T>(work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    metrics::histogram!("mango_password_hash_duration_seconds").record(start.elapsed());
    result
}
