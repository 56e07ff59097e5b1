//! What delivery promises, kept while everything goes wrong: servers that are killed, databases that go away, connections that
//! break. `cargo xtask chaos --minutes N` lets it go on for longer.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]
#![expect(clippy::print_stdout, reason = "the tests tell how much happened")]

#[expect(dead_code, reason = "these tests need less of it than those that it was written for")]
#[path = "../support/client.rs"]
mod people;
#[path = "../support/mod.rs"]
mod support;

mod database;
mod device;
mod disk;
mod kill;
mod knowledge;
mod line;
mod party;
mod proxy;
mod shutdown;
mod slow;
