//! `cargo xtask`: the development commands of Mango, one file each under `commands/`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool speaks by printing")]

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod clients;
mod commands;
mod prerequisites;
mod shell;
mod test_report;
mod workspace;

/// Development commands of Mango.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server with debug logs and restart it whenever a source changes
    Dev(commands::dev::Args),
    /// Run every test, PostgreSQL's and the official clients' included; installs or names what is missing
    Test(commands::test::Args),
    /// Kill servers and databases under load, for as long as you like, and settle accounts afterwards
    Chaos(commands::chaos::Args),
    /// Feed the readers of what strangers send with what a fuzzer thinks up
    Fuzz(commands::fuzz::Args),
    /// Measure Mango beside a Node server and bare socketioxide; takes half an hour
    Bench(commands::bench::Args),
    /// Everything CI asks for: formatting, clippy, rustdoc, tidy, cargo-deny, tests
    Check(commands::check::Args),
    /// Migrations and the development database
    #[command(subcommand)]
    Db(commands::db::Command),
    /// Write the snapshot of the OpenAPI document
    Openapi,
    /// Check the house rules that no compiler knows
    Tidy,
    /// Fill a running server with users, photos, chats and messages, and print a login
    Demo(commands::demo::Args),
    /// Build the release binary and pack it
    Release(commands::release::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Dev(args) => commands::dev::run(args),
        Command::Test(args) => commands::test::run(&args),
        Command::Chaos(args) => commands::chaos::run(&args),
        Command::Fuzz(args) => commands::fuzz::run(&args),
        Command::Bench(args) => commands::bench::run(&args),
        Command::Check(args) => commands::check::run(&args),
        Command::Db(command) => commands::db::run(command),
        Command::Openapi => commands::openapi::run(),
        Command::Tidy => commands::tidy::run(),
        Command::Demo(args) => commands::demo::run(&args),
        Command::Release(args) => commands::release::run(&args),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
