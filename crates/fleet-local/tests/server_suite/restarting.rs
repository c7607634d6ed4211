//! What a state directory keeps from one server to the next.

use std::path::{Path, PathBuf};

use fleet_local::{Server, StartError, StateError};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{NOTES, TestServer, id, prepare, read};

async fn server(state: &Path, tasks: Option<&Path>) -> TestServer {
    TestServer::with(NOTES, |config| {
        config.state_dir = Some(state.to_owned());
        config.tasks = tasks.map(Path::to_owned).into_iter().collect();
    })
    .await
}

async fn send(server: &TestServer, method: Method, path: &str, body: Value) -> Value {
    let (status, answer) = read(server.request(method, path).json(&body)).await;
    assert_eq!(status, StatusCode::OK, "{path}: {answer}");
    answer
}

fn task_file(dir: &Path) -> PathBuf {
    let file = dir.join("desk.json");
    let tasks = json!([{"key": "one", "prompt": "Do one.", "env_id": "notes", "verifier_func": "def verify(env):\n    return 1\n"}]);
    std::fs::write(&file, tasks.to_string()).unwrap();
    file
}

#[tokio::test]
async fn tasks_that_were_changed_or_imported_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let (state, file) = (dir.path().join("state"), task_file(dir.path()));
    let first = server(&state, Some(&file)).await;
    let original = first.get("/v1/tasks/one").await;
    let changed = send(
        &first,
        Method::PUT,
        "/v1/tasks/one",
        json!({"prompt": "Do it.", "verifier_code": "def verify(env):\n    return 0\n"}),
    )
    .await;
    assert_eq!(
        (&changed["prompt"], &changed["verifier"]["version"]),
        (&json!("Do it."), &json!(2))
    );
    assert_eq!(changed["verifier_id"], original["verifier_id"]);
    assert_ne!(
        changed["verifier"]["sha256"],
        original["verifier"]["sha256"]
    );
    let same = send(
        &first,
        Method::PUT,
        "/v1/tasks/one",
        json!({"prompt": "Do it."}),
    )
    .await;
    assert_eq!(same, changed, "a change to what it is already is none");
    let minimal = json!({"key": "two", "prompt": "p", "env_id": "notes", "version": "v1.0.0", "env_variables": {}, "metadata": {}, "data_id": null,
        "data_version": null, "task_modality": "tool_use"});
    send(
        &first,
        Method::POST,
        "/v1/tasks?project_key=mine",
        minimal.clone(),
    )
    .await;
    first.stop().await;

    let second = server(&state, Some(&file)).await;
    assert_eq!(second.get("/v1/tasks/one").await, changed);
    let version = original["eval_task_version_id"].as_str().unwrap();
    assert_eq!(
        second
            .get(&format!("/v1/tasks/one?version_id={version}"))
            .await,
        original
    );
    assert_eq!(
        second
            .call(Method::GET, "/v1/tasks/one?version_id=nope")
            .await
            .0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        second.get("/v1/tasks?project_key=mine&env_key=notes").await["tasks"][0]["key"],
        "two"
    );
    let projects = second.get("/v1/tasks/projects").await;
    let keys: Vec<_> = projects["projects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|project| (&project["project_key"], &project["task_modality"]))
        .collect();
    assert_eq!(
        keys,
        [
            (&json!("desk"), &Value::Null),
            (&json!("mine"), &json!("tool_use"))
        ]
    );
    let mut again = minimal;
    again["verifier_func"] = json!("def verify(env):\n    return 1\n");
    let again = send(&second, Method::POST, "/v1/tasks", again).await;
    assert_eq!(
        (&again["verifier"]["version"], &again["task_modality"]),
        (&json!(1), &json!("tool_use"))
    );
    assert_eq!(
        second.get("/v1/tasks?project_key=mine").await["total"],
        1,
        "an import without a project leaves it"
    );
    second.stop().await;
}

#[tokio::test]
async fn sessions_instances_and_runs_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let first = server(&state, None).await;
    let create = first
        .request(Method::POST, "/v1/env/instances")
        .header("X-Request-ID", "r1")
        .json(&json!({"env_key": "notes", "run_id": "run"}));
    let (_, closed) = read(create).await;
    let closed = id(&closed).to_owned();
    first.close(&closed).await;
    let alive = first
        .create(json!({"env_key": "notes", "run_id": "run"}))
        .await;
    let made = send(&first, Method::POST, "/v1/sessions/ingest", json!({"messages": [{"role": "user", "content": "a"}], "job_id": "j", "instance_id": closed})).await;
    first.stop().await;

    let second = server(&state, None).await;
    let record = second.instance(&closed).await;
    assert_eq!(
        (&record["status"], &record["status_reason"]),
        (&json!("stopped"), &json!("closed by a client"))
    );
    assert_eq!(
        second.close(&closed).await,
        record,
        "a repeated close is answered"
    );
    assert_eq!(second.instance(id(&alive)).await["status"], "stopped");
    let beat = second
        .call(
            Method::POST,
            &format!("/v1/env/instances/{closed}/heartbeat"),
        )
        .await;
    assert_eq!(beat.0, StatusCode::GONE);
    assert_eq!(second.get("/v1/env/instances").await, json!([]));
    assert_eq!(
        second
            .get("/v1/env/instances?status=stopped&run_id=run")
            .await
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(
        second
            .get("/v1/env/instances?status=stopped&region=eu-west-2")
            .await,
        json!([])
    );
    assert_eq!(second.get("/v1/env/runs").await, json!([]));
    let again = second
        .create(json!({"env_key": "notes", "run_id": "run"}))
        .await;
    let runs = second.get("/v1/env/runs?active=all&profile_id=self").await;
    assert_eq!(
        (&runs[0]["total_count"], &runs[0]["running_count"]),
        (&json!(3), &json!(1))
    );
    second.close(id(&again)).await;
    let repeat = second
        .request(Method::POST, "/v1/env/instances")
        .header("X-Request-ID", "r1")
        .json(&json!({"env_key": "notes"}));
    let (status, answer) = read(repeat).await;
    assert_eq!(
        (status, &answer["detail"]["instance_id"]),
        (StatusCode::CONFLICT, &json!(closed))
    );
    let request = second.get("/v1/env/instances/create-requests/r1").await;
    assert_eq!(
        (&request["state"], &request["instance_id"]),
        (&json!("materialized"), &json!(closed))
    );
    assert_eq!(
        second
            .call(Method::GET, "/v1/env/instances/create-requests/r2")
            .await
            .0,
        StatusCode::NOT_FOUND
    );
    let transcript = second
        .get(&format!(
            "/v1/sessions/{}/transcript",
            made["session_id"].as_str().unwrap()
        ))
        .await;
    assert_eq!(
        (
            &transcript["transcript"][0]["content"],
            &transcript["instance"]["instance_id"]
        ),
        (&json!("a"), &json!(closed))
    );
    assert_eq!(second.get("/v1/jobs/j").await["session_count"], 1);
    second.stop().await;
}

#[tokio::test]
async fn a_state_directory_serves_one_server_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let first = server(dir.path(), None).await;
    let (_packages, _, config) = prepare(NOTES, |config| {
        config.state_dir = Some(dir.path().to_owned())
    });
    let error = Server::start(config).await.unwrap_err();
    assert!(
        matches!(&error, StartError::State(StateError::InUse { .. })),
        "{error:?}"
    );
    first.stop().await;
    server(dir.path(), None).await.stop().await;
}

#[tokio::test]
async fn a_file_that_is_no_state_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("fleet.sqlite3");
    std::fs::write(&file, "not a database, and precious").unwrap();
    let (_packages, _, config) = prepare(NOTES, |config| {
        config.state_dir = Some(dir.path().to_owned())
    });
    let error = Server::start(config).await.unwrap_err();
    assert!(
        matches!(&error, StartError::State(StateError::Database { .. })),
        "{error:?}"
    );
    assert_eq!(
        std::fs::read_to_string(file).unwrap(),
        "not a database, and precious"
    );
}
