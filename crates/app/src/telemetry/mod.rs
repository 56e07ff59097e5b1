//! What the server tells its operator: the log ([`logs`]) and the metrics ([`metrics`]).

pub mod logs;
pub mod metrics;
