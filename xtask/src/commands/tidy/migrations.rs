//! Migrations: the same versions for both databases, each with a way up and a way down.

use std::fs;
use std::path::Path;

use anyhow::Result;

use super::Findings;
use crate::commands::db::{BACKENDS, versions};

/// Compares the folders with each other and looks into each migration.
pub(super) fn check(migrations: &Path, findings: &mut Findings) -> Result<()> {
    let [postgres, sqlite] = BACKENDS.map(|backend| versions(&migrations.join(backend)));
    let (postgres, sqlite) = (postgres?, sqlite?);
    for (here, there, lacking) in [(&postgres, &sqlite, "sqlite"), (&sqlite, &postgres, "postgres")] {
        for version in here.iter().filter(|version| !there.contains(version)) {
            findings.error(format!("migrations/{lacking} lacks {version}"));
        }
    }
    for (backend, versions) in BACKENDS.iter().zip([postgres, sqlite]) {
        for version in versions {
            for file in ["up.sql", "down.sql"] {
                let path = migrations.join(backend).join(&version).join(file);
                if fs::read_to_string(&path).map_or(true, |text| text.trim().is_empty()) {
                    findings.error(format!("migrations/{backend}/{version}/{file} is missing or empty"));
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_databases_have_the_same_versions_up_and_down() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "SELECT 1;").unwrap();
        };
        for backend in BACKENDS {
            write(&format!("{backend}/1_first/up.sql"));
            write(&format!("{backend}/1_first/down.sql"));
        }
        let mut findings = Findings::default();
        check(folder.path(), &mut findings).unwrap();
        assert!(findings.errors.is_empty(), "{:?}", findings.errors);

        write("sqlite/2_second/up.sql");
        check(folder.path(), &mut findings).unwrap();
        assert_eq!(
            findings.errors,
            ["migrations/postgres lacks 2_second", "migrations/sqlite/2_second/down.sql is missing or empty"]
        );
    }
}
