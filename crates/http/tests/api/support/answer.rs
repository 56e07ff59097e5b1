//! Answers, checked against the documentation.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bytes::Bytes;
use mango_contract::Problem;
use mango_domain::model::{ChatId, UserId};
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, Request};
use serde_json::Value;

/// Which statuses are documented for each operation, such as `GET /user/{id}`.
pub static OPERATIONS: LazyLock<BTreeMap<String, Vec<u16>>> = LazyLock::new(|| {
    let document = serde_json::to_value(mango_http::openapi()).unwrap();
    let mut operations = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let statuses = operation["responses"].as_object().unwrap().keys().map(|status| status.parse().unwrap());
            operations.insert(format!("{} {path}", method.to_uppercase()), statuses.collect());
        }
    }
    operations
});

/// Every operation with a body: its method, its path for the user and the chat of these ids, and a media type that it takes.
pub fn operations_with_body(id: UserId, chat: ChatId) -> Vec<(Method, String, String)> {
    let document = serde_json::to_value(mango_http::openapi()).unwrap();
    let mut found = Vec::new();
    for operation in OPERATIONS.keys() {
        let (method, template) = operation.split_once(' ').unwrap();
        let content = &document["paths"][template][method.to_lowercase()]["requestBody"]["content"];
        for media_type in content.as_object().into_iter().flat_map(|content| content.keys()) {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let path = template.replace("{id}", &id.to_string()).replace("{chat_id}", &chat.to_string());
            let boundary = if media_type.starts_with("multipart/") { "; boundary=b" } else { "" };
            found.push((method, path, format!("{media_type}{boundary}")));
        }
    }
    assert!(found.len() > 8, "{found:?}");
    found
}

/// What came back.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// Sends the request and checks that the answer is documented and, when it is an error, a whole problem.
    pub async fn of(request: Request, client: &Client) -> Self {
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let response = client.execute(request).await.unwrap();
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let answer = Self { status, headers, body: response.bytes().await.unwrap() };
        answer.check(&method, &path);
        answer
    }

    fn check(&self, method: &Method, path: &str) {
        if let Some(operation) = operation_of(method, path) {
            let documented = &OPERATIONS[&operation];
            assert!(documented.contains(&self.status), "{operation} answered {}, which is not documented", self.status);
        }
        if self.status >= 400 && method != Method::HEAD {
            let problem = self.problem();
            assert_eq!(self.header("content-type"), Some("application/problem+json"), "{method} {path}");
            assert_eq!(problem.status, self.status);
            assert!(!problem.title.is_empty() && !problem.detail.is_empty());
        }
    }

    /// A header, if it is there.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The body as a problem.
    pub fn problem(&self) -> Problem {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Asserts that it is a problem of this kind (the end of its `type`) with this status.
    #[track_caller]
    pub fn assert_problem(&self, status: u16, kind: &str) {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.problem().kind, format!("urn:mango:problem:{kind}"));
    }

    /// Asserts that it is a 422 with exactly these fields at fault.
    #[track_caller]
    pub fn assert_fields(&self, fields: &[&str]) {
        self.assert_problem(422, "validation");
        let problem = self.problem();
        let found: Vec<&str> = problem.errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(found, fields, "{}", self.text());
    }
}

/// The documented operation that a request is for. Of paths that fit the one with the fewest parameters is meant.
pub fn operation_of(method: &Method, path: &str) -> Option<String> {
    let method = if method == Method::HEAD { &Method::GET } else { method };
    let asked: Vec<&str> = path.trim_end_matches('/').split('/').collect();
    let fits = |template: &str| {
        let parts: Vec<&str> = template.split('/').collect();
        parts.len() == asked.len()
            && parts.iter().zip(&asked).all(|(part, asked)| part.starts_with('{') || part == asked)
    };
    let templates = OPERATIONS.keys().filter_map(|operation| operation.strip_prefix(&format!("{method} ")));
    let best = templates.filter(|template| fits(template)).min_by_key(|template| template.matches('{').count())?;
    // `GET /user/create` is no operation, though `/user/{id}` would fit.
    let literal = OPERATIONS.keys().any(|operation| operation.split_once(' ').unwrap().1 == asked.join("/"));
    (!literal || !best.contains('{')).then(|| format!("{method} {best}"))
}
