//! The signing key: the one that is set, or a random one that is made once and kept in the data folder.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use mango_domain::Failure;
use mango_domain::ports::Random;
use mango_security::{SigningKey, WeakKey};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::config::Settings;

/// Why there is no key.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The file could not be read or made.
    #[error("the signing key {} cannot be read or made: {source}", .path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file holds no key.
    #[error("{} holds no key ({source}); remove it to get a new one, which logs everybody out", .path.display())]
    Weak {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: WeakKey,
    },
    /// There was no randomness to make a key of.
    #[error("no signing key could be made: {0}")]
    Random(#[from] Failure),
}

/// The key to sign with: `MANGO_JWT_SECRET`, or else the one in the data folder, which is made if there is none.
///
/// # Errors
/// See [`KeyError`].
pub fn signing_key(settings: &Settings, random: &dyn Random) -> Result<SigningKey, KeyError> {
    match &settings.jwt_secret {
        Some(key) => Ok(key.clone()),
        None => load_or_create(&settings.key_file(), random),
    }
}

/// Reads the key in a file. If there is none, makes one of 256 random bits, which only the owner of the file can read. Of several
/// processes that do so at once all get the same key. What the file holds can be used as `MANGO_JWT_SECRET`.
///
/// # Errors
/// See [`KeyError`].
pub fn load_or_create(path: &Path, random: &dyn Random) -> Result<SigningKey, KeyError> {
    let failed = |source| KeyError::File { path: path.to_owned(), source };
    let text = match fs::read_to_string(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => {
            let key = new_key(random)?;
            create(path, &key, random).map_err(failed)?;
            // Another process may have been first; its key counts.
            fs::read_to_string(path)
        }
        read => read,
    };
    let text = Zeroizing::new(text.map_err(failed)?);
    warn_if_readable_by_others(path);
    SigningKey::new(text.trim()).map_err(|source| KeyError::Weak { path: path.to_owned(), source })
}

/// 256 random bits in hexadecimal.
fn new_key(random: &dyn Random) -> Result<Zeroizing<String>, Failure> {
    let mut bits = Zeroizing::new([0_u8; 32]);
    random.fill(&mut *bits)?;
    Ok(Zeroizing::new(hex(&*bits)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Puts a key in place unless there is one. The file appears under its name in one step and whole: it is written under another
/// name first, and a link, unlike a renaming, never replaces what is there.
fn create(path: &Path, key: &str, random: &dyn Random) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        crate::folders::make(folder)?;
    }
    let mut suffix = [0; 8];
    random.fill(&mut suffix).map_err(io::Error::other)?;
    let draft = path.with_extension(format!("{}.{}", std::process::id(), hex(&suffix)));
    let placed = write_new(&draft, key).and_then(|()| match fs::hard_link(&draft, path) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    fs::remove_file(&draft)?;
    placed
}

fn write_new(path: &Path, key: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file: File = options.open(path)?;
    writeln!(file, "{key}")?;
    file.sync_all()
}

#[cfg(unix)]
fn warn_if_readable_by_others(path: &Path) {
    use std::os::unix::fs::PermissionsExt;

    let shared = fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0);
    if shared {
        tracing::warn!(path = %path.display(), "other users of this machine can read the signing key; chmod 600 it");
    }
}

#[cfg(not(unix))]
fn warn_if_readable_by_others(_: &Path) {}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use tempfile::tempdir;

    use super::*;
    use crate::system::OsRandom;

    #[test]
    fn a_key_is_made_once() {
        let dir = tempdir().unwrap();
        let path = dir.path().join("data").join("jwt.key");
        let made = load_or_create(&path, &OsRandom).unwrap();
        assert_eq!(made.expose().len(), 64);
        assert_eq!(load_or_create(&path, &OsRandom).unwrap().expose(), made.expose());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no draft is left");
        let other = load_or_create(&dir.path().join("other.key"), &OsRandom).unwrap();
        assert_ne!(other.expose(), made.expose());
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_can_read_it() {
        use std::os::unix::fs::PermissionsExt;

        let dir = tempdir().unwrap();
        let path = dir.path().join("jwt.key");
        load_or_create(&path, &OsRandom).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn who_starts_at_once_gets_the_same_key() {
        for _ in 0..50 {
            let dir = tempdir().unwrap();
            let path = dir.path().join("jwt.key");
            let start = Barrier::new(8);
            let keys: Vec<_> = std::thread::scope(|scope| {
                let load = || {
                    start.wait();
                    load_or_create(&path, &OsRandom).unwrap().expose().to_vec()
                };
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(load)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert!(keys.iter().all(|key| *key == keys[0]));
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no draft is left");
        }
    }

    #[test]
    fn a_file_without_a_key_is_named_and_kept() {
        let dir = tempdir().unwrap();
        let path = dir.path().join("jwt.key");
        for text in ["", "\n", "too short\n"] {
            fs::write(&path, text).unwrap();
            let error = load_or_create(&path, &OsRandom).unwrap_err().to_string();
            assert!(error.contains("jwt.key") && error.contains("32 bytes") && error.lines().count() == 1, "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_a_failure() {
        let dir = tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let error = load_or_create(&file.join("jwt.key"), &OsRandom).unwrap_err();
        assert!(matches!(error, KeyError::File { .. }), "{error}");
    }

    #[test]
    fn what_the_file_holds_can_be_set_instead() {
        let dir = tempdir().unwrap();
        let load = |secret: &str| {
            let set = [("MANGO_DATA_DIR", dir.path().to_str().unwrap()), ("MANGO_JWT_SECRET", secret)];
            let set = set.map(|(name, value)| (name.to_owned(), value.to_owned()));
            Settings::load(set, None).unwrap().settings
        };
        let made = signing_key(&load(""), &OsRandom).unwrap();
        let text = fs::read_to_string(load("").key_file()).unwrap();
        let set = signing_key(&load(text.trim()), &OsRandom).unwrap();
        assert_eq!(set.expose(), made.expose());
    }
}
