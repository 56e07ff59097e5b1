//! `cargo xtask check`: everything CI asks for. All checks run even when one fails, so that one run tells everything.

use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::commands::{test, tidy};
use crate::shell;
use crate::workspace::Workspace;

/// How long the advisory database may take to arrive.
const FETCH_TIMEOUT: Duration = Duration::from_secs(60);

/// Arguments of `cargo xtask check`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only the checks, without the tests
    #[arg(long)]
    no_test: bool,
}

/// Runs the checks, and the tests last.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let workspace = Workspace::locate()?;
    let cargo = |args: &[&'static str]| shell::cargo(&workspace.root, args.iter().copied());
    let documents = ["doc", "--workspace", "--no-deps", "--document-private-items"];

    let mut failed = Vec::new();
    let mut note = |name, well: bool| {
        if !well {
            failed.push(name);
        }
    };
    note("formatting", shell::succeeds(&mut cargo(&["fmt", "--all", "--check"]))?);
    note("tidy", tidy::is_tidy(&workspace)?);
    note(
        "licences, sources and crate edges",
        shell::succeeds(&mut deny(&workspace, &["bans", "licenses", "sources"]))?,
    );
    note("advisories", advisories(&workspace)?);
    note("clippy", shell::succeeds(&mut cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?);
    note("rustdoc", shell::succeeds(cargo(&documents).env("RUSTDOCFLAGS", "-D warnings"))?);

    if failed.is_empty() {
        println!("all checks passed");
    } else {
        println!("checks that failed: {}", failed.join(", "));
    }
    if args.no_test {
        return Ok(shell::exit_code(failed.is_empty()));
    }
    let tested = test::run_all()?;
    Ok(if failed.is_empty() { tested } else { ExitCode::FAILURE })
}

/// Known weaknesses of dependencies. Only what is known can be checked: without the database this says so and passes.
fn advisories(workspace: &Workspace) -> Result<bool> {
    let mut fetch = shell::cargo(&workspace.root, ["deny", "--log-level", "off", "fetch", "db"]);
    let fetched = succeeds_within(fetch.stdin(Stdio::null()).stderr(Stdio::null()), FETCH_TIMEOUT)?;
    if !fetched {
        println!("NOT CHECKED: advisories, because their database could not be fetched");
        return Ok(true);
    }
    shell::succeeds(&mut deny(workspace, &["--disable-fetch", "advisories"]))
}

/// `cargo deny check`. Warnings would tell of every crate that the tree has in two versions.
fn deny(workspace: &Workspace, checks: &[&'static str]) -> Command {
    let mut command = shell::cargo(&workspace.root, ["deny", "--log-level", "error", "check"]);
    command.args(checks);
    command
}

/// Whether a command succeeds in the given time. It is killed when it does not end.
fn succeeds_within(command: &mut Command, limit: Duration) -> Result<bool> {
    let mut child = command.spawn()?;
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        thread::sleep(Duration::from_millis(100));
    }
    child.kill()?;
    child.wait()?;
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_does_not_end_is_stopped() {
        let started = Instant::now();
        let ended = succeeds_within(Command::new("sleep").arg("60"), Duration::from_millis(50)).unwrap();
        assert!(!ended && started.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_command_that_ends_in_time_says_how() {
        assert!(succeeds_within(&mut Command::new("true"), Duration::from_secs(30)).unwrap());
        assert!(!succeeds_within(&mut Command::new("false"), Duration::from_secs(30)).unwrap());
    }
}
