//! What the documentation says of settings is what the code says; `.env.example` has its tests beside those of the settings.
#![expect(clippy::unwrap_used, reason = "a helper that fails should fail its test")]

use std::fs;
use std::path::{Path, PathBuf};

use mango::config::catalogue::SETTINGS;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The files below a path that people read, and those of Docker.
fn pages(path: &Path) -> Vec<PathBuf> {
    if path.is_dir() {
        return fs::read_dir(path).unwrap().flat_map(|entry| pages(&entry.unwrap().path())).collect();
    }
    vec![path.to_owned()]
}

#[test]
fn the_table_of_the_readme_has_settings_as_the_code_has_them() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, table) = readme.split_once("| setting | default | what it is | allowed is |\n").unwrap();
    let rows: Vec<_> = table.lines().skip(1).take_while(|line| line.starts_with('|')).collect();
    assert!(rows.len() >= 4, "{rows:?}");
    for row in rows {
        let name = row.split('`').nth(1).unwrap();
        let setting = SETTINGS.into_iter().find(|setting| setting.name == name).unwrap_or_else(|| panic!("{name}"));
        let default = if setting.default.is_empty() { " ".to_owned() } else { format!(" `{}` ", setting.default) };
        assert_eq!(row, format!("| `{name}` |{default}| {} | {} |", setting.help, setting.allowed));
    }
}

#[test]
fn no_page_names_a_setting_that_there_is_not() {
    let mut found = 0;
    for page in ["README.md", "CHANGELOG.md", "docs", "docker"].into_iter().flat_map(|name| pages(&root().join(name))) {
        let text = fs::read_to_string(&page).unwrap();
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        for name in words.filter(|word| word.starts_with("MANGO_")) {
            assert!(SETTINGS.iter().any(|setting| setting.name == name), "{} names {name}", page.display());
            found += 1;
        }
    }
    assert!(found > 10, "only {found} settings are named");
}

#[test]
fn the_tests_that_the_page_on_security_names_are_there() {
    let page = fs::read_to_string(root().join("docs/security.md")).unwrap();
    let named: Vec<_> = page.split('`').filter(|text| text.starts_with("crates/")).collect();
    assert!(named.len() > 30, "{named:?}");
    for path in named {
        assert!(root().join(path).exists(), "docs/security.md names {path}");
    }
    // Each risk of the list has its row.
    for number in 1..=10 {
        assert_eq!(page.matches(&format!("\n| API{number} ")).count(), 1, "API{number}");
    }
}
