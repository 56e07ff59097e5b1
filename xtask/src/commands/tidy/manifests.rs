//! Manifests: every crate takes lints, package fields and dependencies from the workspace.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use toml::{Table, Value};

use super::Findings;

/// Package fields that are written once, in the workspace.
const INHERITED: [&str; 5] = ["version", "edition", "rust-version", "license", "publish"];
const DEPENDENCIES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// Reads the manifest of every crate.
pub(super) fn check(root: &Path, findings: &mut Findings) -> Result<()> {
    let mut folders = vec![root.join("xtask")];
    for entry in fs::read_dir(root.join("crates"))? {
        folders.push(entry?.path());
    }
    folders.sort();
    for manifest in folders.iter().map(|folder| folder.join("Cargo.toml")).filter(|manifest| manifest.exists()) {
        check_manifest(root, &manifest, findings)?;
    }
    Ok(())
}

fn check_manifest(root: &Path, manifest: &PathBuf, findings: &mut Findings) -> Result<()> {
    let name = manifest.strip_prefix(root).unwrap_or(manifest).display().to_string();
    let text = fs::read_to_string(manifest).with_context(|| format!("cannot read {name}"))?;
    check_text(&name, &text.parse().with_context(|| format!("{name} is not TOML"))?, findings);
    Ok(())
}

fn check_text(name: &str, manifest: &Table, findings: &mut Findings) {
    if !manifest.get("lints").is_some_and(is_inherited) {
        findings.error(format!("{name} does not inherit the lints of the workspace"));
    }
    for field in INHERITED {
        let value = manifest.get("package").and_then(|package| package.get(field));
        if !value.is_some_and(is_inherited) {
            findings.error(format!("{name} does not inherit `{field}` from the workspace"));
        }
    }
    let targets = manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    for table in std::iter::once(manifest).chain(targets.filter_map(Value::as_table)) {
        for section in DEPENDENCIES {
            let dependencies = table.get(section).and_then(Value::as_table).into_iter().flatten();
            for (dependency, _) in dependencies.filter(|(_, value)| !is_inherited(value)) {
                findings.error(format!("{name} does not take `{dependency}` from the dependencies of the workspace"));
            }
        }
    }
}

fn is_inherited(value: &Value) -> bool {
    value.get("workspace").and_then(Value::as_bool) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "
        [package]
        name = 'some'
        version.workspace = true
        edition.workspace = true
        rust-version.workspace = true
        license.workspace = true
        publish.workspace = true
        [lints]
        workspace = true
        [dependencies]
        serde.workspace = true
        tokio = { workspace = true, features = ['test-util'] }
    ";

    fn check(manifest: &str, expected: &[&str]) {
        let mut findings = Findings::default();
        check_text("some", &manifest.parse().unwrap(), &mut findings);
        assert_eq!(findings.errors, expected);
    }

    #[test]
    fn a_crate_that_inherits_everything_is_fine() {
        check(GOOD, &[]);
    }

    #[test]
    fn what_is_not_inherited_is_found() {
        check(
            &GOOD.replace("[lints]\n        workspace = true", ""),
            &["some does not inherit the lints of the workspace"],
        );
        check(
            &GOOD.replace("edition.workspace = true", "edition = '2024'"),
            &["some does not inherit `edition` from the workspace"],
        );
        check(
            &GOOD.replace("serde.workspace = true", "serde = '1'"),
            &["some does not take `serde` from the dependencies of the workspace"],
        );
        check(
            &format!("{GOOD}\n[target.'cfg(unix)'.dev-dependencies]\nlibc = '0.2'"),
            &["some does not take `libc` from the dependencies of the workspace"],
        );
    }
}
