//! The secrets of Mango: how passwords are hashed ([`passwords`]), how tokens are made and checked ([`tokens`]), the keys
//! that sign them ([`key`], [`keyring`]); and how often somebody may do something ([`rates`]).

pub mod key;
pub mod keyring;
pub mod passwords;
pub mod pool;
pub mod rates;
pub mod tokens;

pub use key::{SigningKey, WeakKey};
pub use keyring::{KeyRing, RetiredKey};
pub use passwords::Argon2Passwords;
pub use pool::PoolSize;
pub use rates::GovernedRates;
pub use tokens::JwtTokens;
