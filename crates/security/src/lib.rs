//! The secrets of Mango: how passwords are hashed ([`passwords`]), how tokens are made and checked ([`tokens`]), and the keys
//! that sign them ([`key`], [`keyring`]).

pub mod key;
pub mod keyring;
pub mod passwords;
pub mod pool;
pub mod tokens;

pub use key::{SigningKey, WeakKey};
pub use keyring::{KeyRing, RetiredKey};
pub use passwords::Argon2Passwords;
pub use pool::PoolSize;
pub use tokens::JwtTokens;
