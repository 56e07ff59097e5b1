//! `cargo xtask dev`: the server with debug logs, restarted whenever a source changes.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result};

use crate::shell;
use crate::workspace::Workspace;

/// How often the sources are looked at.
const PERIOD: Duration = Duration::from_millis(500);
/// How long the server may take to close its connections.
const PATIENCE: Duration = Duration::from_secs(12);

/// Arguments of `cargo xtask dev`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which logs to show, as MANGO_LOG takes it
    #[arg(long, default_value = "info,mango=debug")]
    log: String,
}

/// Builds, serves, and starts over at each change. Ctrl-C ends it, and the server with it.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let workspace = Workspace::locate()?;
    loop {
        let built_from = newest_change(&workspace)?;
        // A build that fails has told why; the next change is the next try.
        let mut server = match shell::succeeds(&mut shell::cargo(&workspace.root, ["build", "--package", "mango"]))? {
            true => Some(serve(&workspace, &args.log)?),
            false => None,
        };
        while newest_change(&workspace)? == built_from {
            thread::sleep(PERIOD);
        }
        if let Some(server) = &mut server {
            stop(server)?;
        }
    }
}

fn serve(workspace: &Workspace, log: &str) -> Result<Child> {
    let binary = workspace.target.join("debug").join(format!("mango{}", std::env::consts::EXE_SUFFIX));
    let mut command = Command::new(&binary);
    command.arg("serve").current_dir(&workspace.root).env("MANGO_LOG", log);
    command.spawn().with_context(|| format!("cannot start {}", binary.display()))
}

/// Asks the server to finish, as an operator would, and ends it if it does not.
fn stop(server: &mut Child) -> Result<()> {
    if cfg!(unix) && server.try_wait()?.is_none() {
        shell::ask(Command::new("kill").args(["-TERM", &server.id().to_string()]));
        let deadline = Instant::now() + PATIENCE;
        while server.try_wait()?.is_none() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(50));
        }
    }
    if server.try_wait()?.is_none() {
        server.kill()?;
    }
    server.wait()?;
    Ok(())
}

/// When the newest of all files that the server is built from was changed.
fn newest_change(workspace: &Workspace) -> Result<SystemTime> {
    let sources = ["crates", "migrations", "Cargo.toml", "Cargo.lock", ".env"].map(|name| workspace.root.join(name));
    let mut newest = SystemTime::UNIX_EPOCH;
    for source in sources {
        newest = newest.max(newest_below(&source)?);
    }
    Ok(newest)
}

/// A folder's own time tells of files that were removed. A file that goes away meanwhile is no error.
fn newest_below(path: &Path) -> Result<SystemTime> {
    let Ok(metadata) = fs::metadata(path) else { return Ok(SystemTime::UNIX_EPOCH) };
    let mut newest = metadata.modified()?;
    if metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            newest = newest.max(newest_below(&entry?.path())?);
        }
    }
    Ok(newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_below_a_folder_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("inner/lib.rs");
        fs::create_dir(folder.path().join("inner")).unwrap();
        fs::write(&file, "").unwrap();
        let later = SystemTime::now() + Duration::from_secs(60);
        fs::File::options().append(true).open(&file).unwrap().set_modified(later).unwrap();
        assert_eq!(newest_below(folder.path()).unwrap(), later);
        fs::remove_file(&file).unwrap();
        assert!(newest_below(folder.path()).unwrap() < later);
    }
}
