//! Requests that are written down.

use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{NOTES, TestServer, id};

fn lines(file: &Path) -> Vec<Value> {
    std::fs::read_to_string(file)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn c4_every_call_of_the_api_is_recorded_as_it_was_sent_and_without_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("requests.jsonl");
    let server = TestServer::with(NOTES, |config| {
        config.record = Some(file.clone());
        config.api_key = Some("sk-of-this-test".to_owned().into());
    })
    .await;
    let call = |method, path: &str| server.request(method, path).bearer_auth("sk-of-this-test");

    let refused = server.request(Method::GET, "//v1/account/?b=2&a=1&b=3");
    assert_eq!(refused.send().await.unwrap().status(), 401);
    let record: Value = call(Method::POST, "/v1/env/instances")
        .json(&json!({"env_key": "notes", "env_variables": {"NOTE": "sk-of-this-test"}}))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let query = format!(
        "{}/resources/sqlite/current/query",
        record["urls"]["manager"]["api"].as_str().unwrap()
    );
    server
        .http
        .post(query)
        .json(&json!({"query": "SELECT 1", "args": null}))
        .send()
        .await
        .unwrap();
    // The app's own pages are the agent's business.
    server
        .text(record["urls"]["app"][0].as_str().unwrap())
        .await;
    let instance = id(&record).to_owned();
    server.stop().await;

    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains("sk-of-this-test"), "{text}");
    let lines = lines(&file);
    assert_eq!(lines.len(), 3, "{text}");
    assert_eq!(lines[0]["path"], "//v1/account/");
    assert_eq!(
        lines[0]["query"],
        json!([["b", "2"], ["a", "1"], ["b", "3"]])
    );
    assert_eq!(lines[0]["status"], 401);
    assert_eq!(lines[0]["body"], Value::Null);
    assert_eq!(
        lines[1]["body"]["json"],
        json!({"env_key": "notes", "env_variables": {"NOTE": "***"}})
    );
    let headers = lines[1]["headers"].as_array().unwrap();
    assert!(headers.contains(&json!(["authorization", "Bearer ***"])));
    assert_eq!(lines[2]["plane"], "manager");
    assert_eq!(lines[2]["instance"], instance.as_str());
    assert_eq!(
        lines[2]["path"],
        "/web/api/v1/env/resources/sqlite/current/query"
    );
    assert_eq!(lines[2]["body"]["json"]["query"], "SELECT 1");
}

#[tokio::test]
async fn a_request_whose_client_hangs_up_is_recorded_without_a_status() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("requests.jsonl");
    // Never healthy, so the create is held.
    let manifest = NOTES.replace(
        "--token, TOKEN",
        "--token, TOKEN, --unhealthy-ms, \"100000\"",
    );
    let server = TestServer::with(&manifest, |config| config.record = Some(file.clone())).await;
    let impatient = server
        .request(Method::POST, "/v1/env/instances")
        .json(&json!({"env_key": "notes"}))
        .timeout(std::time::Duration::from_millis(300))
        .send()
        .await;
    assert!(impatient.is_err());
    server.stop().await;
    let lines = lines(&file);
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["status"], Value::Null);
    assert_eq!(lines[0]["body"]["json"]["env_key"], "notes");
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_said_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let (_dir, _, mut config) = crate::support::prepare(NOTES, |_| {});
    config.record = Some(folder.path().join("missing/requests.jsonl"));
    let error = fleet_local::Server::start(config).await.unwrap_err();
    assert!(
        error.to_string().contains("missing/requests.jsonl"),
        "{error}"
    );
}
