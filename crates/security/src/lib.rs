//! The secrets of Mango: how passwords are hashed ([`passwords`]), how tokens are made and checked ([`tokens`]), and the key
//! that signs them ([`key`]).

pub mod key;
pub mod passwords;
pub mod pool;
pub mod tokens;

pub use key::{SigningKey, WeakKey};
pub use passwords::Argon2Passwords;
pub use pool::PoolSize;
pub use tokens::JwtTokens;
