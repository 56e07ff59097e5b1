//! The binary `mango`.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use mango::cli::Cli;
use mango::run;

fn main() -> ExitCode {
    match run::run(Cli::parse().command()) {
        Ok(code) => code,
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
