//! What the log says, and what it must not say.

use std::io::Write;
use std::sync::{Arc, Mutex};

use actix_web::test::{self, TestRequest};
use mango_testkit::memory::Memory;
use serde_json::{Value, json};
use tracing::dispatcher::{self, Dispatch};
use tracing_subscriber::fmt::MakeWriter;

use crate::support::failing::Failing;
use crate::support::{self, PASSWORD};

/// Keeps what is written.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Log {
    /// A log of everything down to the finest level that this thread writes while the guard lives.
    fn listen() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let subscriber =
            tracing_subscriber::fmt().json().with_max_level(tracing::Level::TRACE).with_writer(log.clone());
        let guard = dispatcher::set_default(&Dispatch::new(subscriber.finish()));
        (log, guard)
    }

    fn lines(&self) -> Vec<Value> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The lines that these modules wrote.
    fn of(&self, module: &str) -> Vec<Value> {
        self.lines().into_iter().filter(|line| line["target"].as_str().unwrap().starts_with(module)).collect()
    }
}

#[actix_web::test]
async fn a_request_is_one_line_without_secrets() {
    let memory = Memory::new();
    let app = test::init_service(mango_http::app(support::state(memory.ports()), |_| {})).await;
    let (log, _guard) = Log::listen();
    let phone = "+31612345678";
    let create = TestRequest::post().uri("/user/create").set_json(json!({"phone": phone, "password": PASSWORD}));
    assert_eq!(test::call_service(&app, create.to_request()).await.status(), 201);
    let login = TestRequest::post().uri("/auth/login").set_json(json!({"username": phone, "password": PASSWORD}));
    let grant: Value = test::call_and_read_body_json(&app, login.to_request()).await;
    let (access, refresh) = (grant["access_token"].as_str().unwrap(), grant["refresh_token"].as_str().unwrap());
    let look = TestRequest::get()
        .uri("/user/81005?token=in-the-query")
        .insert_header(("authorization", format!("Bearer {access}")))
        .insert_header(("x-request-id", "trace-81"));
    assert_eq!(test::call_service(&app, look.to_request()).await.status(), 404);

    let lines = log.of("mango_http");
    assert_eq!(lines.len(), 3, "{lines:#?}");
    let last = &lines[2];
    assert_eq!(last["level"], "INFO");
    assert_eq!(last["span"]["request_id"], "trace-81");
    let fields = &last["fields"];
    assert_eq!(
        (&fields["method"], &fields["route"], &fields["status"], &fields["user"]),
        (&json!("GET"), &json!("/user/{id}"), &json!(404), &json!(1))
    );
    assert!(fields["elapsed_ms"].as_f64().unwrap() >= 0.0);
    assert_eq!(lines[0]["fields"].get("user"), None);
    let text = lines.iter().map(Value::to_string).collect::<String>();
    for secret in [PASSWORD, phone, access, refresh, "in-the-query", "81005"] {
        assert!(!text.contains(secret), "{secret} is in the log");
    }
}

#[actix_web::test]
async fn a_failure_is_logged_once_with_its_causes_and_a_refusal_is_not() {
    let memory = Memory::new();
    let mut ports = memory.ports();
    ports.sessions = Arc::new(Failing::Broken);
    let app = test::init_service(mango_http::app(support::state(ports), |_| {})).await;
    let (log, _guard) = Log::listen();
    let token = ("authorization", "Bearer plain.1.1.1767225600.1798761600");
    let look = TestRequest::get().uri("/user/me").insert_header(token).insert_header(("x-request-id", "trace-82"));
    assert_eq!(test::call_service(&app, look.to_request()).await.status(), 500);
    let errors: Vec<Value> = log.of("mango_http").into_iter().filter(|line| line["level"] == "ERROR").collect();
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert_eq!(errors[0]["fields"]["error"], "test: failed: secret cause");
    assert_eq!(errors[0]["span"]["request_id"], "trace-82");

    assert_eq!(test::call_service(&app, TestRequest::get().uri("/user/me").to_request()).await.status(), 401);
    assert_eq!(log.of("mango_http").iter().filter(|line| line["level"] == "ERROR").count(), 1);
}

#[actix_web::test]
async fn a_crash_is_logged_with_the_route() {
    let memory = Memory::new();
    let mut state = support::state(memory.ports());
    state.metrics = Arc::new(|| panic!("the metrics crashed"));
    let app = test::init_service(mango_http::app(state, |_| {})).await;
    let (log, _guard) = Log::listen();
    assert_eq!(test::call_service(&app, TestRequest::get().uri("/metrics").to_request()).await.status(), 500);
    let lines = log.of("mango_http");
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["fields"]["route"], "/metrics");
    assert_eq!((&lines[1]["level"], &lines[1]["fields"]["panic"]), (&json!("ERROR"), &json!("the metrics crashed")));
}

#[actix_web::test]
async fn a_change_runs_to_its_end_when_the_client_goes_away() {
    let memory = Memory::new();
    let gate = Arc::new(support::gate::Gate::default());
    let mut ports = memory.ports();
    ports.passwords = gate.clone();
    let state = support::state(ports);
    let changes = state.changes.clone();
    let app = test::init_service(mango_http::app(state, |_| {})).await;
    let (log, guard) = Log::listen();
    let create = TestRequest::post().uri("/user/create");
    let create = create.set_json(json!({"phone": "+31612345678", "password": PASSWORD})).to_request();
    let mut answer = Box::pin(test::call_service(&app, create));
    tokio::select! {
        _ = &mut answer => panic!("it was answered before the password was hashed"),
        () = gate.entered() => {}
    }
    drop(answer);
    let lines = log.of("mango_http");
    assert_eq!((lines.len(), &lines[0]["fields"]["status"]), (1, &json!(499)));
    drop(guard);

    gate.open();
    changes.finished().await;
    let phone = mango_domain::model::Phone::parse("+31612345678").unwrap();
    assert!(memory.stores().users.credentials(&phone).await.unwrap().is_some());
}
