//! A server on a port of its own over the ports in memory, and a client that checks every answer against the documentation.

pub mod answer;
pub mod failing;
pub mod gate;
pub mod raw;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::HttpServer;
use actix_web::dev::ServerHandle;
use async_trait::async_trait;
use mango_domain::model::{ChatId, Room, UserId};
use mango_domain::usecases::{Ports, UseCases};
use mango_http::{Answers, Bodies, BodyLimits, Changes, FailedCheck, HttpState, Readiness, Settings};
use mango_testkit::build;
use mango_testkit::memory::Memory;
use reqwest::{Client, Method, RequestBuilder, redirect};
use serde_json::{Value, json};
use tokio::runtime::Handle;

pub use answer::Answer;

/// The password of everybody in the tests.
pub const PASSWORD: &str = "correct horse battery";

/// A server, stopped with the test.
pub struct Server {
    pub memory: Memory,
    pub address: SocketAddr,
    client: Client,
    handle: ServerHandle,
}

/// Somebody who has logged in.
#[derive(Clone)]
pub struct Account {
    pub id: UserId,
    pub phone: String,
    pub access: String,
    pub refresh: String,
}

/// Always ready.
struct Ready;

#[async_trait]
impl Readiness for Ready {
    async fn failed(&self) -> Vec<FailedCheck> {
        Vec::new()
    }
}

/// The state over these ports, ready and with the default settings.
pub fn state(ports: Ports) -> HttpState {
    HttpState {
        media: ports.media.clone(),
        use_cases: Arc::new(UseCases::new(ports, Memory::POLICY)),
        readiness: Arc::new(Ready),
        metrics: Arc::new(|| "# nothing\n".to_owned()),
        uploads: Bodies::new(BodyLimits::up_to(16 * 1024 * 1024)),
        calls: Bodies::new(BodyLimits::up_to(BodyLimits::CALL)),
        answers: Answers::new(Answers::ROOM),
        files: Room::new(1000),
        changes: Changes::on(Handle::current()),
        settings: Settings::default(),
    }
}

impl Server {
    /// Starts a server.
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// Starts a server with something changed.
    pub async fn with(change: impl FnOnce(&mut HttpState)) -> Self {
        let memory = Memory::new();
        let ports = memory.ports();
        Self::over(memory, ports, change).await
    }

    /// Starts a server with other settings.
    pub async fn with_settings(change: impl FnOnce(&mut Settings)) -> Self {
        Self::with(|state| change(&mut state.settings)).await
    }

    /// Starts a server with other limits for bodies of all kinds.
    pub async fn with_bodies(limits: BodyLimits) -> Self {
        Self::with(|state| {
            state.uploads = Bodies::new(limits);
            state.calls = Bodies::new(limits);
        })
        .await
    }

    /// Starts a server with other limits for bodies that may hold a photo.
    pub async fn with_uploads(limits: BodyLimits) -> Self {
        Self::with(|state| state.uploads = Bodies::new(limits)).await
    }

    /// Starts a server over these ports, some of which may not be those of the memory.
    pub async fn over(memory: Memory, ports: Ports, change: impl FnOnce(&mut HttpState)) -> Self {
        let mut state = state(ports);
        change(&mut state);
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let server = HttpServer::new(move || mango_http::app(state.clone(), |_| {}))
            .workers(1)
            .disable_signals()
            .listen(listener)
            .unwrap()
            .run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        let client = Client::builder().gzip(false).no_proxy().redirect(redirect::Policy::none()).build().unwrap();
        Self { memory, address, client, handle }
    }

    /// A request; `path` starts with a slash.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address))
    }

    /// Sends a request and checks that its answer is documented.
    pub async fn send(&self, request: RequestBuilder) -> Answer {
        Answer::of(request.build().unwrap(), &self.client).await
    }

    /// Sends a request and meanwhile one small one after the other; the answer, the longest that one of the others took, and how long it
    /// took in all.
    pub async fn send_among_others(&self, request: RequestBuilder) -> (Answer, Duration, Duration) {
        let begun = Instant::now();
        let mut answer = Box::pin(self.send(request));
        let mut longest = Duration::ZERO;
        loop {
            let asked = Instant::now();
            let answered = tokio::select! {
                answer = &mut answer => Some(answer),
                health = self.get("/healthz") => {
                    assert_eq!(health.status, 200);
                    None
                }
            };
            longest = longest.max(asked.elapsed());
            if let Some(answer) = answered {
                break (answer, longest, begun.elapsed());
            }
        }
    }

    /// GET without a token.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    /// GET as somebody.
    pub async fn get_as(&self, account: &Account, path: &str) -> Answer {
        self.send(self.request(Method::GET, path).bearer_auth(&account.access)).await
    }

    /// POST of JSON without a token.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    /// PATCH of JSON as somebody.
    pub async fn patch_as(&self, account: &Account, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::PATCH, path).bearer_auth(&account.access).json(body)).await
    }

    /// Signs the `n`th user up and logs them in.
    pub async fn account(&self, n: u32) -> Account {
        let phone = build::phone(n).as_str().to_owned();
        let created = self
            .post("/user/create", &json!({"phone": phone, "password": PASSWORD, "name": format!("User {n}")}))
            .await;
        assert_eq!(created.status, 201, "{}", created.text());
        self.log_in(&phone).await
    }

    /// Begins another session.
    pub async fn log_in(&self, phone: &str) -> Account {
        let granted = self.post("/auth/login", &json!({"username": phone, "password": PASSWORD})).await;
        assert_eq!(granted.status, 200, "{}", granted.text());
        let grant = granted.json();
        let access = grant["access_token"].as_str().unwrap().to_owned();
        let me = self.send(self.request(Method::GET, "/user/me").bearer_auth(&access)).await.json();
        Account {
            id: UserId::new(me["id"].as_i64().unwrap()),
            phone: phone.to_owned(),
            access,
            refresh: grant["refresh_token"].as_str().unwrap().to_owned(),
        }
    }

    /// A group with as many messages as asked for.
    pub async fn group(&self, creator: &Account, members: &[&Account], messages: u32) -> ChatId {
        let stores = self.memory.stores();
        let members: Vec<UserId> = members.iter().map(|account| account.id).collect();
        let chat = build::group(creator.id, &members).add(&stores).await;
        for n in 1..=messages {
            build::message(chat, creator.id).text(&format!("message {n}")).add(&stores).await;
        }
        chat
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The command is sent when it is called; what it returns only waits.
        drop(self.handle.stop(false));
    }
}
