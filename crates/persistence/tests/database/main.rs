//! The stores over real databases. What needs a PostgreSQL server has `postgres` in its path.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

#[macro_use]
mod support;

mod appends;
mod claims;
mod constraints;
mod contract;
mod creations;
mod doubts;
mod encryption;
mod limits;
mod migrations;
mod roles;
mod stalled;
mod unreachable;
