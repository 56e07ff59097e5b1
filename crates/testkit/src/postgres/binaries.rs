//! Where PostgreSQL's programs are, and as whom they run: the server refuses to be root.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names the folder of PostgreSQL's programs when it is not found otherwise.
pub(super) const SETTING: &str = "MANGO_TEST_PG_BIN";

const NEEDED: [&str; 4] = ["initdb", "pg_ctl", "postgres", "psql"];

/// Finds the folder with PostgreSQL's programs: the one that was set, else in `PATH`, else the newest that Debian put aside in
/// `debian`, a folder with one folder a version. Says what to do about it when there is none.
pub(super) fn find(set: Option<&OsStr>, path: &OsStr, debian: &Path) -> Result<PathBuf, String> {
    if let Some(set) = set {
        let set = PathBuf::from(set);
        return match missing_in(&set)[..] {
            [] => Ok(set),
            [first, ..] => Err(format!("{SETTING} is {}, where there is no {first}", set.display())),
        };
    }
    let in_path = std::env::split_paths(path).find(|folder| missing_in(folder).is_empty());
    in_path.or_else(|| newest(debian)).ok_or_else(|| {
        format!(
            "PostgreSQL's programs ({}) are neither in PATH nor under {}. On Debian: apt-get install postgresql. Elsewhere \
             install PostgreSQL, or set {SETTING} to the folder of its programs.",
            NEEDED.join(", "),
            debian.display(),
        )
    })
}

fn newest(debian: &Path) -> Option<PathBuf> {
    let versions = std::fs::read_dir(debian).ok()?.flatten();
    let numbered = versions.filter_map(|version| {
        let number: u32 = version.file_name().to_str()?.parse().ok()?;
        Some((number, version.path().join("bin")))
    });
    numbered.filter(|(_, folder)| missing_in(folder).is_empty()).max().map(|(_, folder)| folder)
}

fn missing_in(folder: &Path) -> Vec<&'static str> {
    NEEDED.into_iter().filter(|program| !folder.join(program).is_file()).collect()
}

/// A user of this machine, by number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Account {
    pub user: u32,
    pub group: u32,
}

impl Account {
    /// Whom to become for PostgreSQL's sake: nobody else, unless this process is root.
    pub fn needed() -> Option<Self> {
        if id(&["-u"]) != Some(0) {
            return None;
        }
        let known = ["postgres", "nobody"]
            .iter()
            .find_map(|name| Some(Self { user: id(&["-u", name])?, group: id(&["-g", name])? }));
        Some(known.expect("PostgreSQL refuses to be root, and there is no user `postgres` or `nobody` to run it as"))
    }

    /// The words that stand before a command which the account is to run. The program is of Debian's essential package
    /// util-linux.
    pub fn become_command(self) -> String {
        format!("setpriv --reuid={} --regid={} --clear-groups", self.user, self.group)
    }
}

fn id(arguments: &[&str]) -> Option<u32> {
    let answer = Command::new("id").args(arguments).output().expect("the program `id`, part of every Unix");
    String::from_utf8(answer.stdout).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn programs(folder: &Path) -> PathBuf {
        std::fs::create_dir_all(folder).unwrap();
        for program in NEEDED {
            std::fs::write(folder.join(program), "").unwrap();
        }
        folder.to_owned()
    }

    #[test]
    fn the_setting_goes_before_path_and_path_before_debian() {
        let temporary = tempfile::tempdir().unwrap();
        let root = temporary.path();
        let (set, in_path) = (programs(&root.join("set")), programs(&root.join("path")));
        let debian = root.join("debian");
        programs(&debian.join("9/bin"));
        let newest = programs(&debian.join("15/bin"));
        std::fs::create_dir_all(debian.join("16/bin")).unwrap();
        let path = std::env::join_paths([root.join("nothing"), in_path.clone()]).unwrap();

        assert_eq!(find(Some(set.as_os_str()), &path, &debian), Ok(set));
        assert_eq!(find(None, &path, &debian), Ok(in_path));
        assert_eq!(find(None, OsStr::new(""), &debian), Ok(newest), "a version without programs does not count");
    }

    #[test]
    fn what_is_missing_is_named_with_its_remedy() {
        let empty = tempfile::tempdir().unwrap();
        let refusal = find(None, OsStr::new(""), empty.path()).unwrap_err();
        for part in ["initdb", "apt-get install postgresql", SETTING] {
            assert!(refusal.contains(part), "{refusal}");
        }
        let refusal = find(Some(empty.path().as_os_str()), OsStr::new(""), empty.path()).unwrap_err();
        assert!(refusal.contains(SETTING) && refusal.contains("no initdb"), "{refusal}");
    }
}
