//! `cargo xtask chaos`: the tests that kill servers and databases, for longer than CI has time for.

use std::process::ExitCode;

use anyhow::Result;

use crate::prerequisites;
use crate::shell;
use crate::workspace::Workspace;

/// Arguments of `cargo xtask chaos`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How long to go on killing servers, on each database
    #[arg(long, default_value_t = 10)]
    minutes: u32,
}

/// Runs the tests of delivery one after the other and shows what they counted.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let workspace = Workspace::locate()?;
    prerequisites::require()?;
    let words = ["test", "--workspace", "--test", "chaos", "--", "--nocapture", "--test-threads", "1"];
    let mut cargo = shell::cargo(&workspace.root, words);
    super::test::forget_settings(&mut cargo);
    cargo.env("MANGO_CHAOS_MINUTES", args.minutes.to_string());
    Ok(shell::exit_code(shell::succeeds(&mut cargo)?))
}
