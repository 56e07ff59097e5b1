//! Words for folders and files that Mango may not use: which setting names them, and what to do.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::Path;

use mango_persistence::DatabaseUrl;

use crate::config::Settings;

/// Ports below this one belong to the administrator.
const UNPRIVILEGED: u16 = 1024;

/// Why a folder cannot be used that is a setting's value, or is needed for it.
pub(crate) fn folder(setting: &str, value: &str, folder: &Path, error: &io::Error) -> String {
    let path = folder.display();
    let reason = match error.kind() {
        ErrorKind::AlreadyExists => format!("{path} is no folder"),
        _ => format!("the folder {path} cannot be made or used: {error}"),
    };
    let another = if setting == "DATABASE_URL" { "file" } else { "folder" };
    format!(
        "{setting}={value}: {reason}; let the user that runs Mango write there, or set {setting} to another {another}"
    )
}

/// The same for a folder below the data folder.
pub(crate) fn data_folder(settings: &Settings, below: &Path, error: &io::Error) -> String {
    folder("MANGO_DATA_DIR", &settings.data_dir.display().to_string(), below, error)
}

/// What to do about a database that cannot be opened.
pub(crate) fn database_remedy(settings: &Settings) -> String {
    let url = &settings.database;
    let Some(file) = url.file() else {
        return "check DATABASE_URL, and that the database is running and lets Mango in".to_owned();
    };
    let setting = if *url == DatabaseUrl::sqlite(settings.data_dir.join("mango.db")) {
        "MANGO_DATA_DIR to another folder"
    } else {
        "DATABASE_URL to another file"
    };
    if file.is_dir() {
        return format!("{} is a folder: set {setting}", file.display());
    }
    match OpenOptions::new().read(true).write(true).open(file) {
        Ok(_) => format!("see that it is a database of SQLite and that its folder can be written, or set {setting}"),
        Err(error) => file_remedy(file, &error, setting),
    }
}

fn file_remedy(file: &Path, error: &io::Error, setting: &str) -> String {
    let shown = file.display();
    match error.kind() {
        ErrorKind::NotFound => {
            format!("let the user that runs Mango write in the folder of {shown}, or set {setting}")
        }
        _ => {
            let owner = owner(file).unwrap_or_default();
            format!("{shown}{owner}: let the user that runs Mango read and write it and its folder, or set {setting}")
        }
    }
}

/// Whose a file is and who may do what with it, as words behind its name.
#[cfg(unix)]
fn owner(file: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt;

    let metadata = fs::metadata(file).ok()?;
    Some(format!(" belongs to the user {} and has the mode {:03o}", metadata.uid(), metadata.mode() & 0o777))
}

#[cfg(not(unix))]
fn owner(file: &Path) -> Option<String> {
    fs::metadata(file).ok()?.permissions().readonly().then(|| " can only be read".to_owned())
}

/// What to do about an address that cannot be listened on.
pub(crate) fn address_remedy(address: SocketAddr, error: &io::Error) -> &'static str {
    if error.kind() == ErrorKind::PermissionDenied && address.port() < UNPRIVILEGED {
        "ports under 1024 need a privilege: set MANGO_BIND to a higher port, behind a proxy, or grant CAP_NET_BIND_SERVICE"
    } else {
        "set MANGO_BIND to an address of this machine"
    }
}

#[cfg(test)]
mod tests {
    use tempfile::tempdir;

    use super::*;

    fn settings(set: &[(&str, &str)]) -> Settings {
        let set = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::load(set, None).unwrap().settings
    }

    #[test]
    fn ports_of_the_administrator_are_told_apart() {
        let denied = io::Error::from(ErrorKind::PermissionDenied);
        let remedy = |address: &str, error| address_remedy(address.parse().unwrap(), error);
        assert!(remedy("127.0.0.1:80", &denied).contains("under 1024"));
        assert!(remedy("127.0.0.1:5000", &denied).contains("address of this machine"));
        assert!(remedy("192.0.2.1:80", &ErrorKind::AddrNotAvailable.into()).contains("address of this machine"));
    }

    #[test]
    fn a_database_that_cannot_be_opened_is_explained() {
        let dir = tempdir().unwrap();
        let data = dir.path().to_str().unwrap();
        let ours = settings(&[("MANGO_DATA_DIR", data)]);
        let theirs = settings(&[("MANGO_DATA_DIR", data), ("DATABASE_URL", "sqlite:/no/such.db")]);
        let folder = settings(&[("DATABASE_URL", &format!("sqlite:{data}"))]);
        let away = settings(&[("DATABASE_URL", "postgres://db/mango")]);
        for (settings, words) in [
            (&ours, ["in the folder of", "set MANGO_DATA_DIR to another folder"]),
            (&theirs, ["in the folder of /no/such.db", "set DATABASE_URL to another file"]),
            (&folder, ["is a folder", "set DATABASE_URL to another file"]),
            (&away, ["DATABASE_URL", "is running"]),
        ] {
            let remedy = database_remedy(settings);
            assert!(words.iter().all(|word| remedy.contains(word)), "{remedy}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_of_somebody_else_is_told_with_its_owner_and_mode() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};

        let dir = tempdir().unwrap();
        let file = dir.path().join("mango.db");
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o440)).unwrap();
        let remedy = file_remedy(&file, &ErrorKind::PermissionDenied.into(), "DATABASE_URL to another file");
        let owner = format!("mango.db belongs to the user {} and has the mode 440", fs::metadata(&file).unwrap().uid());
        assert!(remedy.contains(&owner), "{remedy}");
    }
}
