//! What strangers try on a server that stands in the open, against the real binary.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper that fails should fail its test"
)]

#[path = "../support/client.rs"]
mod client;
// Which cores a process has is for Linux to say.
#[cfg(target_os = "linux")]
mod crowds;
mod events;
mod log;
mod objects;
// What a process holds is told by Linux alone.
#[cfg(target_os = "linux")]
mod sockets;
#[path = "../support/mod.rs"]
mod support;
#[cfg(target_os = "linux")]
mod target;
mod timing;
