//! JPEG, the kind that most photos come in and all originals are kept in.

mod bits;
mod decode;
mod encode;
mod planes;
mod tables;
mod transform;

pub(crate) use decode::decode;
pub(crate) use encode::encode;
