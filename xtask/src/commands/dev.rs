//! `cargo xtask dev`: the server with debug logs, restarted whenever a source changes.

use std::env::consts::EXE_SUFFIX;
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
        let mut server = match shell::succeeds(&mut build(&workspace))? {
            true => Some(serve(&workspace, &args.log).spawn().context("cannot start the server")?),
            false => None,
        };
        while newest_change(&workspace)? == built_from {
            thread::sleep(PERIOD);
        }
        if let Some(server) = &mut server {
            stop(server, PATIENCE)?;
        }
    }
}

fn build(workspace: &Workspace) -> Command {
    shell::cargo(&workspace.root, ["build", "--package", "mango"])
}

/// What was built, by itself: a signal to `cargo run` would not reach it.
fn serve(workspace: &Workspace, log: &str) -> Command {
    let mut command = Command::new(workspace.target.join("debug").join(format!("mango{EXE_SUFFIX}")));
    command.arg("serve").current_dir(&workspace.root).env("MANGO_LOG", log);
    command
}

/// Asks the server to finish, as an operator would, and ends it if it does not.
fn stop(server: &mut Child, patience: Duration) -> Result<()> {
    if cfg!(unix) && server.try_wait()?.is_none() {
        // `kill` is a part of every shell, whether or not there is a program of that name.
        shell::ask(Command::new("sh").args(["-c", "kill -s TERM \"$0\"", &server.id().to_string()]));
        let deadline = Instant::now() + patience;
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
    use std::io::{BufRead as _, BufReader};
    use std::process::Stdio;

    use super::*;

    fn check(command: &Command, words: &[&str]) {
        assert_eq!(command.get_args().collect::<Vec<_>>(), words);
        assert_eq!(command.get_current_dir(), Some(Path::new("checkout")));
    }

    #[test]
    fn it_serves_what_it_has_built() {
        let workspace = Workspace { root: "checkout".into(), target: "built".into() };
        check(&build(&workspace), &["build", "--package", "mango"]);
        let serve = serve(&workspace, "info,mango=debug");
        check(&serve, &["serve"]);
        assert_eq!(Path::new(serve.get_program()), Path::new("built/debug").join(format!("mango{EXE_SUFFIX}")));
        let log = serve.get_envs().find(|(name, _)| *name == "MANGO_LOG").and_then(|(_, value)| value);
        assert_eq!(log, Some("info,mango=debug".as_ref()));
    }

    /// A server that answers SIGTERM like this, once it is ready for it.
    #[cfg(unix)]
    fn server(answer: &str) -> Child {
        let script = format!("trap '{answer}' TERM; echo ready; while :; do sleep 0.01; done");
        let mut server = Command::new("sh").args(["-c", &script]).stdout(Stdio::piped()).spawn().unwrap();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
        server
    }

    #[test]
    #[cfg(unix)]
    fn a_server_is_asked_to_finish_before_it_is_ended() {
        let mut polite = server("exit 7");
        stop(&mut polite, Duration::from_secs(30)).unwrap();
        assert_eq!(polite.wait().unwrap().code(), Some(7));
        let mut deaf = server("");
        stop(&mut deaf, Duration::from_millis(200)).unwrap();
        assert_eq!(deaf.wait().unwrap().code(), None, "a signal has ended it");
        // One that has ended by itself is left alone.
        stop(&mut deaf, Duration::from_secs(30)).unwrap();
    }

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
