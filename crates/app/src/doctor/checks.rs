//! The checks. None of them makes or changes anything that stays.

use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use mango_domain::error::chain;
use mango_domain::ports::Clock;
use mango_persistence::{Database, DatabaseUrl, MigrationStatus};

use crate::config::{self, Settings};
use crate::descriptors::Allotment;
use crate::system::SystemClock;
use crate::{access, descriptors, probe, wiring};

use super::keys;
use super::report::Finding;

type Named = (&'static str, Finding);

/// Below this much free space somebody should be told.
const LITTLE_SPACE: u64 = 1 << 30;
/// Below this much free space photos and messages are about to be refused.
const NO_SPACE: u64 = 16 << 20;
/// Clocks this far apart are worth a word; access tokens are good for minutes.
const APART: TimeDelta = TimeDelta::seconds(5);
/// Clocks this far apart make nodes disagree about which tokens are good.
const FAR_APART: TimeDelta = TimeDelta::seconds(60);
/// When this was written. A clock before it was never set.
const PAST: DateTime<Utc> = match DateTime::from_timestamp(1_767_225_600, 0) {
    Some(past) => past,
    None => DateTime::<Utc>::UNIX_EPOCH,
};

/// Makes the checks, in the order in which a start would fail.
pub(super) async fn all(settings: &Settings) -> Vec<Named> {
    let Examined { findings: of_database, in_use } = database(settings).await;
    let mut findings = vec![
        ("port", port(settings)),
        ("data folder", folder(&settings.data_dir)),
        ("media folder", media(settings, in_use)),
        ("free space", free_space(&settings.data_dir)),
        ("open files", open_files(descriptors::hard_limit(), settings.database_pool.get())),
    ];
    findings.extend(keys::all(settings, in_use).into_iter().map(|finding| ("signing key", finding)));
    findings.extend(of_database);
    findings
}

fn port(settings: &Settings) -> Finding {
    let address = settings.bind;
    match TcpListener::bind(address) {
        Ok(_) => Finding::ok(format!("{address} is free")),
        Err(error) if error.kind() == ErrorKind::AddrInUse && probe::is_mango(address) => {
            Finding::ok(format!("Mango answers on {address}, so that no other can be started there"))
        }
        Err(error) if error.kind() == ErrorKind::AddrInUse => Finding::fail(
            format!("{address} is in use by another program"),
            "stop that program, or set MANGO_BIND to another address or port",
        ),
        Err(error) => {
            Finding::fail(format!("{address} cannot be listened on: {error}"), access::address_remedy(address, &error))
        }
    }
}

/// Whether files can be made in a folder; or, when it is not there yet, in the one that it would be made in.
fn folder(path: &Path) -> Finding {
    let Some(there) = existing(path) else {
        return Finding::fail(format!("{} is nowhere", path.display()), "set MANGO_DATA_DIR to a folder");
    };
    let shown = path.display();
    match tempfile::tempfile_in(there) {
        Ok(_) if there == path => Finding::ok(format!("{shown} can be written")),
        Ok(_) => Finding::ok(format!("{shown} is not there yet, it is made at the first start")),
        Err(error) => Finding::fail(
            format!("nothing can be written in {}: {error}", there.display()),
            "let the user that runs Mango write there, or set MANGO_DATA_DIR to another folder",
        ),
    }
}

/// Photos are beside the database from the first start on, which is before anybody signs up.
fn media(settings: &Settings, in_use: bool) -> Finding {
    let path = settings.media_dir();
    if !path.exists() && in_use {
        return Finding::warn(
            format!("{} is missing though there are users: no photo can be shown", path.display()),
            "restore it from the backup that the database is from",
        );
    }
    folder(&path)
}

/// The folder itself, or the nearest above it that exists.
fn existing(path: &Path) -> Option<&Path> {
    let here = Path::new(".");
    path.ancestors().map(|path| if path.as_os_str().is_empty() { here } else { path }).find(|path| path.exists())
}

#[cfg(unix)]
fn free_space(path: &Path) -> Finding {
    let space = existing(path).unwrap_or(path);
    match rustix::fs::statvfs(space) {
        Ok(status) => judge_space(status.f_bavail.saturating_mul(status.f_frsize)),
        Err(error) => Finding::warn(format!("cannot be told: {error}"), "look at it with df"),
    }
}

#[cfg(not(unix))]
fn free_space(_: &Path) -> Finding {
    Finding::ok("is not looked at on this system")
}

#[cfg_attr(not(unix), expect(dead_code, reason = "the space cannot be told there"))]
fn judge_space(bytes: u64) -> Finding {
    let text = format!("{} MiB", bytes >> 20);
    match bytes {
        ..NO_SPACE => Finding::fail(text, "make room on the disk of MANGO_DATA_DIR"),
        NO_SPACE..LITTLE_SPACE => Finding::warn(text, "make room on the disk of MANGO_DATA_DIR soon"),
        LITTLE_SPACE.. => Finding::ok(text),
    }
}

/// Every socket takes one.
fn open_files(limit: Option<u64>, database: usize) -> Finding {
    let Allotment { connections, photos } = Allotment::of(limit, database);
    let of_those = format!("{connections} connections and {photos} photos that are being read among them");
    match limit {
        None => Finding::ok("as many as there is memory for"),
        Some(limit) if limit < descriptors::FEW => Finding::warn(
            format!("only {limit} may be open at once, {of_those}"),
            "raise the hard limit: LimitNOFILE= of systemd, ulimits of a container, or ulimit -Hn",
        ),
        Some(limit) => Finding::ok(format!("{limit} may be open at once, {of_those}")),
    }
}

/// A file of settings that holds a secret is its owner's alone; `None` when there is nothing to say.
pub(super) fn dotenv(path: &Path) -> Option<Finding> {
    let told = readable_by_others(path) && config::holds_secret(path);
    let shown = path.display();
    let text = format!("{shown} holds a secret, and other users of this machine can read it");
    told.then(|| Finding::warn(text, format!("chmod 600 {shown}")))
}

#[cfg(unix)]
pub(super) fn readable_by_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;

    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
pub(super) fn readable_by_others(_: &Path) -> bool {
    false
}

/// What there is to say of a database.
struct Examined {
    findings: Vec<Named>,
    /// Whether somebody has signed up there.
    in_use: bool,
}

impl Examined {
    /// What is to say of one that cannot be asked.
    fn unasked(finding: Finding) -> Self {
        let findings = vec![("database", finding), ("clock", clock(SystemClock.now(), None))];
        Self { findings, in_use: false }
    }
}

async fn database(settings: &Settings) -> Examined {
    let url = &settings.database;
    // To open a file that is not there would make it.
    if url.file().is_some_and(|file| !file.exists()) {
        return Examined::unasked(Finding::ok(format!("{url} is not there yet, it is made at the first start")));
    }
    let remedy = access::database_remedy(settings);
    let database = match Database::connect(url, wiring::database_options(settings)).await {
        Ok(database) => database,
        Err(error) => return Examined::unasked(Finding::fail_for(error.to_string(), &remedy)),
    };
    let (before, facts, after) = (SystemClock.now(), database.facts().await, SystemClock.now());
    let (answering, theirs) = match facts {
        Ok(facts) => {
            let kind = if url.file().is_some() { "SQLite" } else { "PostgreSQL" };
            let text = format!("{url} answers, {kind} {}", facts.version);
            let finding = match facts.may_create {
                true => Finding::ok(text),
                false => Finding::fail(
                    format!("{text}, but its user may not create tables"),
                    "make it the owner of the database: ALTER DATABASE name OWNER TO user",
                ),
            };
            (finding, Some(facts.now))
        }
        Err(failure) => (Finding::fail(chain(&failure), remedy.clone()), None),
    };
    let migrations = match database.migration_status().await {
        Ok(status) => migrations(&status, url),
        Err(failure) => Finding::fail(chain(&failure), remedy),
    };
    // Before the first migration nobody has.
    let in_use = database.has_users().await.unwrap_or(false);
    database.close().await;
    let ours = before + (after - before) / 2;
    let theirs = theirs.filter(|_| url.file().is_none());
    let findings = vec![("database", answering), ("migrations", migrations), ("clock", clock(ours, theirs))];
    Examined { findings, in_use }
}

fn migrations(status: &MigrationStatus, url: &DatabaseUrl) -> Finding {
    let MigrationStatus { applied, pending, unknown } = status;
    if !unknown.is_empty() {
        return Finding::fail(
            format!("{url} has {}, which this version of Mango does not know", unknown.join(", ")),
            "run the newer version that was here before, or restore a backup from before it",
        );
    }
    match pending.len() {
        0 => Finding::ok(format!("all {} are applied", applied.len())),
        count => Finding::warn(
            format!("{count} of {} are not applied yet", applied.len() + count),
            "the next start applies them, or `mango migrate`; make a backup first",
        ),
    }
}

/// Looks at this machine's clock, and at how far it is from the database's if that has one of its own.
fn clock(ours: DateTime<Utc>, theirs: Option<DateTime<Utc>>) -> Finding {
    let remedy = "set the clock, and keep it right with NTP";
    if ours < PAST {
        return Finding::fail(format!("it is {} here, which is past", ours.format("%F")), remedy);
    }
    let Some(theirs) = theirs else { return Finding::ok(ours.format("it is %F %T UTC").to_string()) };
    let apart = (ours - theirs).abs();
    let difference = apart.to_std().unwrap_or(Duration::ZERO);
    let text = format!("this machine and the database are {:.1} s apart", difference.as_secs_f64());
    if apart > FAR_APART {
        Finding::fail(text, remedy)
    } else if apart > APART {
        Finding::warn(text, remedy)
    } else {
        Finding::ok(text)
    }
}

#[cfg(test)]
mod tests {
    use tempfile::tempdir;

    use super::*;

    fn worded(finding: &Finding) -> String {
        format!("{finding:?}")
    }

    fn check(finding: &Finding, severity: &str, words: &str) {
        let text = worded(finding);
        assert!(text.contains(&format!("severity: {severity}")) && text.contains(words), "{text}");
    }

    #[test]
    fn clocks() {
        let now = PAST + TimeDelta::days(30);
        check(&clock(now, None), "Ok", "2026-01-31");
        check(&clock(DateTime::UNIX_EPOCH, None), "Fail", "1970-01-01");
        for (apart, severity) in [(0, "Ok"), (5, "Ok"), (6, "Warn"), (60, "Warn"), (61, "Fail")] {
            for theirs in [now + TimeDelta::seconds(apart), now - TimeDelta::seconds(apart)] {
                check(&clock(now, Some(theirs)), severity, &format!("{apart}.0 s apart"));
            }
        }
    }

    #[test]
    fn migrations_that_are_missing_or_too_new() {
        let url = DatabaseUrl::sqlite("mango.db");
        let status = |applied: &[&str], pending: &[&str], unknown: &[&str]| {
            let [applied, pending, unknown] =
                [applied, pending, unknown].map(|list| list.iter().map(ToString::to_string).collect());
            MigrationStatus { applied, pending, unknown }
        };
        check(&migrations(&status(&["1", "2"], &[], &[]), &url), "Ok", "all 2");
        check(&migrations(&status(&["1"], &["2", "3"], &[]), &url), "Warn", "2 of 3");
        check(&migrations(&status(&["1", "9"], &[], &["9"]), &url), "Fail", "has 9");
    }

    #[test]
    fn space() {
        check(&judge_space(0), "Fail", "0 MiB");
        check(&judge_space(NO_SPACE), "Warn", "16 MiB");
        check(&judge_space(LITTLE_SPACE), "Ok", "1024 MiB");
    }

    #[test]
    fn folders() {
        let dir = tempdir().unwrap();
        check(&folder(dir.path()), "Ok", "can be written");
        check(&folder(&dir.path().join("a").join("b")), "Ok", "made at the first start");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        check(&folder(&file.join("data")), "Fail", "nothing can be written");
        assert_eq!(existing(Path::new("no-such-folder/data")), Some(Path::new(".")));
    }
}
