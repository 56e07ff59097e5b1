//! Sockets from the outside: a real server on a real port, and a client that speaks the protocol by hand.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a helper that fails should fail its test"
)]

mod support;

mod authorization;
mod backpressure;
mod connecting;
mod delivery;
mod events;
mod floods;
mod lifetime;
mod limits;
mod malformed;
mod order;
mod overload;
mod polling;
mod presence;
mod rates;
