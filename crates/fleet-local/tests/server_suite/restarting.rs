//! What a state directory keeps from one server to the next.

use std::path::{Path, PathBuf};

use fleet_local::{Server, StartError, StateError};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use fleet_api::bundle::Bundle;
use fleet_api::native_verifier;

use crate::support::{NOTES, TEST_APP, TestServer, id, prepare, read};

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
        config.state_dir = Some(dir.path().to_owned());
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
        config.state_dir = Some(dir.path().to_owned());
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

#[tokio::test]
async fn a_verification_is_found_by_a_session_and_its_bundle_by_the_next_server() {
    let dir = tempfile::tempdir().unwrap();
    let first = server(dir.path(), None).await;
    let instance = first.create_default().await;
    let bundle = Bundle::pack(&native_verifier::render(
        &json!({"kind": "state", "expect": []}),
    ));
    let mut body = json!({"key": "k", "sha256": bundle.sha256(), "args_array": [{"env": id(&instance)}], "bundle": bundle.to_base64()});
    let verify = |server: &TestServer, body: &Value| {
        let request = server.request(Method::POST, "/v1/verifiers/execute");
        read(request.header("X-Request-ID", "v1").json(body))
    };
    let (status, verified) = verify(&first, &body).await;
    assert_eq!(
        (status, &verified["success"]),
        (StatusCode::OK, &json!(true)),
        "{verified}"
    );
    assert_eq!(
        verify(&first, &body).await.1["execution_id"],
        verified["execution_id"],
        "a repeat is not run again"
    );
    assert_eq!(first.server.snapshot().verifications.len(), 1);
    let session = json!({"messages": [{"role": "user", "content": "a"}], "job_id": "j", "task_key": "t", "status": "completed",
        "verifier_execution_id": verified["execution_id"]});
    send(&first, Method::POST, "/v1/sessions/ingest", session).await;
    let unknown = json!({"messages": [{"role": "user", "content": "a"}], "job_id": "j", "task_key": "t", "verifier_execution_id": "nobody"});
    send(&first, Method::POST, "/v1/sessions/ingest", unknown).await;
    first.stop().await;

    let second = server(dir.path(), None).await;
    let group = second.get("/v1/sessions/job/j").await["tasks"][0].clone();
    assert_eq!(
        (
            &group["total_sessions"],
            &group["passed_sessions"],
            &group["pass_rate"],
            &group["average_score"]
        ),
        (&json!(2), &json!(1), &json!(0.5), &json!(1.0)),
        "{group}"
    );
    assert_eq!(
        group["sessions"][0]["verifier_execution"]["execution_time_ms"],
        verified["execution_time_ms"]
    );
    assert_eq!(group["sessions"][1]["verifier_execution"], Value::Null);
    assert_eq!(
        second
            .get(&format!("/v1/verifiers/check?sha256={}", bundle.sha256()))
            .await["success"],
        true
    );
    let fresh = second.create_default().await;
    body["bundle"] = Value::Null;
    body["args_array"] = json!([{"env": id(&fresh)}]);
    let request = second
        .request(Method::POST, "/v1/verifiers/execute")
        .json(&body);
    assert_eq!(read(request).await.1["success"], true);
    second.stop().await;
}

/// Starts a server as a process of its own; its address.
fn process(packages: &Path, state: &Path) -> (std::process::Child, String) {
    let mut child = std::process::Command::new(TEST_APP)
        .arg("server")
        .args([packages, state])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let out = child.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).unwrap();
    (child, line.trim().to_owned())
}

#[tokio::test]
async fn a_server_that_is_killed_in_the_middle_leaves_all_that_it_had_answered() {
    let (packages, _, _) = prepare(NOTES, |_| {});
    let dir = tempfile::tempdir().unwrap();
    let (mut child, url) = process(&packages.path().join("packages"), dir.path());
    // As the server does, which this process has not started yet.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let create = http
        .post(format!("{url}/v1/env/instances"))
        .json(&json!({"env_key": "notes", "run_id": "r"}));
    let (_, alive) = read(create).await;
    // Writers that go on until the server is gone; each notes how many of its messages were answered.
    let writers = (0..4).map(|n| {
        let (http, url) = (http.clone(), url.clone());
        tokio::spawn(async move {
            let mut answered = 0_u64;
            loop {
                let body = json!({"session_id": format!("s{n}"), "job_id": "j", "messages": [{"role": "user", "content": answered}]});
                match http.post(format!("{url}/v1/sessions/ingest")).json(&body).send().await {
                    Ok(answer) if answer.status().is_success() => answered += 1,
                    _ => return answered,
                }
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    let deadline = std::time::Instant::now() + crate::support::DEADLINE;
    loop {
        let (_, listed) = read(http.get(format!("{url}/v1/jobs"))).await;
        if listed["jobs"][0]["session_count"] == 4 {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{listed}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let worked_in = std::fs::read_to_string(dir.path().join("works-in")).unwrap();
    assert!(Path::new(&worked_in).is_dir(), "{worked_in}");
    let answered: Vec<u64> = futures::future::join_all(writers)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();

    let second = server(dir.path(), None).await;
    assert!(
        !Path::new(&worked_in).exists(),
        "{worked_in} is left behind"
    );
    for (n, answered) in answered.into_iter().enumerate() {
        let transcript = second.get(&format!("/v1/sessions/s{n}/transcript")).await;
        let kept: Vec<u64> = transcript["transcript"]
            .as_array()
            .unwrap()
            .iter()
            .map(|message| message["content"].as_u64().unwrap())
            .collect();
        // The last one may have been written without its answer getting out.
        assert!(
            kept.len() as u64 == answered || kept.len() as u64 == answered + 1,
            "{answered}: {kept:?}"
        );
        assert_eq!(kept, (0..kept.len() as u64).collect::<Vec<_>>());
    }
    let record = second.instance(id(&alive)).await;
    assert_eq!(
        (&record["status"], &record["status_reason"]),
        (
            &json!("stopped"),
            &json!("the server ended while the instance was alive")
        )
    );
    assert_eq!(
        second.get("/v1/env/runs?active=inactive").await[0]["total_count"],
        1
    );
    second.stop().await;
}

#[tokio::test]
async fn a_request_id_is_not_taken_for_another_environment_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (state, other) = (dir.path().join("state"), dir.path().join("other"));
    std::fs::create_dir(&other).unwrap();
    std::fs::write(
        other.join("environment.yaml"),
        NOTES.replace("key: notes", "key: other"),
    )
    .unwrap();
    for file in ["notes.sql", "full.sql"] {
        std::fs::write(other.join(file), "CREATE TABLE notes (id INTEGER);").unwrap();
    }
    let create = async |server: &TestServer, env_key: &str| {
        let request = server.request(Method::POST, "/v1/env/instances");
        let body = json!({"env_key": env_key});
        read(request.header("X-Request-ID", "r-1").json(&body)).await
    };
    let mut made = Value::Null;
    for round in 0..2 {
        let server = TestServer::with(NOTES, |config| {
            config.state_dir = Some(state.clone());
            config.environments.push(other.clone());
        })
        .await;
        if round == 0 {
            let (status, record) = create(&server, "notes").await;
            assert_eq!(status, StatusCode::OK, "{record}");
            made = record["instance_id"].clone();
        }
        let (status, body) = create(&server, "other").await;
        assert_eq!(status, StatusCode::CONFLICT, "{body}");
        assert_eq!(body["detail"]["error"], "request_id_reused");
        let (status, body) = create(&server, "notes").await;
        assert_eq!(status, StatusCode::CONFLICT, "{body}");
        assert_eq!(body["detail"]["error"], "duplicate_request_id");
        assert_eq!(body["detail"]["instance_id"], made);
        server.stop().await;
    }
}
