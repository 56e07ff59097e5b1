//! The HTTP API as a client sees it, over ports in memory and real connections.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test says that something is wrong, also in what tests share"
)]

mod authorization;
mod bodies;
mod devices;
mod documentation;
mod extension;
mod forgery;
mod history;
mod limits;
mod logging;
mod operations;
mod photos;
mod requests;
mod sending;
mod sessions;
mod statuses;
mod support;
mod transport;
mod unread;
mod users;
