//! The commands, one file each. Each has a `run` that says with its exit code whether all went well.

pub(crate) mod bench;
pub(crate) mod chaos;
pub(crate) mod check;
pub(crate) mod db;
pub(crate) mod demo;
pub(crate) mod dev;
pub(crate) mod fuzz;
pub(crate) mod openapi;
pub(crate) mod release;
pub(crate) mod test;
pub(crate) mod tidy;
