//! Rust sources: module docs, lengths, and what may not be written.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Findings;

/// Above this a file should be split.
const LONG: usize = 300;
/// Above this it must be, or its module doc gives a reason in a line that starts with [`REASON`].
const TOO_LONG: usize = 500;
const REASON: &str = "//! Long because";

/// What code never holds, in two halves so that this list does not find itself.
const FORBIDDEN: [(&str, &str, &str); 6] = [
    ("#[", "allow(", "expect the lint, with a reason"),
    ("#![", "allow(", "expect the lint, with a reason"),
    ("#[", "ignore", "a test that does not run proves nothing"),
    ("todo", "!(", "real code only"),
    ("unimplemented", "!(", "real code only"),
    ("dbg", "!(", "left over from a search"),
];

/// Checks every Rust file of every crate.
pub(super) fn check(root: &Path, findings: &mut Findings) -> Result<()> {
    for folder in ["crates", "xtask"] {
        for file in rust_files(&root.join(folder))? {
            let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
            check_file(&file.strip_prefix(root).unwrap_or(&file).display().to_string(), &text, findings);
        }
    }
    Ok(())
}

fn check_file(name: &str, text: &str, findings: &mut Findings) {
    if !text.starts_with("//!") {
        findings.error(format!("{name} does not open with `//!` and what it owns"));
    }
    let lines = text.lines().count();
    let excused = text.lines().take_while(|line| line.starts_with("//!")).any(|line| line.starts_with(REASON));
    if lines > TOO_LONG && !excused {
        findings.error(format!("{name} has {lines} lines: split it, or write `{REASON} …` in its module doc"));
    } else if lines > LONG {
        findings.warn(format!("{name} has {lines} lines"));
    }
    for (number, line) in text.lines().enumerate() {
        let is_comment = line.trim_start().starts_with("//");
        if is_comment && line.contains("```ignore") {
            findings.error(format!("{name}:{} ignores an example: let it compile, or mark it as text", number + 1));
        }
        for (head, tail, instead) in FORBIDDEN {
            if !is_comment && line.contains(&format!("{head}{tail}")) {
                findings.error(format!("{name}:{} has `{head}{tail}`: {instead}", number + 1));
            }
        }
    }
}

/// All Rust files below a folder, in order of their paths.
fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() && !path.ends_with("target") {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, errors: usize, warnings: usize) {
        let mut findings = Findings::default();
        check_file("some.rs", text, &mut findings);
        let counted = (findings.errors.len(), findings.warnings.len());
        assert_eq!(counted, (errors, warnings), "{:?} {:?}", findings.errors, findings.warnings);
    }

    #[test]
    fn a_module_opens_with_its_doc() {
        check("//! Owns something.\nfn f() {}\n", 0, 0);
        check("fn f() {}\n", 1, 0);
        check("// A plain comment.\n", 1, 0);
        check("", 1, 0);
    }

    #[test]
    fn length_is_warned_of_and_then_refused_unless_excused() {
        let file = |lines: usize, doc: &str| format!("//! Owns something.\n{doc}{}", "\n".repeat(lines - 1));
        check(&file(300, ""), 0, 0);
        check(&file(301, ""), 0, 1);
        check(&file(500, ""), 0, 1);
        check(&file(501, ""), 1, 0);
        check(&file(501, "//! Long because it is one table.\n"), 0, 1);
        check(&file(501, "\n//! Long because this is no longer the module doc.\n"), 1, 0);
    }

    #[test]
    fn what_may_not_be_written_is_found_in_code_only() {
        for (head, tail, _) in FORBIDDEN {
            check(&format!("//! Doc.\n    {head}{tail}x)]\n"), 1, 0);
            check(&format!("//! Doc.\n    // {head}{tail}x)]\n"), 0, 0);
        }
    }

    #[test]
    fn an_ignored_example_is_found() {
        check(&format!("//! Doc.\n//! {}ignore\n", "```"), 1, 0);
        check("//! Doc.\n//! ```text\n//! ```\n", 0, 0);
    }
}
