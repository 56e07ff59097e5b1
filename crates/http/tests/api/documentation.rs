//! The OpenAPI document and the page that shows it.

use std::collections::BTreeSet;
use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::OPERATIONS;
use crate::support::{Answer, Server};

fn document() -> Value {
    serde_json::to_value(mango_http::openapi()).unwrap()
}

/// Every operation of the document with its name.
fn operations(document: &Value) -> impl Iterator<Item = (String, &Value)> {
    document["paths"].as_object().unwrap().iter().flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(move |(method, operation)| (format!("{method} {path}"), operation))
    })
}

#[test]
fn the_openapi_document_is_the_one_that_is_kept() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let made = mango_http::openapi().to_pretty_json().unwrap() + "\n";
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some_and(|value| value == "1") {
        std::fs::write(&path, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == made, "openapi.json is not up to date: run `cargo xtask openapi` and look at the difference");
}

#[test]
fn every_operation_of_the_openapi_document_is_described() {
    let document = document();
    let mut ids = Vec::new();
    for (name, operation) in operations(&document) {
        for key in ["summary", "operationId"] {
            assert!(operation[key].as_str().is_some_and(|text| !text.is_empty()), "{name} has no {key}");
        }
        ids.push(operation["operationId"].as_str().unwrap().to_owned());
        assert_eq!(operation["tags"].as_array().unwrap().len(), 1, "{name}");
        for (status, response) in operation["responses"].as_object().unwrap() {
            assert!(!response["description"].as_str().unwrap().is_empty(), "{name} {status}");
            if status.as_str() >= "400" {
                let body = &response["content"]["application/problem+json"];
                assert_eq!(body["schema"]["$ref"], "#/components/schemas/Problem", "{name} {status}");
                let examples = body["examples"].as_object().unwrap();
                assert!(!examples.is_empty(), "{name} {status}");
                for example in examples.values() {
                    assert_eq!(example["value"]["status"].to_string(), *status, "{name}");
                }
            }
        }
    }
    ids.sort();
    let count = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), count, "an operationId is there twice");
}

#[test]
fn everything_that_is_sent_and_answered_has_an_example() {
    fn has_example(document: &Value, schema: &Value) -> bool {
        if let Some(reference) = schema["$ref"].as_str() {
            return has_example(document, document.pointer(reference.strip_prefix('#').unwrap()).unwrap());
        }
        let all_have = |mut parts: Vec<&Value>| {
            parts.retain(|part| part["type"] != "null");
            !parts.is_empty() && parts.into_iter().all(|part| has_example(document, part))
        };
        let parts = |name: &str| schema[name].as_array().into_iter().flatten().collect();
        !schema["example"].is_null()
            || schema["properties"].as_object().is_some_and(|properties| all_have(properties.values().collect()))
            || all_have(parts("oneOf"))
            || (schema["type"] == "array" && has_example(document, &schema["items"]))
    }
    let document = document();
    let mut checked = 0;
    for (name, operation) in operations(&document) {
        let succeeded =
            operation["responses"].as_object().unwrap().iter().filter(|(status, _)| status.as_str() < "300");
        for body in succeeded.map(|(_, response)| response).chain([&operation["requestBody"]]) {
            for (media_type, content) in body["content"].as_object().into_iter().flatten() {
                if !content["schema"].is_null() {
                    let found = !content["example"].is_null() || has_example(&document, &content["schema"]);
                    assert!(found, "{name} has no example in {media_type}");
                    checked += 1;
                }
            }
        }
    }
    assert!(checked > 15, "{checked}");
}

#[test]
fn every_parameter_has_an_example() {
    let document = document();
    let mut checked = 0;
    for (name, operation) in operations(&document) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let has = !parameter["example"].is_null() || !parameter["schema"]["example"].is_null();
            assert!(has, "{name} has no example of {}", parameter["name"]);
            checked += 1;
        }
    }
    assert!(checked > 10, "{checked}");
}

#[test]
fn every_reference_of_the_openapi_document_leads_somewhere() {
    fn check(document: &Value, value: &Value) -> usize {
        match value {
            Value::Object(fields) => {
                let reference = fields.get("$ref").and_then(Value::as_str);
                if let Some(reference) = reference {
                    assert!(document.pointer(reference.strip_prefix('#').unwrap()).is_some(), "{reference}");
                }
                usize::from(reference.is_some()) + fields.values().map(|value| check(document, value)).sum::<usize>()
            }
            Value::Array(values) => values.iter().map(|value| check(document, value)).sum(),
            _ => 0,
        }
    }
    let document = document();
    assert!(check(&document, &document) > 50);
}

#[test]
fn the_openapi_document_tells_how_to_log_in() {
    let document = document();
    let schemes = &document["components"]["securitySchemes"];
    let token_url = schemes["login"]["flows"]["password"]["tokenUrl"].as_str().unwrap();
    let form = &document["paths"][token_url]["post"]["requestBody"]["content"]["application/x-www-form-urlencoded"];
    assert_eq!(form["schema"]["$ref"], "#/components/schemas/LoginRequest");
    assert_eq!(schemes["bearer"]["scheme"], "bearer");
    // The label in the form is OAuth's, and nobody has a user name.
    let said = schemes["login"]["description"].as_str().unwrap();
    assert!(said.contains("username is the phone") && said.contains("`POST /user/create`"), "{said}");
    for (name, operation) in operations(&document) {
        let guarded = operation["responses"].get("401").is_some() && operation.get("security").is_some();
        let open = !operation.as_object().unwrap().contains_key("security");
        assert!(guarded || open, "{name}");
        for scheme in operation["security"].as_array().into_iter().flatten() {
            let name = scheme.as_object().unwrap().keys().next().unwrap();
            assert!(schemes.get(name).is_some(), "{name}");
        }
    }
}

#[actix_web::test]
async fn the_examples_of_the_openapi_document_are_what_is_sent_and_answered() {
    let document = document();
    let example = |schema: &str| document["components"]["schemas"][schema]["example"].clone();
    let keys = |value: &Value| -> BTreeSet<String> { value.as_object().unwrap().keys().cloned().collect() };
    let server = Server::start().await;
    let check = |answer: &Answer, schema: &str| assert_eq!(keys(&answer.json()), keys(&example(schema)), "{schema}");

    let created = server.post("/user/create", &example("CreateUserRequest")).await;
    assert_eq!(created.status, 201);
    check(&created, "UserReply");
    let properties = &document["components"]["schemas"]["LoginRequest"]["properties"];
    let login = json!({"username": properties["username"]["example"], "password": properties["password"]["example"]});
    let granted = server.post("/auth/login", &login).await;
    assert_eq!(granted.status, 200);
    check(&granted, "TokenReply");
    let ada = server.log_in(login["username"].as_str().unwrap()).await;
    let sessions = server.get_as(&ada, "/auth/sessions").await.json();
    assert_eq!(keys(&sessions[0]), keys(&example("SessionReply")));
    let changed = server.patch_as(&ada, &format!("/user/{}", ada.id), &example("UpdateUserRequest")).await;
    assert_eq!(changed.status, 202);

    let chat = server.group(&ada, &[], 1).await;
    check(&server.get_as(&ada, &format!("/chat/{chat}")).await, "ChatReply");
    let page = server.get_as(&ada, &format!("/message/{chat}")).await.json();
    assert_eq!(keys(&page[0]), keys(&example("MessageReply")));
    assert_eq!(keys(&example("ChatReply")["last_message"]), keys(&example("MessageReply")));
}

#[actix_web::test]
async fn every_path_of_the_openapi_document_is_routed() {
    let server = Server::start().await;
    for operation in OPERATIONS.keys() {
        let (method, template) = operation.split_once(' ').unwrap();
        let path =
            template.replace("{id}", "1").replace("{chat_id}", "1").replace("{photo}", "x").replace("{file}", "x");
        let head = Method::from_bytes(method.as_bytes()).unwrap();
        let answer = server.send(server.request(head, &path)).await;
        assert_ne!(answer.status, 405, "{operation}");
        // A method that no path takes tells a path that is there from one that is not.
        let trace = server.send(server.request(Method::TRACE, &path)).await;
        trace.assert_problem(405, "method-not-allowed");
        assert!(trace.header("allow").unwrap().contains(method), "{operation}");
    }
}

#[actix_web::test]
async fn the_openapi_document_is_served() {
    let server = Server::start().await;
    let answer = server.get("/openapi.json").await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.json(), document());
}

#[actix_web::test]
async fn the_page_loads_nothing_that_its_policy_forbids() {
    let server = Server::start().await;
    for path in ["/docs", "/docs/"] {
        let page = server.get(path).await;
        assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("script-src 'self';") && !policy.contains("unsafe"), "{policy}");
        let html = page.text();
        // Nothing inline, since the policy would stop it.
        assert_eq!(html.matches("<script").count(), html.matches("<script src=\"/docs/").count());
        assert!(!html.contains("<style") && !html.contains(" style=") && !html.contains(" on"));
        let sources = html.split('"').filter(|text| text.starts_with("/docs/"));
        let mut found = 0;
        for source in sources {
            let file = server.get(source).await;
            assert_eq!(file.status, 200, "{source}");
            assert!(!file.body.is_empty());
            found += 1;
        }
        assert_eq!(found, 6);
    }
    let script = server.get("/docs/swagger-initializer.js").await;
    assert!(script.header("content-type").unwrap().contains("javascript"));
    assert!(script.text().contains("\"/openapi.json\""), "{}", script.text());
    assert!(!script.text().contains("petstore"));
}

/// The files of the page are shared by all who read them: a thousand slow readers must not take a copy each.
#[actix_web::test]
async fn a_form_of_a_file_is_made_once() {
    let server = Server::start().await;
    let accepting = async |path: &str, coding: &str| {
        let answer = server.send(server.request(Method::GET, path).header("accept-encoding", coding)).await;
        assert_eq!(answer.header("content-encoding"), Some(coding).filter(|coding| *coding != "identity"), "{path}");
        assert_eq!(answer.header("content-length"), Some(&*answer.body.len().to_string()), "{path} {coding}");
        assert_eq!(
            answer.headers.get_all("vary").iter().filter(|vary| *vary == "accept-encoding").count(),
            1,
            "{path}"
        );
        answer.body
    };
    for path in ["/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css", "/docs/swagger-initializer.js", "/openapi.json"]
    {
        let plain = accepting(path, "identity").await;
        for coding in ["br", "gzip"] {
            // A text that is compressed on its way has no length before it has ended.
            assert!(accepting(path, coding).await.len() < plain.len(), "{path} {coding}");
        }
        assert_eq!(accepting(path, "identity").await, plain);
    }
}
