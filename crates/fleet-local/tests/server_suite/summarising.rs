//! Summaries of jobs: by a program or an endpoint, kept, and never left half written.

use std::path::Path;
use std::time::{Duration, Instant};

use fleet_local::{JudgeConfig, JudgeEngine};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::judging::{endpoint, shell, with};
use crate::support::{DEADLINE, NOTES, TestServer, processes_with, read};

/// Says what it was shown.
const ECHO: &str = r#"exec python3 -c 'import json, sys; asked = json.load(sys.stdin); print(json.dumps({"summary": asked["kind"] + " by " + str(asked["model"]) + ": " + asked["material"]}))'"#;

/// Stores a session of the job.
async fn session(server: &TestServer, job: &str, id: &str, text: &str) {
    let body = json!({
        "session_id": id, "job_id": job, "task_key": "task-1", "status": "completed",
        "messages": [{"role": "user", "content": "Close it."}, {"role": "assistant", "content": text}],
    });
    let request = server.request(Method::POST, "/v1/sessions/ingest");
    let (status, answer) = read(request.json(&body)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

async fn ask(server: &TestServer, job: &str, change: Value) -> (StatusCode, Value) {
    let mut body = json!({"job_id": job, "model": "acme/reader-1"});
    let fields = body.as_object_mut().unwrap();
    fields.extend(change.as_object().unwrap().clone());
    read(
        server
            .request(Method::POST, "/v1/summarize/job")
            .json(&body),
    )
    .await
}

/// The id of a summary that is written from now on, or was already.
async fn begin(server: &TestServer, job: &str, change: Value) -> String {
    let (status, answer) = ask(server, job, change).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    answer["summary_id"].as_str().unwrap().to_owned()
}

async fn summary(server: &TestServer, id: &str) -> Value {
    server.get(&format!("/v1/summaries/{id}")).await
}

async fn ended(server: &TestServer, id: &str) -> Value {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let summary = summary(server, id).await;
        if summary["status"] != "running" {
            return summary;
        }
        assert!(Instant::now() < deadline, "{summary}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_command_is_shown_the_sessions_and_what_it_writes_is_kept() {
    let server = with(shell(ECHO)).await;
    session(&server, "job-1", "s-1", "I closed it.").await;
    session(&server, "job-1", "s-2", "I could not.").await;
    let id = begin(&server, "job-1", json!({})).await;
    let summary = ended(&server, &id).await;
    assert_eq!(
        (
            &summary["status"],
            &summary["job_id"],
            &summary["session_count"],
            &summary["reason"]
        ),
        (
            &json!("completed"),
            &json!("job-1"),
            &json!(2),
            &Value::Null
        ),
        "{summary}"
    );
    let text = summary["text"].as_str().unwrap();
    assert!(
        text.starts_with("summary by acme/reader-1: Job job-1 (job-1): 2 sessions"),
        "{text}"
    );
    for part in [
        "## Session s-1",
        "I closed it.",
        "## Session s-2",
        "I could not.",
        "status: completed",
        "not verified",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_same_is_written_once_and_anew_when_a_session_came_or_it_is_forced() {
    let server = with(shell(ECHO)).await;
    session(&server, "job-1", "s-1", "a").await;
    let first = begin(&server, "job-1", json!({})).await;
    assert_eq!(
        begin(&server, "job-1", json!({})).await,
        first,
        "one under way"
    );
    ended(&server, &first).await;
    assert_eq!(
        begin(&server, "job-1", json!({})).await,
        first,
        "one that was written"
    );
    let forced = begin(&server, "job-1", json!({"force_new_summary": true})).await;
    let other = begin(&server, "job-1", json!({"model": "acme/reader-2"})).await;
    session(&server, "job-1", "s-2", "b").await;
    let more = begin(&server, "job-1", json!({})).await;
    let ids = std::collections::BTreeSet::from([&first, &forced, &other, &more]);
    assert_eq!(ids.len(), 4);
    for id in ids {
        assert_eq!(ended(&server, id).await["status"], "completed");
    }
    server.stop().await;
}

#[tokio::test]
async fn one_that_failed_says_why_and_does_not_stand_for_the_next() {
    let server = with(shell("echo no luck >&2; exit 3")).await;
    session(&server, "job-1", "s-1", "a").await;
    let id = begin(&server, "job-1", json!({})).await;
    let failed = ended(&server, &id).await;
    assert_eq!(
        (&failed["status"], &failed["text"]),
        (&json!("failed"), &Value::Null)
    );
    assert!(
        failed["reason"].as_str().unwrap().contains("no luck"),
        "{failed}"
    );
    assert_ne!(begin(&server, "job-1", json!({})).await, id);
    server.stop().await;
    let grades = with(shell("echo '{\"normalized_score\": 1}'")).await;
    session(&grades, "job-1", "s-1", "a").await;
    let id = begin(&grades, "job-1", json!({})).await;
    let failed = ended(&grades, &id).await;
    assert!(
        failed["reason"]
            .as_str()
            .unwrap()
            .contains(r#"{"summary": "…"}"#),
        "{failed}"
    );
    grades.stop().await;
}

#[tokio::test]
async fn an_endpoint_is_shown_no_more_than_was_asked_for_and_then_its_own_answers() {
    let (judge, asked) = endpoint(&["first half", "second half", "the whole"]).await;
    let server = with(judge).await;
    session(&server, "job-1", "s-1", &"a".repeat(7_000)).await;
    session(&server, "job-1", "s-2", &"b".repeat(7_000)).await;
    let limits = json!({"model": "", "max_context_tokens": 2_000, "max_concurrent": 1});
    let id = begin(&server, "job-1", limits).await;
    assert_eq!(ended(&server, &id).await["text"], "the whole");
    let asked = asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 3);
    let content =
        |at: usize, message: usize| asked[at]["messages"][message]["content"].as_str().unwrap();
    for at in 0..3 {
        assert!(content(at, 0).len() + content(at, 1).len() <= 4 * 2_000);
        assert!(content(at, 1).starts_with("Job job-1"), "{asked:?}");
    }
    assert!(content(0, 1).contains("aaa") && content(1, 1).contains("bbb"));
    assert!(
        content(2, 1).ends_with("first half\n\nsecond half"),
        "{asked:?}"
    );
    assert_eq!(asked[0]["model"], "acme/judge");
    assert!(asked[0]["response_format"].is_null(), "{asked:?}");
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_summarised_is_refused_with_the_reason_and_never_as_not_found() {
    let mut judge = shell(ECHO);
    judge.token = Some("right".into());
    let server = with(judge).await;
    let body = json!({"job_id": "job-1", "model": "m"});
    let (status, answer) = ask(&server, "job-1", json!({})).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "{answer}");
    let authorised = async |change: Value| {
        let mut body = body.clone();
        body.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let request = server
            .request(Method::POST, "/v1/summarize/job")
            .header("X-Fleet-Judge-Token", "right");
        let (status, answer) = read(request.json(&body)).await;
        (status.as_u16(), answer["detail"].to_string())
    };
    let (status, detail) = authorised(json!({})).await;
    assert!(
        status == 400 && detail.contains("Job 'job-1' not found"),
        "{detail}"
    );
    let trace = server.request(Method::POST, "/v1/traces/jobs");
    read(trace.json(&json!({"name": "empty"}))).await;
    let (status, detail) = authorised(json!({"job_id": "empty"})).await;
    assert!(
        status == 400 && detail.contains("has 0 sessions"),
        "{detail}"
    );
    for (change, field) in [
        (json!({"max_context_tokens": 1_999}), "max_context_tokens"),
        (
            json!({"max_context_tokens": 2_000_001}),
            "max_context_tokens",
        ),
        (json!({"max_concurrent": 0}), "max_concurrent"),
        (json!({"model": "m".repeat(1_025)}), "model"),
    ] {
        let (status, detail) = authorised(change).await;
        assert!(status == 422 && detail.contains(field), "{detail}");
    }
    let (status, answer) = server.call(Method::GET, "/v1/summaries/none").await;
    assert_eq!(
        (status, &answer["detail"]),
        (StatusCode::BAD_REQUEST, &json!("Summary 'none' not found"))
    );
    server.stop().await;
}

#[tokio::test]
async fn a_repeated_request_begins_one_summary_and_too_many_are_refused() {
    let server = with(shell("exec sleep 3600")).await;
    session(&server, "job-1", "s-1", "a").await;
    let forced = json!({"job_id": "job-1", "model": "m", "force_new_summary": true});
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..2 {
        let request = server
            .request(Method::POST, "/v1/summarize/job")
            .header("X-Request-ID", "r-1");
        let (_, answer) = read(request.json(&forced)).await;
        ids.insert(answer["summary_id"].to_string());
    }
    assert_eq!(ids.len(), 1);
    for _ in 1..20 {
        begin(&server, "job-1", json!({"force_new_summary": true})).await;
    }
    let (status, answer) = ask(&server, "job-1", json!({"force_new_summary": true})).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS, "{answer}");
    server.stop().await;
}

async fn lasting(state: &Path, script: &str) -> TestServer {
    TestServer::with(NOTES, |config| {
        config.state_dir = Some(state.to_owned());
        config.judge = Some(shell(script));
    })
    .await
}

/// Waits for the file by which a judge says how far it is.
async fn until_there(mark: &Path) {
    let deadline = Instant::now() + DEADLINE;
    while !mark.exists() {
        assert!(Instant::now() < deadline, "no {}", mark.display());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn one_that_was_written_survives_the_server_and_one_that_was_not_ends_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let started = dir.path().join("started");
    let first = lasting(&state, ECHO).await;
    session(&first, "job-1", "s-1", "a").await;
    let written = begin(&first, "job-1", json!({})).await;
    let before = ended(&first, &written).await;
    first.stop().await;

    let script = format!("echo > {}; sleep 3600; true", started.display());
    let second = lasting(&state, &script).await;
    assert_eq!(summary(&second, &written).await, before);
    assert_eq!(begin(&second, "job-1", json!({})).await, written);
    let unwritten = begin(&second, "job-1", json!({"force_new_summary": true})).await;
    until_there(&started).await;
    second.stop().await;
    let left = processes_with(started.to_str().unwrap());
    assert_eq!(left, Vec::<String>::new(), "the judge outlived the server");

    let third = lasting(&state, ECHO).await;
    let failed = summary(&third, &unwritten).await;
    assert_eq!(failed["status"], "failed", "{failed}");
    assert!(
        failed["reason"]
            .as_str()
            .unwrap()
            .contains("the server ended"),
        "{failed}"
    );
    assert!(failed["ended_at"].is_string());
    third.stop().await;
}

#[tokio::test]
async fn one_whose_server_was_killed_is_failed_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let first = lasting(&state, ECHO).await;
    session(&first, "job-1", "s-1", "a").await;
    let id = begin(&first, "job-1", json!({})).await;
    ended(&first, &id).await;
    first.stop().await;
    // As a server leaves it that had no time to say anything.
    let connection = rusqlite::Connection::open(state.join("fleet.sqlite3")).unwrap();
    let undone = "UPDATE summaries SET status = 'running', text = NULL, ended_at = NULL";
    assert_eq!(connection.execute(undone, []), Ok(1));
    drop(connection);
    let second = lasting(&state, ECHO).await;
    let failed = summary(&second, &id).await;
    assert_eq!(failed["status"], "failed", "{failed}");
    assert!(
        failed["reason"]
            .as_str()
            .unwrap()
            .contains("ask for it again"),
        "{failed}"
    );
    second.stop().await;
}

#[tokio::test]
async fn an_end_that_cannot_be_kept_is_tried_until_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let written = dir.path().join("written");
    let script = format!("({ECHO}); echo > {}", written.display());
    let server = lasting(&state, &script).await;
    session(&server, "job-1", "s-1", "a").await;
    // A disk that takes no end of a summary.
    let disk = rusqlite::Connection::open(state.join("fleet.sqlite3")).unwrap();
    disk.execute_batch(
        "CREATE TRIGGER full BEFORE UPDATE ON summaries BEGIN SELECT RAISE(ABORT, 'full'); END",
    )
    .unwrap();
    let id = begin(&server, "job-1", json!({})).await;
    until_there(&written).await;
    // The summary is there; its end is tried now, in vain.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(summary(&server, &id).await["status"], "running");
    disk.execute_batch("DROP TRIGGER full").unwrap();
    assert_eq!(ended(&server, &id).await["status"], "completed");
    server.stop().await;
}

#[tokio::test]
async fn a_key_that_the_endpoint_quotes_is_not_kept() {
    const KEY: &str = "sk-judge-0123456789";
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let refuse = |headers: http::HeaderMap| async move {
        let key = headers["authorization"].to_str().unwrap().to_owned();
        // Cut in the middle of the key, if it were cut first.
        let text = format!("{}{key} is no key", " ".repeat(490));
        (StatusCode::UNAUTHORIZED, text)
    };
    let app = axum::Router::new().route("/v1/chat/completions", axum::routing::post(refuse));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let engine = JudgeEngine::Model {
        url: url.parse().unwrap(),
        model: "acme/judge".to_owned(),
        key: Some(KEY.to_owned().into()),
    };
    let server = with(JudgeConfig::new(engine)).await;
    session(&server, "job-1", "s-1", "a").await;
    let id = begin(&server, "job-1", json!({})).await;
    let failed = ended(&server, &id).await;
    let reason = failed["reason"].as_str().unwrap();
    assert!(reason.contains("401"), "{reason}");
    assert!(!reason.contains("sk-"), "{reason}");
    server.stop().await;
}
