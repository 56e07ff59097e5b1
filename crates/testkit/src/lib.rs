//! What the tests of Mango share: the contract suite that every adapter of the store ports passes ([`suite`]), every port in
//! memory ([`memory`]), a private PostgreSQL ([`PrivatePostgres`]), and builders for what tests are full of ([`build`]).
//!
//! Everything here may panic: it only ever runs in tests, and a panic is how a test says that something is wrong.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "this crate is test code; a panic is a failed test"
)]

pub mod build;
pub mod memory;
mod postgres;
mod stores;
pub mod suite;

pub use memory::Memory;
pub use postgres::{PrivatePostgres, Stop};
pub use stores::{StoreFixture, Stores};
