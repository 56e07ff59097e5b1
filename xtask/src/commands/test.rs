//! `cargo xtask test`: every test, and at the end what was tested.

use std::env;
use std::io::{BufRead, BufReader, IsTerminal, PipeReader, Write};
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::clients::{self, Clients};
use crate::prerequisites::{self, Found};
use crate::shell;
use crate::test_report::{Report, Subject};
use crate::workspace::Workspace;

/// How long the output may stay open after the tests: servers that they started take a moment to go.
const PATIENCE: Duration = Duration::from_secs(30);

/// Arguments of `cargo xtask test`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Leave out the tests that need PostgreSQL or the official clients
    #[arg(long)]
    quick: bool,
    /// Passed on to the test programs, such as a part of a test's name
    #[arg(last = true)]
    test_args: Vec<String>,
}

/// What a full run has that a quick one has not.
struct Surroundings {
    found: Found,
    clients: Clients,
}

/// Runs the tests. The last line is always `N passed, N failed`.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    Ok(test(args).unwrap_or_else(|error| {
        println!("error: {error:#}\nnothing was tested, which counts as one failure\n0 passed, 1 failed");
        ExitCode::FAILURE
    }))
}

/// Runs the tests, all of them when nothing is asked in particular.
pub(crate) fn run_all() -> Result<ExitCode> {
    run(&Args { quick: false, test_args: Vec::new() })
}

fn test(args: &Args) -> Result<ExitCode> {
    let workspace = Workspace::locate()?;
    let surroundings = if args.quick { None } else { Some(surroundings(&workspace)?) };

    let color = if std::io::stdout().is_terminal() { "always" } else { "auto" };
    let mut cargo = shell::cargo(&workspace.root, ["test", "--workspace", "--no-fail-fast", "--color", color, "--"]);
    forget_settings(&mut cargo);
    match &surroundings {
        Some(Surroundings { found, clients }) => cargo
            .env("MANGO_TEST_NODE_MODULES", &clients.node)
            .env("MANGO_TEST_PYTHON", &clients.python)
            .env("MANGO_TEST_NGINX", &found.nginx.program)
            .env("MANGO_TEST_CHROMIUM", &found.chromium.program),
        // Tests that need one of these say so in their names.
        None => cargo.args(["--skip", "postgres", "--skip", "clients"]),
    };
    cargo.args(&args.test_args);
    let (mut report, succeeded) = stream(cargo)?;

    println!();
    if !succeeded && report.failed == 0 {
        println!("cargo test failed without a failed test (see above), which counts as one failure");
        report.failed = 1;
    }
    if report.ignored > 0 {
        println!("IGNORED: {} tests are marked to be ignored", report.ignored);
    }
    let untested = summarize(&report, surroundings.as_ref());
    if !untested.is_empty() && report.failed == 0 && surroundings.is_some() && args.test_args.is_empty() {
        println!("a full run must test everything, so what was not tested counts as one failure");
        report.failed = 1;
    }
    println!("{} passed, {} failed", report.passed, report.failed);
    Ok(shell::exit_code(report.failed == 0))
}

fn surroundings(workspace: &Workspace) -> Result<Surroundings> {
    let found = prerequisites::require()?;
    let clients = clients::install(workspace, &found)?;
    Ok(Surroundings { found, clients })
}

/// The developer's own settings of a running server are nothing the tests should see.
pub(super) fn forget_settings(command: &mut Command) {
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text == "DATABASE_URL" || text.starts_with("MANGO_") {
            command.env_remove(&name);
        }
    }
}

/// Runs the command, passes its output on as it comes, and tells what it reported and whether it succeeded. Cargo names
/// the programs on one stream and they report on the other, so that only one pipe for both keeps the order.
fn stream(mut command: Command) -> Result<(Report, bool)> {
    let (output, input) = std::io::pipe()?;
    command.stdin(Stdio::null()).stdout(input.try_clone()?).stderr(input);
    let mut child = command.spawn().context("cannot start cargo test")?;
    // The pipe ends when all who write to it are gone, and the command holds two ends of it.
    drop(command);
    let (sender, receiver) = mpsc::channel();
    // Nobody receives when the patience is over.
    thread::spawn(move || sender.send(pass_on(output)).is_ok());
    let status = child.wait()?;
    let report = receiver.recv_timeout(PATIENCE).context("a process that a test started is still there")??;
    Ok((report, status.success()))
}

fn pass_on(output: PipeReader) -> Result<Report> {
    let mut report = Report::new();
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line)? > 0 {
        std::io::stdout().write_all(&line)?;
        report.read_line(&String::from_utf8_lossy(&line));
        line.clear();
    }
    Ok(report)
}

/// Says what was tested and what was not, and returns the latter.
fn summarize(report: &Report, surroundings: Option<&Surroundings>) -> Vec<&'static str> {
    let version = |subject: &Subject| match (surroundings, subject.name) {
        (Some(s), "PostgreSQL") => format!(" {}", s.found.postgres),
        (Some(s), "socket.io-client") => format!(" {} on Node.js {}", s.clients.socket_io_client, s.found.node),
        (Some(s), "python-socketio") => format!(" {} on Python {}", s.clients.python_socketio, s.found.python),
        (Some(s), "schemathesis") => format!(" {}", s.clients.schemathesis),
        (Some(s), "nginx") => format!(" {}", s.found.nginx.version),
        (Some(s), "Chromium") => format!(" {}", s.found.chromium.version),
        _ => String::new(),
    };
    for (what, subjects) in [("backends", report.backends.as_slice()), ("clients", report.clients.as_slice())] {
        let tested = subjects.iter().filter(|subject| subject.passed > 0);
        let named: Vec<_> =
            tested.map(|subject| format!("{}{} ({} passed)", subject.name, version(subject), subject.passed)).collect();
        println!("{what} tested: {}", if named.is_empty() { "none".to_owned() } else { named.join(", ") });
    }
    let subjects = report.backends.iter().chain(&report.clients);
    let untested: Vec<_> = subjects.filter(|subject| subject.passed == 0).map(|subject| subject.name).collect();
    if !untested.is_empty() {
        println!("NOT TESTED: {}", untested.join(", "));
    }
    untested
}
