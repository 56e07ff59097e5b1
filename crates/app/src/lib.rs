//! The parts of the server that the binary `mango` is wired from.

mod access;
pub mod audit;
pub mod background;
pub mod cli;
pub mod config;
pub mod descriptors;
pub mod doctor;
pub mod epoch;
pub mod folders;
mod heavy;
pub mod keys;
pub mod lock;
pub mod migrate;
pub mod probe;
pub mod run;
pub mod server;
mod signals;
pub mod system;
pub mod telemetry;
pub mod wiring;
