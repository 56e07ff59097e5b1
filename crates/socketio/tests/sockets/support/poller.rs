//! A client of long-polling, over plain HTTP.

use reqwest::{Client as Http, Response, StatusCode};
use serde_json::{Value, json};

use super::{Person, World};

/// A client that polls.
pub struct Poller {
    http: Http,
    /// Where its session is.
    pub url: String,
}

impl Poller {
    /// Opens a session with this token in its headers.
    pub async fn open(world: &World, path: &str, token: Option<&str>) -> Self {
        Self::open_as(world, path, token, "").await
    }

    /// The same for a client of this name.
    pub async fn open_as(world: &World, path: &str, token: Option<&str>, agent: &str) -> Self {
        let http = Http::builder().user_agent(agent).build().unwrap();
        let url = format!("http://{}{path}?EIO=4&transport=polling", world.address);
        let mut request = http.get(&url);
        if let Some(token) = token {
            request = request.header("auth", token);
        }
        let opened = request.send().await.unwrap().text().await.unwrap();
        let opened: Value = serde_json::from_str(opened.strip_prefix('0').unwrap()).unwrap();
        assert_eq!(opened["upgrades"], json!(["websocket"]));
        let poller = Self { http, url: format!("{url}&sid={}", opened["sid"].as_str().unwrap()) };
        poller.post("40").await;
        poller
    }

    /// Opens a session and connects a socket.
    pub async fn connect(world: &World, person: &Person) -> Self {
        let poller = Self::open(world, "/ws/socket.io/", Some(&person.token)).await;
        assert!(poller.poll().await[0].starts_with("40"));
        poller
    }

    /// Sends packets, whatever comes of it.
    pub async fn send(&self, body: impl Into<String>) -> Response {
        self.http.post(&self.url).body(body.into()).send().await.unwrap()
    }

    /// Sends packets that are taken.
    pub async fn post(&self, body: impl Into<String>) {
        assert_eq!(self.send(body).await.status(), StatusCode::OK);
    }

    /// The next packets that are not pings, which it answers.
    pub async fn poll(&self) -> Vec<String> {
        loop {
            let body = self.http.get(&self.url).send().await.unwrap().text().await.unwrap();
            let (pings, packets): (Vec<_>, Vec<_>) = body.split('\u{1e}').partition(|packet| *packet == "2");
            if !pings.is_empty() {
                self.post("3").await;
            }
            if !packets.is_empty() {
                return packets.into_iter().map(str::to_owned).collect();
            }
        }
    }
}
