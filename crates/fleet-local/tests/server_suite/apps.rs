//! Environments of several apps, each with its own manager, and what apps are told.

use futures::StreamExt as _;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{TestServer, read};

/// Two apps on two databases; the second one has MCP and computer use.
const OFFICE: &str = r#"
key: office
data:
  default: {current: notes.sql, mail: full.sql}
  bare: {current: notes.sql}
apps:
  web:
    command: ["{harness}", serve, --port, "{port}", --db, "{db:current}", --token, TOKEN]
    health: /health
    databases: {current: current}
    env: {FROM_PACKAGE: package, OVERRIDDEN: package}
  mail:
    command: ["{harness}", serve, --port, "{port}", --token, TOKEN]
    health: /health
    databases: {current: mail}
    mcp: /events
    computer_mcp: /computer
start_timeout: 20s
"#;

async fn office(change: Value) -> (TestServer, Value) {
    let server = TestServer::with(OFFICE, |config| config.browser = None).await;
    let mut body = json!({"env_key": "office"});
    body.as_object_mut()
        .unwrap()
        .extend(change.as_object().unwrap().clone());
    let record = server.create(body).await;
    (server, record)
}

async fn sql(server: &TestServer, manager: &str, sql: &str) -> Value {
    let body = json!({"query": sql, "args": null, "read_only": false});
    let url = format!("{manager}/resources/sqlite/current/query");
    read(server.http.post(url).json(&body)).await.1
}

async fn environment(server: &TestServer, root: &str) -> Vec<String> {
    let text = server.text(&format!("{root}env")).await;
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn each_app_has_a_manager_of_its_own_with_its_own_databases() {
    let (server, record) = office(json!({})).await;
    let root = record["urls"]["root"].as_str().unwrap();
    let main = record["urls"]["manager"]["api"].as_str().unwrap();
    assert_eq!(main, format!("{root}web/api/v1/env"));
    let mail = format!("{root}mail/api/v1/env");
    let count = "SELECT count(*) FROM notes";
    assert_eq!(sql(&server, main, count).await["rows"], json!([[0]]));
    assert_eq!(sql(&server, &mail, count).await["rows"], json!([[2]]));
    let (_, resources) = read(server.http.get(format!("{mail}/resources"))).await;
    let names: Vec<_> = resources
        .as_array()
        .unwrap()
        .iter()
        .map(|resource| resource["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["seed", "current"]);

    for manager in [main, &mail] {
        sql(&server, manager, "INSERT INTO notes (text) VALUES ('x')").await;
    }
    let diff = |manager: String| {
        let request = server.http.post(format!("{manager}/diff/structured"));
        async move { read(request.json(&json!({}))).await.1["diff"]["notes"]["total_changes"].clone() }
    };
    // Another app's reset renews what is its own; the first one's renews everything.
    let reset = async |manager: &str| {
        let (_, answer) = read(server.http.post(format!("{manager}/reset"))).await;
        assert_eq!(answer["success"], true, "{answer}");
    };
    reset(&mail).await;
    assert_eq!(
        (diff(main.to_owned()).await, diff(mail.clone()).await),
        (json!(1), json!(0))
    );
    sql(&server, &mail, "DELETE FROM notes").await;
    reset(main).await;
    assert_eq!(
        (diff(main.to_owned()).await, diff(mail.clone()).await),
        (json!(0), json!(0))
    );
    server.stop().await;
}

#[tokio::test]
async fn event_streams_of_mcp_pass_through_as_they_come_with_their_session() {
    let (server, record) = office(json!({})).await;
    let root = record["urls"]["root"].as_str().unwrap();
    for path in ["mcp", "mcp/", "mail/mcp"] {
        let request = server.http.get(format!("{root}{path}"));
        let answer = request
            .header("Mcp-Session-Id", "s-1")
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        assert_eq!(answer.headers()["mcp-session-id"], "s-1");
        let mut events = answer.bytes_stream();
        // The app sends the second one only when it is told to, so a buffered first one would never come.
        assert_eq!(events.next().await.unwrap().unwrap(), "data: first\n\n");
        server.text(&format!("{root}mail/release")).await;
        assert_eq!(events.next().await.unwrap().unwrap(), "data: second\n\n");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_computer_use_image_needs_an_app_that_has_it() {
    let (server, record) = office(json!({"image_type": "mcp"})).await;
    let root = record["urls"]["root"].as_str().unwrap();
    let seen = server.text(&format!("{root}api/v1/mcp")).await;
    assert!(seen.starts_with("GET /computer\n"), "{seen}");
    let told = environment(&server, root).await;
    assert!(
        told.contains(&"FLEET_IMAGE_TYPE=mcp".to_owned()),
        "{told:?}"
    );
    server.stop().await;

    let server = TestServer::start().await;
    let (status, refusal) = server
        .try_create(json!({"env_key": "notes", "image_type": "mcp"}))
        .await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let detail = refusal["detail"].to_string();
    assert!(detail.contains("computer_mcp"), "{detail}");
    server.stop().await;
}

#[tokio::test]
async fn apps_are_given_variables_time_and_seed_and_a_reset_changes_the_last_two() {
    let variables =
        json!({"OVERRIDDEN": "task", "LIST": [1, "a"], "NUMBER": 7, "CURRENT_DATE": "2020-01-01"});
    let (server, record) = office(json!({"env_variables": variables, "data_key": "bare"})).await;
    assert_eq!(record["env_variables"], variables);
    assert_eq!(record["data_key"], "bare");
    let root = record["urls"]["root"].as_str().unwrap();
    let told = environment(&server, root).await;
    for expected in [
        "FROM_PACKAGE=package",
        "OVERRIDDEN=task",
        "LIST=[1,\"a\"]",
        "NUMBER=7",
        "CURRENT_DATE=2020-01-01",
    ] {
        assert!(
            told.contains(&expected.to_owned()),
            "{expected} in {told:?}"
        );
    }
    let manager = record["urls"]["manager"]["api"].as_str().unwrap();
    // A database that this data key has not is none of the app's.
    let (_, mail) = read(server.http.get(format!("{root}mail/api/v1/env/resources"))).await;
    assert_eq!(mail, json!([]));

    let body = json!({"timestamp": 1_700_000_000, "seed": 11});
    let (_, answer) = read(server.http.post(format!("{manager}/reset")).json(&body)).await;
    assert_eq!(answer["success"], true, "{answer}");
    let told = environment(&server, root).await;
    for expected in [
        "FLEET_TIMESTAMP=1700000000",
        "FLEET_SEED=11",
        "CURRENT_DATE=2023-11-14",
    ] {
        assert!(
            told.contains(&expected.to_owned()),
            "{expected} in {told:?}"
        );
    }
    let (_, clock) = read(server.http.get(format!("{manager}/timestamp"))).await;
    let shown = clock["timestamp"].as_str().unwrap();
    assert!(shown.starts_with("2023-11-14T22:"), "{shown}");
    let body = json!({"timestamp": i64::MAX, "seed": null});
    let (_, answer) = read(server.http.post(format!("{manager}/reset")).json(&body)).await;
    assert_eq!(answer["success"], false, "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn what_an_app_writes_after_the_start_is_a_difference_of_the_files() {
    let (server, record) = office(json!({})).await;
    let root = record["urls"]["root"].as_str().unwrap();
    let manager = record["urls"]["manager"]["api"].as_str().unwrap();
    let changes = async || {
        let request = server.http.post(format!("{manager}/diff/fs"));
        read(request.json(&json!({}))).await.1
    };
    assert_eq!(changes().await["files"], json!([]));
    let write = server.http.post(format!("{root}write"));
    write.body("report.txt\nall done").send().await.unwrap();
    let diff = changes().await;
    assert_eq!(diff["total_files"], 1, "{diff}");
    assert_eq!(
        (&diff["files"][0]["path"], &diff["files"][0]["content"]),
        (&json!("/report.txt"), &json!("all done"))
    );
    server.stop().await;
}

/// The official client turns verifiers of an `env` into functions of two snapshots like this one.
const UNCHANGED: &str = "def unchanged(before: DatabaseSnapshot, after: DatabaseSnapshot, transcript: Optional[str] = None) -> int:
    before.diff(after).expect_only([])
    return TASK_SUCCESSFUL_SCORE
";

#[tokio::test]
async fn functions_of_clients_run_against_the_databases_of_their_app() {
    let Some(python) = std::env::var_os("HARNESS_TEST_PYTHON") else {
        crate::support::say_skipped("HARNESS_TEST_PYTHON names no Python with the official SDK");
        return;
    };
    let server = TestServer::with(OFFICE, |config| {
        config.python = fleet_local::verify::PythonConfig::Existing(python.into());
        config.verifier_sandbox = fleet_local::verify::SandboxMode::Best;
    })
    .await;
    let record = server.create(json!({"env_key": "office"})).await;
    let main = record["urls"]["manager"]["api"].as_str().unwrap();
    let mail = main.replace("/web/", "/mail/");
    sql(&server, &mail, "DELETE FROM notes WHERE id = 1").await;
    let run = async |manager: &str, code: &str, name: &str| {
        let body = json!({"function_code": code, "function_name": name, "text_solution": null});
        let url = format!("{manager}/execute_verifier_function");
        read(server.http.post(url).json(&body)).await.1
    };
    let passed = run(main, UNCHANGED, "unchanged").await;
    assert_eq!(
        (&passed["success"], &passed["result"], &passed["error"]),
        (&json!(true), &json!(1), &Value::Null),
        "{passed}"
    );
    // An error is text here: the client's model takes nothing else.
    let failed = run(&mail, UNCHANGED, "unchanged").await;
    assert_eq!(
        (&failed["success"], &failed["result"]),
        (&json!(false), &Value::Null)
    );
    let error = failed["error"].as_str().unwrap();
    assert!(
        error.starts_with("AssertionError") && error.contains("notes"),
        "{error}"
    );
    let broken = run(main, "def f(:", "f").await;
    assert!(
        broken["error"].as_str().unwrap().starts_with("SyntaxError"),
        "{broken}"
    );
    server.stop().await;
}

#[tokio::test]
async fn databases_of_apps_must_be_data_of_the_package() {
    let (_folder, _token, config) =
        crate::support::prepare(&OFFICE.replace("current: mail}", "current: post}"), |_| {});
    let error = fleet_local::Server::start(config).await.unwrap_err();
    let text = format!("{error:?}");
    assert!(
        text.contains("post") && text.contains("apps.mail.databases.current"),
        "{text}"
    );
}
