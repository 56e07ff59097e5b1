//! `cargo xtask openapi`: writes the snapshot of the OpenAPI document, which a test of `mango-http` keeps.

use std::process::ExitCode;

use anyhow::Result;

use crate::shell;
use crate::workspace::Workspace;

/// Lets the snapshot test write what it would otherwise compare.
pub(crate) fn run() -> Result<ExitCode> {
    let workspace = Workspace::locate()?;
    let mut test = shell::cargo(&workspace.root, ["test", "--package", "mango-http", "openapi"]);
    shell::run(test.env("UPDATE_SNAPSHOTS", "1"))?;
    println!("written: crates/http/openapi.json; look at it with `git diff crates/http/openapi.json`");
    Ok(ExitCode::SUCCESS)
}
