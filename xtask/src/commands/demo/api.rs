//! Calls of the HTTP API, with errors that say what the server said.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body};

/// Longer than a long poll, which the server answers at its next ping at the latest.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A server that is spoken to.
#[derive(Clone)]
pub(super) struct Api {
    agent: Agent,
    url: String,
}

impl Api {
    /// Connects at the first call.
    pub(super) fn new(url: &str) -> Self {
        let config = Agent::config_builder().http_status_as_error(false).timeout_global(Some(TIMEOUT)).proxy(None);
        Self { agent: config.build().new_agent(), url: url.to_owned() }
    }

    /// Posts JSON and gives the JSON of the reply, which has one of the expected statuses.
    pub(super) fn post(&self, path: &str, body: &Value, expected: &[u16]) -> Result<Value> {
        json(path, self.agent.post(self.full(path)).send_json(body), expected)
    }

    /// Gets JSON as the user of an access token.
    pub(super) fn get(&self, path: &str, token: &str) -> Result<Value> {
        let request = self.agent.get(self.full(path)).header("authorization", format!("Bearer {token}"));
        json(path, request.call(), &[200])
    }

    /// Gets a public file.
    pub(super) fn get_bytes(&self, path: &str) -> Result<Vec<u8>> {
        let mut response = checked(path, self.agent.get(self.full(path)).call(), &[200])?;
        Ok(response.body_mut().read_to_vec()?)
    }

    /// Gets text.
    pub(super) fn get_text(&self, path: &str) -> Result<String> {
        let mut response = checked(path, self.agent.get(self.full(path)).call(), &[200])?;
        Ok(response.body_mut().read_to_string()?)
    }

    /// Posts text and drops the reply.
    pub(super) fn post_text(&self, path: &str, text: &str) -> Result<()> {
        let request = self.agent.post(self.full(path)).content_type("text/plain;charset=UTF-8");
        checked(path, request.send(text), &[200]).map(|_| ())
    }

    fn full(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }
}

fn json(path: &str, response: Result<Response<Body>, ureq::Error>, expected: &[u16]) -> Result<Value> {
    let mut response = checked(path, response, expected)?;
    response.body_mut().read_json().with_context(|| format!("{} did not reply with JSON", route(path)))
}

fn checked(path: &str, response: Result<Response<Body>, ureq::Error>, expected: &[u16]) -> Result<Response<Body>> {
    let mut response = response.with_context(|| format!("cannot call {}: does the server run?", route(path)))?;
    let status = response.status();
    if !expected.contains(&status.as_u16()) {
        let said = response.body_mut().read_to_string().unwrap_or_default();
        bail!("{} answered {status}: {said}", route(path));
    }
    Ok(response)
}

/// The path without its query, where a session's id may be.
fn route(path: &str) -> &str {
    path.split('?').next().unwrap_or(path)
}
