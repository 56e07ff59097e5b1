//! The file of the signing keys, `jwt.key` in the data folder. It holds either one secret and nothing else, as it is made at the first start, or the JSON
//! that a rotation leaves: every key with when it was made, when it was retired, and how long its tokens live when that is longer than by default.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use mango_domain::Failure;
use mango_domain::model::{Timestamp, time};
use mango_domain::ports::Random;
use mango_security::SigningKey;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::KeyError;

/// The keys in a file.
#[derive(Debug)]
pub struct Keys {
    /// The one that signs.
    pub current: StoredKey,
    /// Those that signed before, each with when it was retired, the latest first.
    pub retired: Vec<(StoredKey, Timestamp)>,
}

/// A key and when it was made.
#[derive(Debug)]
pub struct StoredKey {
    /// The key.
    pub key: SigningKey,
    /// When it was made.
    pub created_at: Timestamp,
    /// How long the tokens live that it may have signed, as far as a server has noted it.
    pub access_ttl: Option<Duration>,
}

impl StoredKey {
    /// How long the tokens live at most that it has signed, or will sign under a server with this setting. What nobody has noted is the default:
    /// a server that is set to more notes it.
    #[must_use]
    pub fn longest(&self, access_ttl: Duration) -> Duration {
        self.access_ttl.unwrap_or(UNNOTED).max(access_ttl)
    }
}

/// How long tokens live where the file says nothing: the default of `MANGO_ACCESS_TTL`.
const UNNOTED: Duration = Duration::from_secs(15 * 60);

#[derive(Serialize, Deserialize)]
struct Document {
    keys: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    secret: String,
    created_at: Timestamp,
    retired_at: Option<Timestamp>,
    /// In seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    access_ttl: Option<u64>,
}

/// Reads the keys in a file. If there is none, makes one of 256 random bits, which only the owner of the file can read. Of several
/// processes that do so at once all get the same key. As long as nothing was rotated or noted, what the file holds can be used as `MANGO_JWT_SECRET`.
///
/// # Errors
/// See [`KeyError`].
pub fn load_or_create(path: &Path, random: &dyn Random) -> Result<Keys, KeyError> {
    let failed = |reason| KeyError::File { path: path.to_owned(), reason };
    let text = match fs::read_to_string(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => {
            let key = new_secret(random)?;
            create(path, &key, random).map_err(failed)?;
            // Another process may have been first; its key counts.
            fs::read_to_string(path)
        }
        read => read,
    };
    let text = Zeroizing::new(text.map_err(failed)?);
    warn_if_readable_by_others(path);
    read(path, &text)
}

/// Reads the keys in a file, and makes none.
///
/// # Errors
/// [`KeyError::Missing`] when there is no file, and see the others.
pub(super) fn load(path: &Path) -> Result<Keys, KeyError> {
    match fs::read_to_string(path).map(Zeroizing::new) {
        Ok(text) => read(path, &text),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(KeyError::Missing(std::path::absolute(path).unwrap_or_else(|_| path.to_owned())))
        }
        Err(reason) => Err(KeyError::File { path: path.to_owned(), reason }),
    }
}

/// Changes the keys in a file, which is replaced in one step by one that belongs to the same user. A link stays one, and the file is replaced that
/// it leads to: whoever keeps the key elsewhere would otherwise go on with a copy of before.
///
/// # Errors
/// [`KeyError::Missing`] when there is no file; [`KeyError::Busy`] when somebody else changes it; [`KeyError::Foreign`] when it is somebody
/// else's to change; and see the others.
pub(super) fn edit<T>(path: &Path, change: impl FnOnce(Keys) -> Result<(Keys, T), KeyError>) -> Result<T, KeyError> {
    let failed = |reason| KeyError::File { path: path.to_owned(), reason };
    // Before anything is made.
    load(path)?;
    let path = &*path.canonicalize().map_err(failed)?;
    let failed = |reason| KeyError::File { path: path.to_owned(), reason };
    // The draft is the lock as well: of two changes at once one would lose the key of the other, which may have signed already.
    let draft = draft(path);
    let file = open_new(&draft).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => KeyError::Busy(draft.clone()),
        _ => failed(error),
    })?;
    let edited = load(path).and_then(change).and_then(|(keys, told)| {
        hand_over(&file, path)?;
        let text = write(&keys).map_err(failed)?;
        fill(file, &text).and_then(|()| replace(&draft, path)).map_err(failed)?;
        Ok(told)
    });
    if edited.is_err() {
        // What is wrong is told already.
        let _ = fs::remove_file(&draft);
    }
    edited
}

/// Where the next keys are written before they take the place of those in a file, or of the file that a link leads to.
pub(crate) fn draft(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned()).with_extension("key.new")
}

/// Puts the draft in the place of the file, in one step, and sees that this is on disk.
fn replace(draft: &Path, path: &Path) -> io::Result<()> {
    fs::rename(draft, path)?;
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Gives the draft the owner, the group and the mode of the file that it is to replace: whoever calls a command as root must not take the key
/// away from the server.
#[cfg(unix)]
fn hand_over(draft: &File, path: &Path) -> Result<(), KeyError> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};

    let failed = |reason| KeyError::File { path: path.to_owned(), reason };
    let (old, new) = (fs::metadata(path).map_err(failed)?, draft.metadata().map_err(failed)?);
    let is_same = (old.uid(), old.gid()) == (new.uid(), new.gid());
    if !is_same && fchown(draft, Some(old.uid()), Some(old.gid())).is_err() {
        // A group that may do nothing with the file does not matter.
        let needs_group = old.gid() != new.gid() && old.mode() & 0o070 != 0;
        if old.uid() != new.uid() || needs_group {
            return Err(KeyError::Foreign { path: path.to_owned(), owner: old.uid() });
        }
    }
    draft.set_permissions(fs::Permissions::from_mode(old.mode() & 0o777)).map_err(failed)
}

#[cfg(not(unix))]
fn hand_over(_: &File, _: &Path) -> Result<(), KeyError> {
    Ok(())
}

/// Understands what a file holds.
pub(crate) fn read(path: &Path, text: &str) -> Result<Keys, KeyError> {
    let key =
        |secret: String| SigningKey::new(secret).map_err(|reason| KeyError::Weak { path: path.to_owned(), reason });
    if !text.trim_start().starts_with('{') {
        // Nobody noted when it was made; the file was not written since.
        let written = fs::metadata(path).and_then(|metadata| metadata.modified()).map(|at| time::to_micros(at.into()));
        let created_at = written.unwrap_or_default();
        let current = StoredKey { key: key(text.trim().to_owned())?, created_at, access_ttl: None };
        return Ok(Keys { current, retired: Vec::new() });
    }
    let unreadable = |reason| KeyError::Unreadable { path: path.to_owned(), reason };
    // What the parser says may quote the file.
    let document: Document = serde_json::from_str(text).map_err(|_| unreadable("it is not as a rotation leaves it"))?;
    let (mut current, mut retired) = (None, Vec::new());
    for Entry { secret, created_at, retired_at, access_ttl } in document.keys {
        let access_ttl = access_ttl.map(Duration::from_secs);
        let stored = StoredKey { key: key(secret)?, created_at, access_ttl };
        match retired_at {
            Some(at) => retired.push((stored, at)),
            None if current.is_none() => current = Some(stored),
            None => return Err(unreadable("two of them sign")),
        }
    }
    Ok(Keys { current: current.ok_or_else(|| unreadable("none of them signs"))?, retired })
}

/// What a file with these keys holds.
fn write(keys: &Keys) -> io::Result<Zeroizing<String>> {
    let entry = |stored: &StoredKey, retired_at| {
        let secret = String::from_utf8(stored.key.expose().to_vec()).map_err(io::Error::other)?;
        // A part of a second more does no harm, one less would.
        let access_ttl = stored.access_ttl.map(|ttl| ttl.as_secs().saturating_add(u64::from(ttl.subsec_nanos() > 0)));
        Ok(Entry { secret, created_at: stored.created_at, retired_at, access_ttl })
    };
    let current = entry(&keys.current, None);
    let retired = keys.retired.iter().map(|(stored, at)| entry(stored, Some(*at)));
    let keys = std::iter::once(current).chain(retired).collect::<io::Result<Vec<_>>>()?;
    Ok(Zeroizing::new(serde_json::to_string_pretty(&Document { keys })?))
}

/// 256 random bits in hexadecimal.
pub(super) fn new_secret(random: &dyn Random) -> Result<Zeroizing<String>, Failure> {
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
    let placed = open_new(&draft).and_then(|file| fill(file, key)).and_then(|()| match fs::hard_link(&draft, path) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    fs::remove_file(&draft)?;
    placed
}

/// Makes a file that was not there and that its owner alone can read.
fn open_new(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn fill(mut file: File, text: &str) -> io::Result<()> {
    writeln!(file, "{text}")?;
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
        assert_eq!(made.current.key.expose().len(), 64);
        assert_eq!(load_or_create(&path, &OsRandom).unwrap().current.key.expose(), made.current.key.expose());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no draft is left");
        let other = load_or_create(&dir.path().join("other.key"), &OsRandom).unwrap();
        assert_ne!(other.current.key.expose(), made.current.key.expose());
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
                    load_or_create(&path, &OsRandom).unwrap().current.key.expose().to_vec()
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
}
