//! The binary `mango`.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use clap::Parser;
use mango::cli::Cli;
use mango::run;

/// What a shell says of a program that was ended by this signal.
const SIGPIPE: u8 = 128 + 13;

fn main() -> ExitCode {
    match run::run(Cli::parse().command()) {
        Ok(code) => code,
        // Whoever read standard output has had enough of it, as `mango doctor | head -1` does.
        Err(error) if is_broken_pipe(&error) => ExitCode::from(SIGPIPE),
        Err(error) => {
            let text = format!("{error:#}");
            let lines = text.lines().filter(|line| !line.trim().is_empty());
            // If standard error is closed, there is nobody to tell.
            let told = lines.map(|line| format!("mango: {line}\n")).collect::<String>();
            let _ = io::stderr().write_all(told.as_bytes());
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}
