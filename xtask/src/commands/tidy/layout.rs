//! What may lie at the top of the checkout.

use std::fs;
use std::path::Path;

use anyhow::Result;

use super::Findings;

/// The house, and the files that tools and people look for there.
const ALLOWED: [&str; 19] = [
    ".cargo",
    ".ci",
    ".env.example",
    ".gitignore",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "clippy.toml",
    "crates",
    "deny.toml",
    "docker",
    "docs",
    "fuzz",
    "migrations",
    "rustfmt.toml",
    "xtask",
];
/// What git, cargo, a running server and editors put there, and git does not keep.
const LOCAL: [&str; 6] = [".env", ".git", ".idea", ".vscode", "data", "target"];

/// Finds everything else.
pub(super) fn check(root: &Path, findings: &mut Findings) -> Result<()> {
    for entry in fs::read_dir(root)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !ALLOWED.contains(&name.as_str()) && !LOCAL.contains(&name.as_str()) {
            findings.error(format!("{name} has no place at the top of the checkout"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_house_lies_at_the_top() {
        let root = tempfile::tempdir().unwrap();
        for name in ["README.md", "crates", "xtask", ".git", "notes.txt"] {
            fs::write(root.path().join(name), "").unwrap();
        }
        let mut findings = Findings::default();
        check(root.path(), &mut findings).unwrap();
        assert_eq!(findings.errors, ["notes.txt has no place at the top of the checkout"]);
    }
}
