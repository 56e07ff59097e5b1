//! The wire: what goes over HTTP and over Socket.IO, and nothing of how. Requests turn into domain values, with every field
//! that is at fault named; domain values turn into replies, events and acknowledgements.

pub mod ack;
pub mod auth;
pub mod catalogue;
pub mod chat;
pub mod decode;
pub mod event;
pub mod message;
mod picture;
pub mod problem;
pub mod sync;
pub mod time;
pub mod user;

pub use ack::Ack;
pub use decode::{decode, decode_str};
pub use problem::{Problem, ProblemKind};
