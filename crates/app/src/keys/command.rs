//! `mango keys`: what the keys are, and a new one.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;

use mango_domain::model::Timestamp;
use mango_domain::ports::Random;
use mango_security::SigningKey;

use super::file::{self, Keys, StoredKey};
use super::{KeyError, good_until};
use crate::config::Settings;

/// What came of a rotation.
#[derive(Debug, PartialEq, Eq)]
pub struct Rotated {
    /// The name of the key that signs from now on.
    pub kid: String,
    /// The name of the one that signed until now.
    pub retired: String,
    /// Until when that one is good; `None` when that is beyond the calendar.
    pub until: Option<Timestamp>,
    /// The names of those that nobody needs any more, which are gone.
    pub removed: Vec<String>,
}

/// Makes a new key, which signs from now on, retires the one before it, and removes those whose tokens have expired. If there is no
/// key yet, the first one is made beforehand.
///
/// # Errors
/// [`KeyError::Set`] when the key is set by `MANGO_JWT_SECRET`, and see the others.
pub fn rotate(settings: &Settings, random: &dyn Random, now: Timestamp) -> Result<Rotated, KeyError> {
    if settings.jwt_secret.is_some() {
        return Err(KeyError::Set);
    }
    let path = settings.key_file();
    file::load_or_create(&path, random)?;
    // The draft is the lock as well: of two rotations at once one would lose the key of the other, which may have signed already.
    let draft = path.with_extension("key.new");
    let failed = |reason| KeyError::File { path: path.clone(), reason };
    let open = file::open_new(&draft).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => KeyError::Busy(draft.clone()),
        _ => failed(error),
    })?;
    let turned = turn(&path, random, now, settings.access_ttl).and_then(|(keys, rotated)| {
        let text = file::write(&keys).map_err(failed)?;
        file::fill(open, &text).and_then(|()| replace(&draft, &path)).map_err(failed)?;
        Ok(rotated)
    });
    if turned.is_err() {
        // What is wrong is told already.
        let _ = fs::remove_file(&draft);
    }
    turned
}

/// The keys after a rotation.
fn turn(path: &Path, random: &dyn Random, now: Timestamp, access_ttl: Duration) -> Result<(Keys, Rotated), KeyError> {
    let Keys { current: old, mut retired } = file::load_or_create(path, random)?;
    let secret = file::new_secret(random)?;
    let key = SigningKey::new(secret.as_bytes()).map_err(|reason| KeyError::Weak { path: path.to_owned(), reason })?;
    let needed = |at: Timestamp| good_until(at, access_ttl).is_none_or(|until| now < until);
    let removed = retired.iter().filter(|(_, at)| !needed(*at)).map(|(stored, _)| stored.key.id()).collect();
    retired.retain(|(_, at)| needed(*at));
    let rotated = Rotated { kid: key.id(), retired: old.key.id(), until: good_until(now, access_ttl), removed };
    retired.insert(0, (old, now));
    Ok((Keys { current: StoredKey { key, created_at: now }, retired }, rotated))
}

/// Puts the draft in the place of the file, in one step, and sees that this is on disk.
fn replace(draft: &Path, path: &Path) -> io::Result<()> {
    fs::rename(draft, path)?;
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// One line for each key, the one that signs first. It changes nothing, and shows no key.
///
/// # Errors
/// The file cannot be read.
pub fn list(settings: &Settings, now: Timestamp) -> Result<Vec<String>, KeyError> {
    let mut lines = Vec::new();
    if let Some(key) = &settings.jwt_secret {
        lines.push(format!("{}  signs, set by MANGO_JWT_SECRET", key.id()));
    } else {
        let path = settings.key_file();
        match fs::read_to_string(&path) {
            Ok(text) => lines.extend(in_file(&file::read(&path, &text)?, settings.access_ttl, now)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(reason) => return Err(KeyError::File { path, reason }),
        }
    }
    if let Some(key) = &settings.jwt_secret_previous {
        lines.push(format!("{}  checks, set by MANGO_JWT_SECRET_PREVIOUS", key.id()));
    }
    Ok(lines)
}

fn in_file(keys: &Keys, access_ttl: Duration, now: Timestamp) -> Vec<String> {
    let show = |time: Timestamp| time.format("%F %T UTC").to_string();
    let line =
        |stored: &StoredKey, state: &str| format!("{}  made {}, {state}", stored.key.id(), show(stored.created_at));
    let retired = keys.retired.iter().map(|(stored, at)| match good_until(*at, access_ttl) {
        Some(until) if until <= now => line(stored, "expired, the next rotation removes it"),
        Some(until) => line(stored, &format!("checks until {}", show(until))),
        None => line(stored, "checks"),
    });
    std::iter::once(line(&keys.current, "signs")).chain(retired).collect()
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};
    use tempfile::tempdir;

    use super::*;
    use crate::system::OsRandom;

    fn settings(folder: &Path, set: &[(&str, &str)]) -> Settings {
        let set = [&[("MANGO_DATA_DIR", folder.to_str().unwrap()), ("MANGO_ACCESS_TTL", "9m")], set].concat();
        let set = set.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Settings::load(set, None).unwrap().settings
    }

    fn minute(minutes: i64) -> Timestamp {
        DateTime::from_timestamp(1_767_225_600, 0).unwrap() + TimeDelta::minutes(minutes)
    }

    #[test]
    fn keys_take_turns_and_go_when_their_tokens_have_expired() {
        let dir = tempdir().unwrap();
        let settings = settings(dir.path(), &[]);
        let path = settings.key_file();
        let first = file::load_or_create(&path, &OsRandom).unwrap().current;
        let rotate = |at| rotate(&settings, &OsRandom, minute(at)).unwrap();

        let one = rotate(0);
        assert_eq!(
            (&one.retired, one.until),
            (&first.key.id(), Some(minute(10))),
            "nine minutes, and one for the servers"
        );
        let two = rotate(9);
        assert_eq!((&two.retired, &two.removed), (&one.kid, &vec![]));
        let keys = file::load_or_create(&path, &OsRandom).unwrap();
        assert_eq!((keys.current.key.id(), keys.current.created_at), (two.kid.clone(), minute(9)));
        let retired: Vec<_> = keys.retired.iter().map(|(stored, at)| (stored.key.id(), *at)).collect();
        assert_eq!(retired, [(one.kid.clone(), minute(9)), (first.key.id(), minute(0))]);
        assert_eq!(keys.retired[1].0.created_at, first.created_at);
        assert_eq!(keys.retired[1].0.key.expose(), first.key.expose());

        let lines = list(&settings, minute(10)).unwrap();
        for (line, (kid, state)) in lines.iter().zip([
            (&two.kid, "signs"),
            (&one.kid, "checks until 2026-01-01 00:19:00 UTC"),
            (&first.key.id(), "expired, the next rotation removes it"),
        ]) {
            assert!(line.starts_with(kid) && line.ends_with(state), "{lines:?}");
        }
        assert_eq!(lines.len(), 3);
        assert_eq!(rotate(10).removed, [first.key.id()]);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no draft is left");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn of_two_rotations_at_once_one_is_refused() {
        let dir = tempdir().unwrap();
        let settings = settings(dir.path(), &[]);
        let before = file::load_or_create(&settings.key_file(), &OsRandom).unwrap().current.key.id();
        let draft = dir.path().join("jwt.key.new");
        fs::write(&draft, "").unwrap();
        let refused = rotate(&settings, &OsRandom, minute(0)).unwrap_err();
        assert!(refused.to_string().contains("jwt.key.new"), "{refused}");
        assert!(draft.exists(), "it is the other one's");
        fs::remove_file(&draft).unwrap();
        assert_eq!(rotate(&settings, &OsRandom, minute(0)).unwrap().retired, before);
    }

    #[test]
    fn what_is_no_ring_is_named_and_kept() {
        let dir = tempdir().unwrap();
        let settings = settings(dir.path(), &[]);
        let secret = "0123456789abcdef0123456789abcdef";
        let entry = |retired: &str| {
            format!(r#"{{"secret":"{secret}","created_at":"2026-01-01T00:00:00Z","retired_at":{retired}}}"#)
        };
        let (signs, retired) = (entry("null"), entry(r#""2026-01-01T00:00:00Z""#));
        for keys in [
            "{".to_owned(),
            "{}".to_owned(),
            r#"{"keys":[]}"#.to_owned(),
            format!(r#"{{"keys":[{retired}]}}"#),
            format!(r#"{{"keys":[{signs},{signs}]}}"#),
        ] {
            fs::write(settings.key_file(), &keys).unwrap();
            for told in [rotate(&settings, &OsRandom, minute(0)).unwrap_err(), list(&settings, minute(0)).unwrap_err()]
            {
                let told = told.to_string();
                assert!(told.contains("jwt.key") && !told.contains(secret) && told.lines().count() == 1, "{told}");
            }
            assert_eq!(fs::read_to_string(settings.key_file()).unwrap(), keys);
        }
    }

    #[test]
    fn keys_that_are_set_are_listed_and_not_rotated() {
        let dir = tempdir().unwrap();
        let (one, other) =
            ("an open secret of more than thirty-two bytes", "another open secret of more than 32 bytes");
        let set = settings(dir.path(), &[("MANGO_JWT_SECRET", one), ("MANGO_JWT_SECRET_PREVIOUS", other)]);
        assert!(matches!(rotate(&set, &OsRandom, minute(0)), Err(KeyError::Set)));
        let lines = list(&set, minute(0)).unwrap();
        assert!(
            lines.len() == 2 && lines[0].ends_with("MANGO_JWT_SECRET") && lines[1].ends_with("_PREVIOUS"),
            "{lines:?}"
        );
        assert!(list(&settings(dir.path(), &[]), minute(0)).unwrap().is_empty(), "there is none yet");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing was made");
    }
}
