//! What every request passes through on its way to a route and back.

pub(crate) mod access;
pub(crate) mod compress;
pub(crate) mod cors;
pub(crate) mod headers;
pub(crate) mod problems;
pub(crate) mod request_id;
pub(crate) mod slashes;
