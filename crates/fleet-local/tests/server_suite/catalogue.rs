//! Environments, tasks, and packages that cannot be served.

use fleet_local::{Server, StartError};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{NOTES, TestServer, prepare};

fn tasks_file() -> Value {
    json!([
        {"key": "one", "prompt": "Do one.", "env_id": "notes", "version": "v1.0.0", "data_id": "default", "created_at": "2026-01-02T03:04:05",
         "verifier_func": "def verify(env, final_answer=None):\n    return 1\n", "metadata": {"difficulty": "easy"}},
        {"key": "two", "prompt": "Do two.", "env_id": "notes", "data_id": "full", "data_version": "v2", "env_variables": {"A": "b"}},
        {"key": "three", "prompt": "Do three.", "env_id": "other:v3"},
    ])
}

async fn server_with_tasks() -> TestServer {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("desk.json");
    std::fs::write(&file, tasks_file().to_string()).unwrap();
    TestServer::with(NOTES, |config| config.tasks = vec![file]).await
}

#[tokio::test]
async fn environments_are_described() {
    let server = TestServer::start().await;
    let expected = json!({
        "env_key": "notes", "name": "Notes", "description": null, "default_version": "v1.1.0",
        "versions": {"v1.0.0": "2026-01-01", "v1.1.0": "2026-02-01"},
    });
    assert_eq!(server.get("/v1/env/").await, json!([expected]));
    assert_eq!(server.get("/v1/env/notes").await, expected);
    assert_eq!(
        server.get("/v1/regions").await,
        json!(["us-west-1", "us-east-1", "eu-west-2"])
    );
    let (status, body) = server.call(Method::GET, "/v1/env/nope").await;
    assert_eq!(
        (status, &body["detail"]),
        (
            StatusCode::BAD_REQUEST,
            &json!("Environment 'nope' not found")
        )
    );
    server.stop().await;
}

#[tokio::test]
async fn tasks_are_listed_with_every_filter() {
    let server = server_with_tasks().await;
    let keys = async |query: &str| {
        let list = server.get(&format!("/v1/tasks{query}")).await;
        assert_eq!(list["total"], list["tasks"].as_array().unwrap().len());
        list["tasks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|task| task["key"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(keys("").await, ["one", "two", "three"]);
    assert_eq!(
        keys("?task_keys=three&task_keys=one").await,
        ["one", "three"]
    );
    assert_eq!(keys("?project_key=desk").await.len(), 3);
    assert_eq!(keys("?task_project_key=desk&task_keys=two").await, ["two"]);
    assert_eq!(keys("?project_key=other").await, [""; 0]);
    assert_eq!(keys("?env_key=notes").await, ["one", "two"]);
    assert_eq!(keys("?env_key=notes:v1.0.0").await, ["one"]);
    assert_eq!(keys("?env_key=other:v3").await, ["three"]);
    assert_eq!(keys("?data_id=full&data_version=v2").await, ["two"]);
    assert_eq!(keys("?team_id=somebody").await, [""; 0]);
    let projects = server.get("/v1/tasks/projects").await;
    assert_eq!(projects["projects"][0]["project_key"], "desk");
    server.stop().await;
}

#[tokio::test]
async fn a_task_carries_what_the_client_needs() {
    let server = server_with_tasks().await;
    let task = server.get("/v1/tasks/one").await;
    assert_eq!(
        (&task["environment_id"], &task["version"], &task["data_id"]),
        (&json!("notes"), &json!("v1.0.0"), &json!("default"))
    );
    assert_eq!(
        (&task["created_at"], &task["metadata"]["difficulty"]),
        (&json!("2026-01-02T03:04:05"), &json!("easy"))
    );
    let verifier = &task["verifier"];
    assert!(
        verifier["code"].as_str().unwrap().starts_with("def verify"),
        "{task}"
    );
    assert_eq!(verifier["verifier_id"], task["verifier_id"]);
    for field in ["key", "sha256", "created_at"] {
        assert!(
            verifier[field]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{field} in {task}"
        );
    }
    let stored = server
        .get(&format!(
            "/v1/verifiers/{}",
            verifier["verifier_id"].as_str().unwrap()
        ))
        .await;
    assert_eq!(stored["code"], verifier["code"]);
    let other = server.get("/v1/tasks/two").await;
    assert_eq!(
        (&other["verifier"], &other["env_variables"]),
        (&Value::Null, &json!({"A": "b"}))
    );
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_served_is_named_at_the_start() {
    let start = async |manifest: &str, seed: Option<&str>| {
        let (dir, _, config) = prepare(manifest, |_| {});
        if let Some(seed) = seed {
            std::fs::write(dir.path().join("packages/notes/notes.sql"), seed).unwrap();
        }
        let error: &dyn std::error::Error = &Server::start(config).await.unwrap_err();
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        text
    };
    let error = start(&NOTES.replace("health:", "healht:"), None).await;
    assert!(
        error.contains("healht") && error.contains("environment.yaml") && error.contains("line 11"),
        "{error}"
    );
    let error = start(NOTES, Some("CREATE TABLE notes (id;")).await;
    assert!(
        error.contains("notes.sql") && error.contains("syntax error"),
        "{error}"
    );
    let (dir, _, mut config) = prepare(NOTES, |_| {});
    config.environments = vec![dir.path().join("data")];
    std::fs::create_dir_all(dir.path().join("data")).unwrap();
    assert!(matches!(
        Server::start(config).await.unwrap_err(),
        StartError::Environments(_)
    ));
}
