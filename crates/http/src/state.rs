//! What the routes work with.

use std::sync::Arc;

use async_trait::async_trait;
use mango_domain::model::Room;
use mango_domain::ports::Media;
use mango_domain::usecases::UseCases;

use crate::error::HttpError;
use crate::{Answers, Bodies, Changes, TrustedProxies};

/// What the routes work with; a clone is a few reference counts.
#[derive(Clone)]
pub struct HttpState {
    /// What can be done.
    pub use_cases: Arc<UseCases>,
    /// Where the files under `/static` lie.
    pub media: Arc<dyn Media>,
    /// What `/readyz` asks.
    pub readiness: Arc<dyn Readiness>,
    /// What `/metrics` answers, in the text format of Prometheus.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// Reads the bodies that may hold a photo, a message, or the versions of thousands of chats.
    pub uploads: Bodies,
    /// Reads the bodies of logins and of calls that ask for new tokens. They have a room of their own, so that no upload keeps anybody from logging in.
    pub calls: Bodies,
    /// Holds the answers until they are read.
    pub answers: Answers,
    /// How many photos may be read from their files at once.
    pub files: Room,
    /// Where changes run to their end.
    pub changes: Changes,
    /// What an operator can set.
    pub settings: Settings,
}

/// What an operator can set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Which web pages may call.
    pub cors: CorsPolicy,
    /// Whether the cookie of the refresh token is for TLS only.
    pub secure_cookies: SecureCookies,
    /// Which reverse proxies are believed when they say who the client is.
    pub trusted_proxies: TrustedProxies,
}

impl Default for Settings {
    /// Any origin, cookies as the connection is, no trusted proxies.
    fn default() -> Self {
        Self {
            cors: CorsPolicy::AnyOrigin,
            secure_cookies: SecureCookies::Auto,
            trusted_proxies: TrustedProxies::default(),
        }
    }
}

/// Which web pages may call from a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CorsPolicy {
    /// Any, without cookies.
    AnyOrigin,
    /// These, each written `scheme://host[:port]`, with cookies.
    Origins(Vec<String>),
}

/// Whether the cookie of the refresh token has the attribute `Secure`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecureCookies {
    /// When the request came over TLS as far as `Forwarded` or `X-Forwarded-Proto` of a reverse proxy tells.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Tells whether the server can do its work.
#[async_trait]
pub trait Readiness: Send + Sync {
    /// The checks that fail now; none when the server is ready. It must answer in time by itself.
    async fn failed(&self) -> Vec<FailedCheck>;
}

/// A check that fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedCheck {
    /// What was checked, such as `database`.
    pub name: String,
    /// What is wrong, for whoever runs the server; anybody who can reach it can read it.
    pub message: String,
}

impl HttpState {
    /// Runs a change to its end, even if the client goes away in the meantime.
    pub(crate) async fn change<T, F>(&self, change: impl FnOnce(Arc<UseCases>) -> F) -> Result<T, HttpError>
    where
        T: Send + 'static,
        F: Future<Output = mango_domain::Result<T>> + Send + 'static,
    {
        self.changes.run(change(self.use_cases.clone())).await
    }
}
