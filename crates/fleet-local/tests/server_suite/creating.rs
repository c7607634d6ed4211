//! From a create to a usable instance, or to a clear answer why not.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{NOTES, TestServer, id, read};

#[tokio::test]
async fn a_created_instance_is_usable_and_described_in_full() {
    let server = TestServer::start().await;
    let record = server
        .create(json!({
            "env_key": "notes", "env_version": "v1.0.0", "data_key": "full", "data_version": "v2", "region": "us-east-1", "run_id": "run-1",
            "env_variables": {"OVERRIDDEN": "instance", "NUMBER": 7, "LIST": [1, 2]},
            "ttl_seconds": 600, "heartbeat_interval": 30, "created_from": "sdk", "max_wait_seconds": 870, "no_such_field": 1,
        }))
        .await;
    let id = id(&record);
    assert!(
        id.len() == 8
            && id
                .chars()
                .all(|c| c.is_ascii_hexdigit() && !c.is_ascii_uppercase()),
        "{id}"
    );
    for (field, value) in [
        ("env_key", json!("notes")),
        ("version", json!("v1.0.0")),
        ("data_key", json!("full")),
        ("data_version", json!("v2")),
        ("region", json!("us-east-1")),
        ("run_id", json!("run-1")),
        ("heartbeat_interval", json!(30)),
        ("health", json!(true)),
        ("terminated_at", Value::Null),
        (
            "env_variables",
            json!({"OVERRIDDEN": "instance", "NUMBER": 7, "LIST": [1, 2]}),
        ),
    ] {
        assert_eq!(record[field], value, "{field}");
    }
    for field in [
        "subdomain",
        "created_at",
        "updated_at",
        "team_id",
        "profile_id",
    ] {
        assert!(
            record[field].as_str().is_some_and(|text| !text.is_empty()),
            "{field}"
        );
    }
    let root = record["urls"]["root"].as_str().unwrap();
    assert!(
        root.starts_with("http://127.0.0.1:") && root.ends_with('/'),
        "{root}"
    );
    assert_eq!(
        record["urls"]["manager"]["api"],
        format!("{root}web/api/v1/env")
    );
    let app = record["urls"]["app"][0].as_str().unwrap();
    assert!(app.ends_with("/start") && !app.starts_with(root), "{app}");

    let environment = server.text(&format!("{root}env")).await;
    let lines: Vec<&str> = environment.lines().collect();
    for line in [
        "OVERRIDDEN=instance",
        "NUMBER=7",
        "LIST=[1,2]",
        "FLEET_ENV_KEY=notes",
        "FLEET_ENV_VERSION=v1.0.0",
    ] {
        assert!(lines.contains(&line), "{line} in {environment}");
    }
    assert!(
        lines.contains(&format!("FROM_PACKAGE={id}").as_str()),
        "{environment}"
    );
    assert!(
        !environment.contains("CARGO"),
        "nothing else is inherited: {environment}"
    );
    // `full` at `v2` is the empty table; `full` itself has two rows.
    assert_eq!(server.text(&format!("{root}count")).await, "0");
    let other = server
        .create(json!({"env_key": "notes", "data_key": "full"}))
        .await;
    assert_eq!(
        server
            .text(&format!("{}count", other["urls"]["root"].as_str().unwrap()))
            .await,
        "2"
    );
    assert_eq!(server.instance(id).await, record);
    server.stop().await;
}

#[tokio::test]
async fn defaults_are_the_last_version_and_the_default_data() {
    let server = TestServer::start().await;
    for version in [Value::Null, json!(""), json!("None")] {
        let record = server
            .create(json!({"env_key": "notes", "env_version": version}))
            .await;
        assert_eq!(
            (&record["version"], &record["data_key"]),
            (&json!("v1.1.0"), &json!("default"))
        );
        assert_eq!(record["region"], "us-west-1");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_created_is_refused_in_the_words_the_client_understands() {
    let server = TestServer::start().await;
    let refused = async |body: Value| server.try_create(body).await;
    let text = |(status, body): (StatusCode, Value)| {
        (
            status.as_u16(),
            body["detail"].as_str().unwrap_or_default().to_owned(),
        )
    };

    assert_eq!(
        text(refused(json!({"env_key": "nope"})).await),
        (400, "Environment 'nope' not found".to_owned())
    );
    assert_eq!(
        text(refused(json!({"env_key": "notes", "env_version": "v9"})).await),
        (400, "Version 'v9' not found for 'notes'".to_owned())
    );
    assert_eq!(
        text(refused(json!({"env_key": "notes", "region": "mars-1"})).await),
        (
            400,
            "Region mars-1 not supported. Please use ['us-west-1', 'us-east-1', 'eu-west-2']"
                .to_owned()
        )
    );
    for data in [
        json!({"data_key": "nope"}),
        json!({"data_key": "full", "data_version": "v1"}),
    ] {
        let mut body = json!({"env_key": "notes"});
        body.as_object_mut()
            .unwrap()
            .extend(data.as_object().unwrap().clone());
        let (status, text) = text(refused(body).await);
        assert_eq!(status, 400);
        // These words belong to other errors.
        assert!(
            !text.contains("not found")
                && !text.contains("version")
                && !text.contains("nvironment"),
            "{text}"
        );
    }

    let (status, body) =
        refused(json!({"heartbeat_interval": 29, "ttl_seconds": "x", "env_variables": {"A=B": 1}}))
            .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let fields: Vec<&Value> = body["detail"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| &problem["loc"][1])
        .collect();
    assert_eq!(
        fields,
        [
            "env_key",
            "ttl_seconds",
            "heartbeat_interval",
            "env_variables"
        ]
    );
    assert_eq!(
        body["detail"][2]["msg"],
        "Input should be greater than or equal to 30"
    );
    let (status, _) = refused(json!({"env_key": "notes", "heartbeat_interval": 3601})).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let (status, body) = read(server.request(Method::POST, "/v1/env/instances").body("{")).await;
    assert_eq!(
        (status, &body["detail"][0]["type"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("json_invalid"))
    );

    assert_eq!(server.server.snapshot().created, 0);
    server.stop().await;
}

#[tokio::test]
async fn a_create_that_may_not_wait_is_answered_pending_and_runs_later() {
    let server = TestServer::start().await;
    let (status, record) = server
        .try_create(json!({"env_key": "notes", "max_wait_seconds": 0}))
        .await;
    assert_eq!(
        (status, &record["status"], &record["urls"]),
        (StatusCode::OK, &json!("pending"), &Value::Null)
    );
    let record = server.wait_for_status(id(&record), "running").await;
    assert!(record["urls"]["root"].is_string());
    server.stop().await;
}

#[tokio::test]
async fn an_app_that_ends_at_once_fails_the_create_with_its_last_words() {
    let manifest = NOTES.replace(
        "serve, --port, \"{port}\", --db, \"{db:current}\", --token, TOKEN",
        "fail, no, such, module, TOKEN",
    );
    let server = TestServer::with(&manifest, |_| {}).await;
    let create = || {
        server
            .request(Method::POST, "/v1/env/instances")
            .header("X-Request-ID", "r-1")
            .json(&json!({"env_key": "notes"}))
    };
    let (status, body) = read(create()).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    let message = body["detail"]["message"].as_str().unwrap();
    assert!(
        message.contains("exited with status 7") && message.contains("no such module"),
        "{message}"
    );
    let id = body["detail"]["instance_id"].as_str().unwrap();

    let record = server.instance(id).await;
    assert_eq!(
        (&record["status"], &record["health"]),
        (&json!("error"), &json!(false))
    );
    assert!(
        record["status_reason"]
            .as_str()
            .unwrap()
            .contains("no such module"),
        "{record}"
    );
    let (status, body) = read(create()).await;
    assert_eq!(
        (status, body["detail"]["instance_id"].as_str()),
        (StatusCode::CONFLICT, Some(id))
    );
    assert!(
        body["detail"]["message"]
            .as_str()
            .unwrap()
            .contains("no such module"),
        "{body}"
    );
    assert_eq!(
        (
            server.server.snapshot().start_failed,
            server.server.snapshot().live
        ),
        (1, 0)
    );
    server.stop().await;
}

#[tokio::test]
async fn an_app_that_never_gets_healthy_fails_after_its_time_and_is_gone() {
    let manifest = NOTES
        .replace(
            "--token, TOKEN",
            "--token, TOKEN, --unhealthy-ms, \"100000\"",
        )
        .replace("20s", "300ms");
    let server = TestServer::with(&manifest, |_| {}).await;
    let (status, body) = server.try_create(json!({"env_key": "notes"})).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(
        body["detail"]["message"]
            .as_str()
            .unwrap()
            .contains("was not healthy within 0.3 s: /health"),
        "{body}"
    );
    assert_eq!(server.processes(), Vec::<String>::new());
    server.stop().await;
}

#[tokio::test]
async fn a_program_that_does_not_exist_is_named() {
    let manifest = NOTES.replace("\"{harness}\", serve", "no-such-program-anywhere");
    let server = TestServer::with(&manifest, |_| {}).await;
    let (status, body) = server.try_create(json!({"env_key": "notes"})).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(
        body["detail"]["message"]
            .as_str()
            .unwrap()
            .contains("no-such-program-anywhere"),
        "{body}"
    );
    server.stop().await;
}

#[tokio::test]
async fn setup_commands_run_before_the_apps_and_their_failure_fails_the_create() {
    let setup = r#"setup: [["{harness}", touch, "{instance_dir}/made", "{db:seed}"]]"#;
    let server = TestServer::with(&format!("{NOTES}{setup}\n"), |_| {}).await;
    let record = server.create_default().await;
    let made = find_file(server.dir.path(), "made");
    let seed = std::fs::read_to_string(made).unwrap();
    assert!(seed.contains(id(&record)), "{seed}");
    assert!(std::fs::metadata(seed).unwrap().permissions().readonly());
    server.stop().await;

    let server = TestServer::with(
        &format!("{NOTES}setup: [[\"{{harness}}\", fail, not, today]]\n"),
        |_| {},
    )
    .await;
    let (status, body) = server.try_create(json!({"env_key": "notes"})).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    let message = body["detail"]["message"].as_str().unwrap();
    assert!(
        message.contains("setup command 1 exited with status 7; its last output: not today"),
        "{message}"
    );
    server.stop().await;
}

#[tokio::test]
async fn an_instance_begins_with_what_setup_left_in_its_database() {
    let sql = "PRAGMA journal_mode = WAL; CREATE TABLE made (id INTEGER PRIMARY KEY); INSERT INTO made VALUES (7)";
    let setup = format!(r#"setup: [["{{harness}}", sql, "{{db:current}}", "{sql}"]]"#);
    let server = TestServer::with(&format!("{NOTES}{setup}\n"), |_| {}).await;
    let record = server.create_default().await;
    let manager = record["urls"]["manager"]["api"].as_str().unwrap();
    let made = async |database: &str| {
        let query = server
            .http
            .post(format!("{manager}/resources/sqlite/{database}/query"))
            .json(&json!({"query": "SELECT id FROM made", "read_only": true}));
        read(query).await.1["rows"].clone()
    };
    assert_eq!(made("seed").await, json!([[7]]));
    let (_, compared) = read(
        server
            .http
            .post(format!("{manager}/diff/structured"))
            .json(&json!({})),
    )
    .await;
    for (table, diff) in compared["diff"].as_object().unwrap() {
        assert_eq!(diff["total_changes"], 0, "{table}");
    }
    let (status, _) = read(
        server
            .http
            .post(format!("{manager}/reset"))
            .json(&json!({})),
    )
    .await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        made("current").await,
        json!([[7]]),
        "a reset loses nothing of it"
    );
    server.stop().await;

    let setup = r#"setup: [["{harness}", touch, "{db:current}", no, database]]"#;
    let server = TestServer::with(&format!("{NOTES}{setup}\n"), |_| {}).await;
    let (status, body) = server.try_create(json!({"env_key": "notes"})).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    let message = body["detail"]["message"].as_str().unwrap();
    assert!(
        message.contains("the data that setup left cannot be used: cannot open the database"),
        "{message}"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_repeated_request_id_names_the_first_instance() {
    let server = TestServer::start().await;
    let create = |credential: &str, request: &str| {
        read(
            server
                .request(Method::POST, "/v1/env/instances")
                .bearer_auth(credential)
                .header("X-Request-ID", request)
                .json(&json!({"env_key": "notes"})),
        )
    };
    let (status, first) = create("a", "r-1").await;
    assert_eq!(status, StatusCode::OK);
    for _ in 0..2 {
        let (status, body) = create("a", "r-1").await;
        assert_eq!(status, StatusCode::CONFLICT);
        assert_eq!(body["detail"]["error"], "duplicate_request_id");
        assert_eq!(body["detail"]["instance_id"], first["instance_id"]);
        // The second time after its end: the answer must not invite a new instance.
        server.close(id(&first)).await;
    }
    let (status, other) = create("b", "r-1").await;
    assert_eq!(
        status,
        StatusCode::OK,
        "request ids belong to their credential"
    );
    assert_ne!(other["instance_id"], first["instance_id"]);
    assert_eq!(create("a", "r-2").await.0, StatusCode::OK);
    assert_eq!(server.server.snapshot().created, 3);
    server.stop().await;
}

#[tokio::test]
async fn of_simultaneous_repeats_one_creates_and_all_name_its_instance() {
    let manifest = NOTES.replace("--token, TOKEN", "--token, TOKEN, --unhealthy-ms, \"300\"");
    let server = TestServer::with(&manifest, |_| {}).await;
    let answers = futures::future::join_all((0..8).map(|_| {
        read(
            server
                .request(Method::POST, "/v1/env/instances")
                .header("X-Request-ID", "same")
                .json(&json!({"env_key": "notes"})),
        )
    }))
    .await;
    let (created, repeated): (Vec<_>, Vec<_>) = answers
        .into_iter()
        .partition(|(status, _)| *status == StatusCode::OK);
    assert_eq!((created.len(), repeated.len()), (1, 7));
    for (status, body) in repeated {
        assert_eq!(status, StatusCode::CONFLICT);
        assert_eq!(body["detail"]["instance_id"], created[0].1["instance_id"]);
    }
    assert_eq!(server.server.snapshot().created, 1);
    server.stop().await;
}

#[tokio::test]
async fn the_limit_holds_under_simultaneous_creates_and_frees_with_each_close() {
    let server = TestServer::with(NOTES, |config| config.instance_limit = 3).await;
    let answers =
        futures::future::join_all((0..9).map(|_| server.try_create(json!({"env_key": "notes"}))))
            .await;
    let (created, refused): (Vec<_>, Vec<_>) = answers
        .into_iter()
        .partition(|(status, _)| *status == StatusCode::OK);
    assert_eq!((created.len(), refused.len()), (3, 6));
    for (status, body) in refused {
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert_eq!(
            body["detail"],
            json!({
                "error_type": "instance_limit_exceeded", "running_instances": 3, "instance_limit": 3,
                "message": "Instance limit reached. You have 3 running instances out of a maximum of 3.",
            })
        );
    }
    let account = server.get("/v1/account").await;
    assert_eq!(
        (&account["instance_limit"], &account["instance_count"]),
        (&json!(3), &json!(3))
    );
    server.close(id(&created[0].1)).await;
    assert_eq!(server.get("/v1/account").await["instance_count"], 2);
    server.create_default().await;
    assert_eq!(server.server.snapshot().max_live, 3);
    server.stop().await;
}

#[tokio::test]
async fn starts_beyond_the_bound_wait_their_turn() {
    let manifest = NOTES.replace("--token, TOKEN", "--token, TOKEN, --unhealthy-ms, \"100\"");
    let server = TestServer::with(&manifest, |config| config.concurrent_starts = 1).await;
    let began = std::time::Instant::now();
    let records =
        futures::future::join_all((0..4).map(|_| server.create(json!({"env_key": "notes"})))).await;
    assert!(
        began.elapsed() >= Duration::from_millis(400),
        "they started at the same time: {:?}",
        began.elapsed()
    );
    assert_eq!(records.len(), 4);
    server.stop().await;
}

fn find_file(dir: &std::path::Path, name: &str) -> std::path::PathBuf {
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in crate::support::entries(&dir) {
            if entry.file_name().is_some_and(|found| found == name) {
                return entry;
            }
            if entry.is_dir() {
                dirs.push(entry);
            }
        }
    }
    panic!("no {name} below {}", dir.display());
}
