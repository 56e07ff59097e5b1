//! What the media adapters promise, on real pictures and real files.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a helper of a test fails the test by panicking"
)]

mod pictures;
mod pool;
mod refusals;
mod samples;
mod store;
