//! The keys that sign access tokens: the ones that are set, or those in a file of the data folder, which `mango keys` rotates.
//!
//! The file is read again every two seconds while the server runs, so that a rotation needs no restart.

mod command;
mod file;

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mango_domain::Failure;
use mango_domain::error::chain;
use mango_domain::model::Timestamp;
use mango_domain::ports::Random;
use mango_security::{KeyRing, RetiredKey, SigningKey, WeakKey};
use thiserror::Error;
use tokio::time::{MissedTickBehavior, interval};
use zeroize::Zeroizing;

use crate::config::Settings;

pub use command::{Rotated, list, rotate};
pub use file::{Keys, StoredKey, load_or_create};
pub(crate) use file::{draft, read};

/// How often a running server looks whether the file has changed.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How much longer than its tokens a retired key is good: a server signs with it until it has looked at the file again.
const SLACK: Duration = Duration::from_secs(60);

/// Why there is no key.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The file could not be read or made.
    #[error("the signing key {} cannot be read or made: {reason}; let the user that runs Mango read and write it, and nobody else", .path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said. It is in the text, and so no source as well.
        reason: io::Error,
    },
    /// The file holds no key.
    #[error("{} holds no key ({reason}); remove it to get a new one, which logs everybody out", .path.display())]
    Weak {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: WeakKey,
    },
    /// The file should hold keys and cannot be understood.
    #[error("{} holds no keys ({reason}); restore it, or remove it to get a new one, which logs everybody out", .path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it, without what it holds.
        reason: &'static str,
    },
    /// There is no file, and it is not to be made now.
    #[error(
        "there is no signing key at {}: set MANGO_DATA_DIR to the data folder of the server; its first start makes the key", .0.display()
    )]
    Missing(PathBuf),
    /// The file would change hands, and the server could not read it any more.
    #[error("{} belongs to the user with the id {owner}: call this as that user", .path.display())]
    Foreign {
        /// Which file.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// Somebody else changes the file.
    #[error("another rotation is under way, or one was cut off: if none is, remove {}", .0.display())]
    Busy(PathBuf),
    /// The keys are not Mango's to rotate.
    #[error(
        "the key is set by MANGO_JWT_SECRET: move it to MANGO_JWT_SECRET_PREVIOUS, set another one, and restart; once MANGO_ACCESS_TTL \
         has passed, the previous one can go"
    )]
    Set,
    /// There was no randomness to make a key of.
    #[error("no signing key could be made")]
    Random(#[from] Failure),
}

/// The keys to sign and to check with: `MANGO_JWT_SECRET`, or else those of the data folder, which are made if there are none; and
/// `MANGO_JWT_SECRET_PREVIOUS` to check with.
///
/// # Errors
/// See [`KeyError`].
pub fn ring(settings: &Settings, random: &dyn Random) -> Result<KeyRing, KeyError> {
    if let Some(key) = &settings.jwt_secret {
        return Ok(KeyRing::new(key, &previous(settings)));
    }
    let keys = load_or_create(&settings.key_file(), random)?;
    note_ttl(settings, &keys.current);
    let (current, retired) = split(settings, keys);
    Ok(KeyRing::new(&current, &retired))
}

/// Whether [`ring`] makes a key, since none is set and there is none in the data folder.
#[must_use]
pub fn will_make(settings: &Settings) -> bool {
    settings.jwt_secret.is_none() && !settings.key_file().exists()
}

/// Notes in the file how long tokens live, when that is longer than what is known there: whoever rotates the keys may not have the settings of
/// the server. What is noted stays with the key and goes on to the next one.
fn note_ttl(settings: &Settings, current: &StoredKey) {
    let (path, id) = (settings.key_file(), current.key.id());
    if current.longest(Duration::ZERO) >= settings.access_ttl {
        return;
    }
    let noted = file::edit(&path, |mut keys| {
        // Somebody may have rotated them meanwhile; then the file is read again, and this as well.
        if keys.current.key.id() == id {
            keys.current.access_ttl = Some(settings.access_ttl);
        }
        Ok((keys, ()))
    });
    if let Err(error) = noted {
        tracing::warn!(
            error = chain(&error),
            "how long access tokens live is not noted beside the signing key: set MANGO_ACCESS_TTL for `mango keys rotate` too"
        );
    }
}

/// Until when a key that was retired at this time is good: until the last token that it may have signed has expired.
fn good_until(retired_at: Timestamp, access_ttl: Duration) -> Option<Timestamp> {
    // A time beyond the calendar is as good as none.
    let life = chrono::TimeDelta::from_std(access_ttl.saturating_add(SLACK)).ok()?;
    retired_at.checked_add_signed(life)
}

fn previous(settings: &Settings) -> Vec<RetiredKey> {
    settings.jwt_secret_previous.iter().map(|key| RetiredKey { key: key.clone(), until: None }).collect()
}

fn split(settings: &Settings, keys: Keys) -> (SigningKey, Vec<RetiredKey>) {
    let mut retired = previous(settings);
    retired.extend(keys.retired.into_iter().map(|(stored, at)| RetiredKey {
        until: good_until(at, stored.longest(settings.access_ttl)),
        key: stored.key,
    }));
    (keys.current.key, retired)
}

/// Takes the keys of the file into a ring whenever the file has changed, for as long as it is polled. A file that is gone or cannot be
/// read leaves the keys as they are.
pub async fn follow(settings: Settings, ring: Arc<KeyRing>) {
    if settings.jwt_secret.is_some() {
        return;
    }
    let path = settings.key_file();
    let (mut seen, mut signing) = (None, None);
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let now = look(&path).await;
        if seen.as_ref() == Some(&now) {
            continue;
        }
        match &now {
            Ok(text) => match read(&path, text) {
                Ok(keys) => {
                    note_ttl(&settings, &keys.current);
                    let (current, retired) = split(&settings, keys);
                    ring.replace(&current, &retired);
                    let kid = current.id();
                    if signing.as_ref().is_some_and(|before| *before != kid) {
                        tracing::info!(kid, "took the signing keys from their file, which has changed");
                    }
                    signing = Some(kid);
                }
                Err(error) => tracing::warn!(error = chain(&error), "going on with the signing keys of before"),
            },
            Err(kind) => tracing::warn!(%kind, "the signing keys cannot be read, going on with those of before"),
        }
        seen = Some(now);
    }
}

async fn look(path: &Path) -> Result<Zeroizing<String>, ErrorKind> {
    tokio::fs::read_to_string(path).await.map(Zeroizing::new).map_err(|error| error.kind())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::tempdir;

    use super::*;
    use crate::system::OsRandom;

    fn load(folder: &Path, set: &[(&str, &str)]) -> Settings {
        let set = [&[("MANGO_DATA_DIR", folder.to_str().unwrap())], set].concat();
        let set = set.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Settings::load(set, None).unwrap().settings
    }

    fn sign(ring: KeyRing) -> String {
        use mango_domain::ports::Tokens as _;

        let claims = mango_domain::ports::AccessClaims {
            user: mango_domain::model::UserId::new(1),
            session: mango_domain::model::SessionId::new(1),
            issued_at: chrono::DateTime::UNIX_EPOCH,
            expires_at: chrono::DateTime::UNIX_EPOCH,
        };
        mango_security::JwtTokens::new(Arc::new(ring), Arc::new(OsRandom)).sign(&claims).unwrap()
    }

    #[test]
    fn what_the_file_holds_can_be_set_instead() {
        let dir = tempdir().unwrap();
        let made = sign(ring(&load(dir.path(), &[]), &OsRandom).unwrap());
        let text = fs::read_to_string(dir.path().join("jwt.key")).unwrap();
        let set = sign(ring(&load(dir.path(), &[("MANGO_JWT_SECRET", text.trim())]), &OsRandom).unwrap());
        assert_eq!(set, made);
    }

    #[test]
    fn a_retired_key_outlives_its_tokens() {
        let (then, minutes) = (chrono::DateTime::UNIX_EPOCH, |minutes: u64| Duration::from_secs(minutes * 60));
        assert_eq!(good_until(then, minutes(15)), Some(then + chrono::TimeDelta::minutes(16)));
        assert_eq!(good_until(then, Duration::MAX), None);
    }
}
