//! `cargo xtask bench`: Mango measured beside its peers.

use std::env::consts::EXE_SUFFIX;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::shell;
use crate::workspace::Workspace;
use crate::{clients, prerequisites};

/// Arguments of `cargo xtask bench`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write the results into docs/benchmarks.md
    #[arg(long)]
    write: bool,
    /// Passed on to the load generator, such as `--rounds 1 --workloads b,b-paced`; `--help` lists all
    #[arg(last = true)]
    bench_args: Vec<String>,
}

/// Builds the servers and the load generator as they are released, and runs it.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let workspace = Workspace::locate()?;
    let found = prerequisites::require()?;
    let peer = clients::install_peer(&workspace, &found)?;
    shell::run(&mut shell::cargo(
        &workspace.root,
        ["build", "--release", "--package", "mango", "--package", "mango-bench"],
    ))?;
    let release = workspace.target.join("release");
    let mut bench = Command::new(release.join(format!("mango-bench{EXE_SUFFIX}")));
    super::test::forget_settings(&mut bench);
    bench.arg("--mango").arg(release.join(format!("mango{EXE_SUFFIX}"))).arg("--peer").arg(peer);
    if args.write {
        bench.arg("--docs").arg(workspace.root.join("docs"));
    }
    Ok(shell::exit_code(shell::succeeds(bench.args(&args.bench_args).current_dir(&workspace.root))?))
}
