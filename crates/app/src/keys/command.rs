//! `mango keys`: what the keys are, and a new one.

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

/// Makes a new key, which signs from now on, retires the one before it, and removes those whose tokens have expired. How long tokens live is noted
/// with the keys; a longer time in the settings counts as well.
///
/// # Errors
/// [`KeyError::Set`] when the key is set by `MANGO_JWT_SECRET`; [`KeyError::Missing`] when there is no key yet: it would be made in the wrong
/// place, where this was called without the server's settings; and see the others.
pub fn rotate(settings: &Settings, random: &dyn Random, now: Timestamp) -> Result<Rotated, KeyError> {
    if settings.jwt_secret.is_some() {
        return Err(KeyError::Set);
    }
    let path = settings.key_file();
    file::edit(&path, |keys| turn(&path, keys, random, now, settings.access_ttl))
}

/// The keys after a rotation.
fn turn(
    path: &Path,
    keys: Keys,
    random: &dyn Random,
    now: Timestamp,
    access_ttl: Duration,
) -> Result<(Keys, Rotated), KeyError> {
    let Keys { current: old, mut retired } = keys;
    let secret = file::new_secret(random)?;
    let key = SigningKey::new(secret.as_bytes()).map_err(|reason| KeyError::Weak { path: path.to_owned(), reason })?;
    let until = |stored: &StoredKey, at: Timestamp| good_until(at, stored.longest(access_ttl));
    let needed = |(stored, at): &(StoredKey, Timestamp)| until(stored, *at).is_none_or(|until| now < until);
    let removed = retired.iter().filter(|key| !needed(key)).map(|(stored, _)| stored.key.id()).collect();
    retired.retain(needed);
    let rotated = Rotated { kid: key.id(), retired: old.key.id(), until: until(&old, now), removed };
    // The server goes on as it is set.
    let current = StoredKey { key, created_at: now, access_ttl: old.access_ttl };
    retired.insert(0, (old, now));
    Ok((Keys { current, retired }, rotated))
}

/// One line for each key, the one that signs first. It changes nothing, and shows no key.
///
/// # Errors
/// [`KeyError::Missing`] when there is no file, and see the others.
pub fn list(settings: &Settings, now: Timestamp) -> Result<Vec<String>, KeyError> {
    let mut lines = Vec::new();
    if let Some(key) = &settings.jwt_secret {
        lines.push(format!("{}  signs, set by MANGO_JWT_SECRET", key.id()));
    } else {
        lines.extend(in_file(&file::load(&settings.key_file())?, settings.access_ttl, now));
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
    let retired = keys.retired.iter().map(|(stored, at)| match good_until(*at, stored.longest(access_ttl)) {
        Some(until) if until <= now => line(stored, "expired, the next rotation removes it"),
        Some(until) => line(stored, &format!("checks until {}", show(until))),
        None => line(stored, "checks"),
    });
    std::iter::once(line(&keys.current, "signs")).chain(retired).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use chrono::{DateTime, TimeDelta};
    use tempfile::tempdir;

    use super::*;
    use crate::system::OsRandom;

    fn settings(folder: &Path, set: &[(&str, &str)]) -> Settings {
        let set = [&[("MANGO_DATA_DIR", folder.to_str().unwrap()), ("MANGO_ACCESS_TTL", "19m")], set].concat();
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
            (&first.key.id(), Some(minute(20))),
            "nineteen minutes, and one for the servers"
        );
        let two = rotate(19);
        assert_eq!((&two.retired, &two.removed), (&one.kid, &vec![]));
        let keys = file::load_or_create(&path, &OsRandom).unwrap();
        assert_eq!((keys.current.key.id(), keys.current.created_at), (two.kid.clone(), minute(19)));
        let retired: Vec<_> = keys.retired.iter().map(|(stored, at)| (stored.key.id(), *at)).collect();
        assert_eq!(retired, [(one.kid.clone(), minute(19)), (first.key.id(), minute(0))]);
        assert_eq!(keys.retired[1].0.created_at, first.created_at);
        assert_eq!(keys.retired[1].0.key.expose(), first.key.expose());

        let lines = list(&settings, minute(20)).unwrap();
        for (line, (kid, state)) in lines.iter().zip([
            (&two.kid, "signs"),
            (&one.kid, "checks until 2026-01-01 00:39:00 UTC"),
            (&first.key.id(), "expired, the next rotation removes it"),
        ]) {
            assert!(line.starts_with(kid) && line.ends_with(state), "{lines:?}");
        }
        assert_eq!(lines.len(), 3);
        assert_eq!(rotate(20).removed, [first.key.id()]);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no draft is left");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    /// The command is called where the settings of the server are not known.
    #[test]
    fn how_long_tokens_live_is_told_by_the_file_and_not_by_who_rotates() {
        let dir = tempdir().unwrap();
        let with_ttl = |ttl| settings(dir.path(), &[("MANGO_ACCESS_TTL", ttl)]);
        let (server, caller) = (with_ttl("2h"), with_ttl("1m"));
        let path = server.key_file();
        super::super::ring(&server, &OsRandom).unwrap();
        let first = file::load(&path).unwrap().current;
        assert_eq!(first.access_ttl, Some(Duration::from_secs(7200)));
        let rotate = |at| rotate(&caller, &OsRandom, minute(at)).unwrap();
        assert_eq!(
            (rotate(0).until, rotate(1).until),
            (Some(minute(121)), Some(minute(122))),
            "the next one inherits it"
        );
        assert!(rotate(120).removed.is_empty(), "its last token has just expired, and servers may be late");
        assert_eq!(rotate(121).removed, [first.key.id()]);

        // A server that is set to less signs no longer tokens, but checks those of before; one that is set to more says so.
        let before = fs::read_to_string(&path).unwrap();
        for (ttl, noted) in [("15m", 7200), ("2h", 7200), ("3h", 10800)] {
            super::super::ring(&with_ttl(ttl), &OsRandom).unwrap();
            let keys = file::load(&path).unwrap();
            assert_eq!(keys.current.access_ttl, Some(Duration::from_secs(noted)), "{ttl}");
            assert_eq!(fs::read_to_string(&path).unwrap() == before, noted == 7200, "{ttl}");
            assert!(keys.retired.iter().all(|(stored, _)| stored.access_ttl == first.access_ttl));
        }
        assert_eq!(rotate(200).until, Some(minute(381)));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no draft is left");
    }

    /// A file of before says nothing, and then tokens live as long as by default, or as the caller says.
    #[test]
    fn what_is_not_noted_is_the_default() {
        let dir = tempdir().unwrap();
        let caller = settings(dir.path(), &[("MANGO_ACCESS_TTL", "1m")]);
        let secret = "0123456789abcdef0123456789abcdef";
        let old = format!(
            r#"{{"keys":[{{"secret":"{secret}","created_at":"2026-01-01T00:00:00Z","retired_at":null}},
                {{"secret":"{secret}!","created_at":"2026-01-01T00:00:00Z","retired_at":"2026-01-01T00:00:00Z"}}]}}"#
        );
        for (text, gone) in [(secret, 0), (&*old, 1)] {
            fs::write(caller.key_file(), text).unwrap();
            assert!(rotate(&caller, &OsRandom, minute(15)).unwrap().removed.is_empty());
            fs::write(caller.key_file(), text).unwrap();
            let rotated = rotate(&caller, &OsRandom, minute(16)).unwrap();
            assert_eq!((rotated.until, rotated.removed.len()), (Some(minute(32)), gone));
        }
        let default = Settings::load(Vec::<(String, String)>::new(), None).unwrap().settings.access_ttl;
        let unnoted = file::load(&caller.key_file()).unwrap().current;
        assert_eq!((unnoted.access_ttl, unnoted.longest(Duration::ZERO)), (None, default));
    }

    #[test]
    fn without_a_key_nothing_is_made() {
        let dir = tempdir().unwrap();
        let settings = settings(dir.path(), &[]);
        for told in [rotate(&settings, &OsRandom, minute(0)).unwrap_err(), list(&settings, minute(0)).unwrap_err()] {
            let (told, path) = (told.to_string(), settings.key_file());
            assert!(told.contains(path.to_str().unwrap()) && told.contains("MANGO_DATA_DIR"), "{told}");
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    /// Only root can give a file away. For anybody else the owner of before is the one of afterwards in any case.
    #[cfg(unix)]
    #[test]
    fn the_file_keeps_its_owner_and_its_mode() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

        let dir = tempdir().unwrap();
        let settings = settings(dir.path(), &[]);
        let path = settings.key_file();
        file::load_or_create(&path, &OsRandom).unwrap();
        let is_root = chown(&path, Some(65_534), Some(65_533)).is_ok();
        for mode in [0o600, 0o640] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let before = fs::metadata(&path).unwrap();
            rotate(&settings, &OsRandom, minute(0)).unwrap();
            let after = fs::metadata(&path).unwrap();
            assert_ne!(before.ino(), after.ino(), "it is another file");
            assert_eq!((after.uid(), after.gid(), after.mode()), (before.uid(), before.gid(), before.mode()));
            assert_eq!(after.uid() == 65_534, is_root);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_one_and_the_keys_are_where_it_leads() {
        let (dir, elsewhere) = (tempdir().unwrap(), tempdir().unwrap());
        let settings = settings(dir.path(), &[]);
        let (path, kept) = (settings.key_file(), elsewhere.path().join("mango.key"));
        let first = file::load_or_create(&kept, &OsRandom).unwrap().current.key.id();
        std::os::unix::fs::symlink(&kept, &path).unwrap();
        let rotated = rotate(&settings, &OsRandom, minute(0)).unwrap();
        assert_eq!(rotated.retired, first);
        assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
        assert_eq!(file::load(&kept).unwrap().current.key.id(), rotated.kid);
        for folder in [&dir, &elsewhere] {
            assert_eq!(fs::read_dir(folder).unwrap().count(), 1, "no draft is left");
        }
        // The lock is where the file is, whatever name it goes by.
        fs::write(elsewhere.path().join("mango.key.new"), "").unwrap();
        let refused = rotate(&settings, &OsRandom, minute(0)).unwrap_err();
        assert!(refused.to_string().contains("mango.key.new"), "{refused}");
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
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing was made");
    }
}
