//! The parts of the server that the binary `mango` is wired from.

pub mod cli;
pub mod config;
pub mod keys;
pub mod server;
pub mod system;
pub mod telemetry;
