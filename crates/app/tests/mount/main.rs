//! The one port, with a small application and a small namespace behind it: what goes where, and what survives what.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a helper that fails should fail its test"
)]

mod bodies;
mod connections;
// Other systems cannot be told when to give a client up.
#[cfg(target_os = "linux")]
mod dead;
mod doors;
mod faults;
mod handshakes;
mod harness;
mod probes;
mod refusals;
mod shutdown;
