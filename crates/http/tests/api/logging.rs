//! What the log says, and what it must not say.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use actix_web::http::{Method, StatusCode};
use actix_web::test::{self, TestRequest};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, web};
use mango_http::{Exchange, Routine, UNMATCHED};
use mango_testkit::memory::Memory;
use serde_json::{Value, json};

use crate::support::failing::Failing;
use crate::support::{self, PASSWORD};

/// Keeps what this process writes into its log. A log for each test would miss lines: what a call site has found out about its
/// subscribers holds for all threads.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// The log, down to the finest level.
    fn listen() -> &'static Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        LOG.get_or_init(|| {
            let log = Self::default();
            let writer = log.clone();
            let subscriber = tracing_subscriber::fmt().json().with_env_filter("mango_http=trace,mango_domain=trace");
            subscriber.with_writer(move || writer.clone()).try_init().unwrap();
            log
        })
    }

    /// The lines about a request.
    fn of(&self, request_id: &str) -> Vec<Value> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["span"]["request_id"] == request_id).collect()
    }
}

/// A request with this id.
fn request(method: Method, path: &str, id: &'static str) -> TestRequest {
    TestRequest::with_uri(path).method(method).insert_header(("x-request-id", id))
}

#[actix_web::test]
async fn a_request_is_one_line_without_secrets() {
    let memory = Memory::new();
    let app = test::init_service(mango_http::app(support::state(memory.ports()), |_| {})).await;
    let log = Log::listen();
    let phone = "+31612345678";
    let create = request(Method::POST, "/user/create", "log-1").set_json(json!({"phone": phone, "password": PASSWORD}));
    assert_eq!(test::call_service(&app, create.to_request()).await.status(), 201);
    let login =
        request(Method::POST, "/auth/login", "log-1").set_json(json!({"username": phone, "password": PASSWORD}));
    let grant: Value = test::call_and_read_body_json(&app, login.to_request()).await;
    let (access, refresh) = (grant["access_token"].as_str().unwrap(), grant["refresh_token"].as_str().unwrap());
    let look = request(Method::GET, "/user/81005?token=in-the-query", "log-1")
        .peer_addr("203.0.113.7:4711".parse().unwrap())
        .insert_header(("x-forwarded-for", "6.6.6.6"))
        .insert_header(("authorization", format!("Bearer {access}")));
    assert_eq!(test::call_service(&app, look.to_request()).await.status(), 404);

    let lines = log.of("log-1");
    assert_eq!(lines.len(), 3, "{lines:#?}");
    let last = &lines[2];
    assert_eq!(last["level"], "INFO");
    let fields = &last["fields"];
    assert_eq!(
        (&fields["method"], &fields["route"], &fields["status"], &fields["user"]),
        (&json!("GET"), &json!("/user/{id}"), &json!(404), &json!(1))
    );
    assert!(fields["elapsed_ms"].as_f64().unwrap() >= 0.0);
    assert_eq!(fields["address"], "203.0.113.7");
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
    let log = Log::listen();
    let token = ("authorization", "Bearer plain.1.1.1767225600.1798761600");
    let look = request(Method::GET, "/user/me", "log-2").insert_header(token);
    assert_eq!(test::call_service(&app, look.to_request()).await.status(), 500);
    let lines = log.of("log-2");
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert_eq!((&lines[0]["level"], &lines[0]["fields"]["status"]), (&json!("INFO"), &json!(500)));
    assert_eq!(lines[1]["level"], "ERROR");
    assert_eq!(lines[1]["fields"]["error"], "test: failed: secret cause");

    let stranger = request(Method::GET, "/user/me", "log-3").to_request();
    assert_eq!(test::call_service(&app, stranger).await.status(), 401);
    let lines = log.of("log-3");
    assert_eq!((lines.len(), &lines[0]["fields"]["status"]), (1, &json!(401)));
}

/// Anybody can take the places that there are, and ask again and again.
#[actix_web::test]
async fn refusals_for_want_of_time_or_room_do_not_fill_the_log() {
    const REFUSED: usize = 200;
    let log = Log::listen();
    for (failing, id, status, level) in [(Failing::Busy, "log-9", 503, "WARN"), (Failing::Full, "log-10", 507, "ERROR")]
    {
        let mut ports = Memory::new().ports();
        ports.sessions = Arc::new(failing);
        let app = test::init_service(mango_http::app(support::state(ports), |_| {})).await;
        let begun = Instant::now();
        for _ in 0..REFUSED {
            let token = ("authorization", "Bearer plain.1.1.1767225600.1798761600");
            let look = request(Method::GET, "/user/me", id).insert_header(token);
            assert_eq!(test::call_service(&app, look.to_request()).await.status().as_u16(), status);
        }
        let most = usize::try_from(begun.elapsed().as_secs()).unwrap() + 1;
        let lines = log.of(id);
        let told: Vec<_> = lines.iter().filter(|line| line["fields"]["message"] != "request").collect();
        // Other tests may have had the line of this second.
        assert!(told.len() <= most, "{told:#?}");
        assert!(told.iter().all(|line| line["level"] == level && line["fields"]["requests"].is_u64()), "{told:#?}");
    }
}

#[actix_web::test]
async fn what_comes_all_the_time_is_logged_for_debugging_unless_it_is_refused() {
    let polling = |config: &mut web::ServiceConfig| {
        let answer = async |request: HttpRequest| {
            request.extensions_mut().insert(Routine);
            if request.query_string().is_empty() { HttpResponse::Ok() } else { HttpResponse::BadRequest() }.finish()
        };
        config.service(web::resource("/poll").to(answer));
    };
    let app = test::init_service(mango_http::app(support::state(Memory::new().ports()), polling)).await;
    let log = Log::listen();
    for (path, id, level) in [("/poll", "log-7", "DEBUG"), ("/poll?refuse", "log-8", "INFO")] {
        test::call_service(&app, request(Method::GET, path, id).to_request()).await;
        let lines = log.of(id);
        assert_eq!(
            (lines.len(), &lines[0]["level"], &lines[0]["fields"]["route"]),
            (1, &json!(level), &json!("/poll"))
        );
    }
}

#[test]
fn what_is_answered_outside_of_the_application_is_logged_alike() {
    let log = Log::listen();
    let refused =
        Exchange::begin("GET", Some(b"log-6"), None).refuse(&mango_http::of_status(StatusCode::NOT_FOUND), UNMATCHED);
    assert_eq!(refused.status(), StatusCode::NOT_FOUND);
    assert_eq!(refused.headers().get("x-request-id").unwrap(), "log-6");
    let accepted = Exchange::begin("no method", Some(b"log-6"), Some([203, 0, 113, 7].into()));
    assert!(accepted.headers().contains(&("x-request-id", "log-6".to_owned())));
    accepted.end(101, "/ws/socket.io");
    let lines = log.of("log-6");
    let told = |line: &Value| ["method", "route", "status", "address"].map(|name| line["fields"][name].clone());
    assert_eq!(told(&lines[0]), [json!("GET"), json!("unmatched"), json!(404), Value::Null]);
    assert_eq!(told(&lines[1]), [json!("OTHER"), json!("/ws/socket.io"), json!(101), json!("203.0.113.7")]);
    assert_eq!(lines.len(), 2);
}

#[actix_web::test]
async fn a_crash_is_logged_with_the_route() {
    let memory = Memory::new();
    let mut state = support::state(memory.ports());
    state.metrics = Arc::new(|| panic!("the metrics crashed"));
    let app = test::init_service(mango_http::app(state, |_| {})).await;
    let log = Log::listen();
    let look = request(Method::GET, "/metrics", "log-4").to_request();
    assert_eq!(test::call_service(&app, look).await.status(), 500);
    let lines = log.of("log-4");
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
    let log = Log::listen();
    let create = request(Method::POST, "/user/create", "log-5");
    let create = create.set_json(json!({"phone": "+31612345678", "password": PASSWORD})).to_request();
    let mut answer = Box::pin(test::call_service(&app, create));
    tokio::select! {
        _ = &mut answer => panic!("it was answered before the password was hashed"),
        () = gate.entered() => {}
    }
    drop(answer);
    let lines = log.of("log-5");
    assert_eq!((lines.len(), &lines[0]["fields"]["status"]), (1, &json!(499)));

    gate.open();
    changes.finished().await;
    let phone = mango_domain::model::Phone::parse("+31612345678").unwrap();
    assert!(memory.stores().users.credentials(&phone).await.unwrap().is_some());
}
