//! The life of the binary: starts, stops, restarts, its commands, and what it says when it cannot do its work.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper that fails should fail its test"
)]

mod audit;
#[cfg(target_os = "linux")]
mod bombs;
#[path = "../support/client.rs"]
mod client;
mod commands;
mod data;
mod keys;
mod limits;
mod proxies;
mod sessions;
mod starting;
mod stopping;
#[path = "../support/mod.rs"]
mod support;

use std::net::SocketAddr;
use std::process::Output;

use tempfile::{TempDir, tempdir};

use client::SOON;
use support::Server;

fn path(folder: &TempDir) -> &str {
    folder.path().to_str().unwrap()
}

fn address(server: &Server) -> SocketAddr {
    server.url().strip_prefix("http://").unwrap().parse().unwrap()
}

/// Runs a command of the binary to its end.
fn run(arguments: &[&str], settings: &[(&str, &str)]) -> Output {
    let folder = tempdir().unwrap();
    Server::command(settings).args(arguments).current_dir(&folder).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A command that must fail, with these words in its one line on standard error.
fn check_refusal(arguments: &[&str], settings: &[(&str, &str)], words: &[&str]) {
    let output = run(arguments, settings);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.starts_with("mango: "), "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in {said:?}");
    }
    assert!(output.stdout.is_empty());
}

fn stop(server: &mut Server) {
    server.signal("TERM");
    let status = server.wait(SOON).unwrap_or_else(|| panic!("it does not stop\n{}", server.log()));
    assert_eq!(status.code(), Some(0), "{}", server.log());
}
