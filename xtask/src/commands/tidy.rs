//! `cargo xtask tidy`: the house rules that no compiler knows. Each group of rules has its file.

use std::process::ExitCode;

use anyhow::Result;

use crate::shell;
use crate::workspace::Workspace;

mod edges;
mod layout;
mod manifests;
mod migrations;
mod sources;

/// What the rules found. Warnings are for reading, errors fail the run.
#[derive(Default)]
struct Findings {
    warnings: Vec<String>,
    errors: Vec<String>,
}

impl Findings {
    fn warn(&mut self, finding: String) {
        self.warnings.push(finding);
    }

    fn error(&mut self, finding: String) {
        self.errors.push(finding);
    }
}

/// Runs all rules.
pub(crate) fn run() -> Result<ExitCode> {
    Ok(shell::exit_code(is_tidy(&Workspace::locate()?)?))
}

/// Runs all rules, prints what they find and tells whether nothing failed.
pub(crate) fn is_tidy(workspace: &Workspace) -> Result<bool> {
    let root = &workspace.root;
    let mut findings = Findings::default();
    layout::check(root, &mut findings)?;
    sources::check(root, &mut findings)?;
    manifests::check(root, &mut findings)?;
    migrations::check(&root.join("migrations"), &mut findings)?;
    edges::check(&edges::Graph::read(root)?, &mut findings);

    for warning in &findings.warnings {
        println!("warning: {warning}");
    }
    for error in &findings.errors {
        println!("error: {error}");
    }
    println!("tidy: {} errors, {} warnings", findings.errors.len(), findings.warnings.len());
    Ok(findings.errors.is_empty())
}
