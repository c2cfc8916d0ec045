use std::collections::BTreeSet;

use axum::body::Body;
use serde_json::{Value, json};

use super::{Api, PREFIX, request};

const ROUTES: [(&str, &str); 10] = [
    ("get", "/capabilities"),
    ("get", "/openapi.json"),
    ("get", "/providers"),
    ("get", "/providers/{id}"),
    ("post", "/sessions"),
    ("delete", "/sessions/current"),
    ("delete", "/subscriptions"),
    ("get", "/subscriptions"),
    ("put", "/subscriptions"),
    ("get", "/unknown"),
];

fn operations(description: &Value) -> Vec<(String, String, &Value)> {
    let paths = description["paths"].as_object().unwrap().iter();
    let operations = paths.flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap().iter();
        methods.map(move |(method, operation)| {
            let path = path.strip_prefix(PREFIX).unwrap();
            (method.clone(), path.to_owned(), operation)
        })
    });
    operations.collect()
}

#[tokio::test]
async fn every_route_is_described_and_every_described_route_is_there() {
    let api = Api::new(&[]).await;
    let described: BTreeSet<_> = operations(&api.description)
        .into_iter()
        .map(|(method, path, _)| (method, path))
        .collect();
    for (method, path) in ROUTES {
        let answer = api
            .send(request(&method.to_uppercase(), path, None, Body::empty()))
            .await;
        let is_there = answer.body["error"] != json!("not_found") || path == "/providers/{id}";
        let is_described = described.contains(&(method.to_owned(), path.to_owned()));
        assert_eq!(is_described, is_there, "{method} {path}");
        assert_ne!(answer.status, 405, "{method} {path}");
    }
    assert_eq!(described.len(), ROUTES.len() - 1, "{described:?}");
}

#[tokio::test]
async fn the_description_says_what_is_needed_and_what_comes_back() {
    let api = Api::new(&[]).await;
    assert_eq!(
        api.description["openapi"]
            .as_str()
            .unwrap()
            .split('.')
            .next(),
        Some("3")
    );
    let scheme = &api.description["components"]["securitySchemes"]["session"];
    assert_eq!(
        (&scheme["type"], &scheme["scheme"]),
        (&json!("http"), &json!("bearer"))
    );
    for (method, path, operation) in operations(&api.description) {
        assert!(operation["summary"].is_string(), "{method} {path}");
        let responses = operation["responses"].as_object().unwrap();
        let needs_session = operation.get("security").is_some();
        let is_login = path == "/sessions";
        assert_eq!(
            responses.contains_key("401"),
            needs_session || is_login,
            "{method} {path}"
        );
        let takes_body = operation.get("requestBody").is_some();
        for status in ["408", "413", "415"] {
            assert_eq!(
                responses.contains_key(status),
                takes_body,
                "{method} {path} {status}"
            );
        }
        for (status, response) in responses {
            assert!(
                response["description"]
                    .as_str()
                    .is_some_and(|text| !text.is_empty())
            );
            if status.as_str() >= "400" {
                let schema = &response["content"]["application/json"]["schema"]["$ref"];
                assert_eq!(
                    schema, "#/components/schemas/Error",
                    "{method} {path} {status}"
                );
            }
        }
    }
    let references = api.description.to_string();
    for reference in references.split("\"$ref\":\"").skip(1) {
        let pointer = reference.split('"').next().unwrap().trim_start_matches('#');
        assert!(api.description.pointer(pointer).is_some(), "{pointer}");
    }
}

#[tokio::test]
async fn providers_are_shown_as_the_operator_named_them() {
    let api = Api::new(&[
        "belfry.provider.example.name=Example Mail",
        "belfry.provider.example.colour=#004488",
        "belfry.provider.example.logo=https://example.com/logo.svg",
        "belfry.provider.example.server-url=https://push.example.com",
        "belfry.provider.bare.colour=red",
    ])
    .await;
    let example = json!({
        "id": "example",
        "name": "Example Mail",
        "logo": "https://example.com/logo.svg",
        "colour": "#004488",
        "server_url": "https://push.example.com",
    });
    let bare = json!({"id": "bare", "name": "bare", "colour": "red"});
    let all = api.call("GET", "/providers", None, None).await;
    assert_eq!(all.body, json!([bare, example]));
    let one = api.call("GET", "/providers/example", None, None).await;
    assert_eq!(one.body, example);
    for unknown in [
        "/providers/other",
        "/providers/example.name",
        "/providers/%2e%2e",
    ] {
        let refused = api.call("GET", unknown, None, None).await;
        assert_eq!(refused.error(), (404, "not_found"), "{unknown}");
    }
    let refused = api.call("GET", "/providers/%ff", None, None).await;
    assert_eq!(refused.error(), (400, "malformed"));
}
