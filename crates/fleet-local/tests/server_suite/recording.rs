//! Jobs, sessions and logs, as the official client writes and reads them.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{NOTES, TestServer, id, read};

async fn post(server: &TestServer, path: &str, body: Value) -> (StatusCode, Value) {
    read(server.request(Method::POST, path).json(&body)).await
}

async fn done(server: &TestServer, path: &str, body: Value) -> Value {
    let (status, answer) = post(server, path, body).await;
    assert_eq!(status, StatusCode::OK, "{path}: {answer}");
    answer
}

async fn job(server: &TestServer, name: Value) -> String {
    let job = done(server, "/v1/traces/jobs", json!({"name": name})).await;
    assert!(
        job["name"].as_str().is_some_and(|name| !name.is_empty()),
        "{job}"
    );
    assert!(job["status"].is_string(), "{job}");
    job["job_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_session_is_made_added_to_and_ended_by_ingest() {
    let server = TestServer::start().await;
    let job = job(&server, json!("nightly")).await;
    let instance = server.create_default().await;
    let made = done(&server, "/v1/sessions/ingest", json!({
        "messages": [{"role": "system", "content": "[session created]"}], "status": "running", "model": "acme/one",
        "job_id": job, "instance_id": id(&instance), "started_at": "2026-01-01T00:00:00", "metadata": {"a": 1}})).await;
    assert_eq!(
        (&made["created_new_session"], &made["message_count"]),
        (&json!(true), &json!(1))
    );
    let session = made["session_id"].as_str().unwrap();
    let tool =
        json!({"role": "assistant", "content": null, "tool_calls": [{"id": "c1"}], "tokens": 4});
    let added = done(
        &server,
        "/v1/sessions/ingest",
        json!({"session_id": session, "messages": [tool,
        {"role": "tool", "content": [{"text": "x"}], "tool_call_id": "c1"}]}),
    )
    .await;
    assert_eq!(
        (&added["created_new_session"], &added["message_count"]),
        (&json!(false), &json!(3))
    );
    let end = json!({"session_id": session, "status": "completed", "messages": [{"role": "assistant", "content": "ok"}]});
    assert_eq!(
        done(&server, "/v1/sessions/ingest", end).await["message_count"],
        4
    );

    let transcript = server
        .get(&format!("/v1/sessions/{session}/transcript"))
        .await;
    let messages = transcript["transcript"].as_array().unwrap();
    assert_eq!(messages.len(), 4);
    assert!(
        messages
            .iter()
            .all(|message| message.get("content").is_some()),
        "{transcript}"
    );
    assert_eq!(
        (
            &messages[1]["tool_calls"][0]["id"],
            &messages[2]["tool_call_id"]
        ),
        (&json!("c1"), &json!("c1"))
    );
    assert_eq!(
        transcript["instance"]["instance_id"],
        instance["instance_id"]
    );

    let listed = server.get(&format!("/v1/sessions/job/{job}")).await;
    let group = &listed["tasks"][0];
    assert_eq!(
        (
            &listed["total_sessions"],
            &group["total_sessions"],
            &group["passed_sessions"]
        ),
        (&json!(1), &json!(1), &json!(0))
    );
    let info = &group["sessions"][0];
    assert_eq!(
        (&info["status"], &info["model"], &info["step_count"]),
        (&json!("completed"), &json!("acme/one"), &json!(2))
    );
    assert!(info["ended_at"].is_string(), "{info}");
    server.stop().await;
}

#[tokio::test]
async fn an_ended_session_takes_late_messages_and_is_not_reopened() {
    let server = TestServer::start().await;
    let made = done(
        &server,
        "/v1/sessions/ingest",
        json!({"messages": [{"role": "user", "content": "a"}], "status": "failed"}),
    )
    .await;
    let late =
        json!({"session_id": made["session_id"], "messages": [{"role": "user", "content": "b"}]});
    assert_eq!(
        done(&server, "/v1/sessions/ingest", late.clone()).await["message_count"],
        2
    );
    let mut reopen = late;
    reopen["status"] = json!("running");
    let (status, answer) = post(&server, "/v1/sessions/ingest", reopen).await;
    assert_eq!(
        (status, &answer["detail"]["error"]),
        (StatusCode::CONFLICT, &json!("session_ended"))
    );
    server.stop().await;
}

#[tokio::test]
async fn logs_of_model_calls_become_a_session() {
    let server = TestServer::start().await;
    let job = job(&server, Value::Null).await;
    let first = done(&server, "/v1/traces/logs", json!({"history": [{"role": "user", "content": "Close it."}],
        "response": {"role": "assistant", "content": "done"}, "job_id": job, "model": "acme/one", "task_key": "t", "config": {"temperature": 0}})).await;
    assert_eq!(
        (&first["created_new_session"], &first["message_count"]),
        (&json!(true), &json!(2))
    );
    let session = &first["session_id"];
    let second = done(
        &server,
        "/v1/traces/logs",
        json!({"session_id": session, "history": ["more"], "response": null}),
    )
    .await;
    assert_eq!(second["message_count"], 3);
    let ended = done(
        &server,
        "/v1/traces/logs",
        json!({"session_id": session, "status": "completed", "ended_at": "2026-01-01T00:00:00.5"}),
    )
    .await;
    assert_eq!(
        (&ended["message_count"], &ended["created_new_session"]),
        (&json!(3), &json!(false))
    );
    // A session that never logged can be ended as well.
    let silent = done(
        &server,
        "/v1/traces/logs",
        json!({"session_id": null, "status": "failed", "ended_at": "2026-01-01T00:00:00"}),
    )
    .await;
    assert_eq!(
        (&silent["message_count"], &silent["created_new_session"]),
        (&json!(0), &json!(true))
    );
    let listed = server.get(&format!("/v1/sessions/job/{job}")).await;
    let info = &listed["tasks"][0]["sessions"][0];
    assert_eq!(
        (&info["status"], &info["step_count"], &info["ended_at"]),
        (
            &json!("completed"),
            &json!(1),
            &json!("2026-01-01T00:00:00.5")
        )
    );
    server.stop().await;
}

#[tokio::test]
async fn a_request_that_comes_again_is_done_once() {
    let server = TestServer::start().await;
    let body = json!({"messages": [{"role": "user", "content": "a"}]});
    let send = async |id: &str, body: &Value| {
        read(
            server
                .request(Method::POST, "/v1/sessions/ingest")
                .header("X-Request-ID", id)
                .json(body),
        )
        .await
    };
    let (first, again) = tokio::join!(send("r1", &body), send("r1", &body));
    assert_eq!(first, again);
    assert_ne!(
        send("r2", &body).await.1["session_id"],
        first.1["session_id"]
    );
    let other = json!({"messages": [{"role": "user", "content": "b"}]});
    let (status, answer) = send("r1", &other).await;
    assert_eq!(
        (status, &answer["detail"]["error"]),
        (StatusCode::CONFLICT, &json!("request_id_reused"))
    );
    server.stop().await;
}

/// A body that the route takes.
fn good_body(path: &str) -> Value {
    let message = json!({"role": "user", "content": "a"});
    match path {
        "/v1/env/instances" => json!({"env_key": "notes"}),
        "/v1/traces/jobs" => json!({"name": "n"}),
        "/v1/traces/logs" => json!({"history": [message], "response": null}),
        "/v1/sessions/ingest" => json!({"messages": [message]}),
        "/v1/eval_jobs/{job_id}/logs" => json!({"job_id": "x", "entries": []}),
        "/v1/tasks" => json!({"key": "t", "prompt": "p", "env_id": "notes"}),
        "/v1/tasks/{key}" => json!({"prompt": "p"}),
        "/v1/verifiers/execute" => json!({"key": "k", "sha256": "0", "args_array": []}),
        "/v1/summarize/job" => json!({"job_id": "x", "model": "m"}),
        other => panic!("no body for {other}"),
    }
}

#[tokio::test]
async fn an_id_that_cannot_be_remembered_is_refused_wherever_ids_are() {
    let server = TestServer::with(NOTES, |config| {
        config.judge = Some(crate::judging::shell("true"));
    })
    .await;
    let stored = json!({"key": "x", "prompt": "p", "env_id": "notes"});
    let request = server.request(Method::POST, "/v1/tasks");
    assert_eq!(read(request.json(&stored)).await.0, StatusCode::OK);
    let document = fleet_local::openapi(fleet_local::ApiPlane::Control);
    let mut routes = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().unwrap();
            if !parameters.iter().any(|one| one["name"] == "X-Request-ID") {
                continue;
            }
            routes += 1;
            let (long, foreign) = ("x".repeat(257), "größe".to_owned());
            for (id, reason) in [(long, "at most 256 characters"), (foreign, "visible ASCII")] {
                let method = method.to_uppercase().parse().unwrap();
                let filled = path.replace("{job_id}", "x").replace("{key}", "x");
                let request = server.request(method, &filled).json(&good_body(path));
                let (status, answer) = read(request.header("X-Request-ID", id.as_bytes())).await;
                assert_eq!(status, 422, "{path}: {answer}");
                let detail = &answer["detail"][0];
                assert_eq!(detail["loc"], json!(["header", "X-Request-ID"]), "{path}");
                assert!(detail["msg"].as_str().unwrap().contains(reason), "{detail}");
            }
        }
    }
    assert_eq!(routes, 9);
    assert_eq!(server.get("/v1/jobs").await["total"], 0, "nothing was done");
    assert_eq!(server.server.snapshot().created, 0);
    server.stop().await;
}

#[tokio::test]
async fn what_is_too_much_or_wrong_is_said() {
    let server = TestServer::start().await;
    let message = json!({"role": "user", "content": "a"});
    for (path, body, expected) in [
        ("/v1/sessions/ingest", json!({"messages": []}), 422),
        ("/v1/sessions/ingest", json!({}), 422),
        ("/v1/sessions/ingest", json!([1]), 422),
        (
            "/v1/sessions/ingest",
            json!({"messages": [{"content": "no role"}]}),
            422,
        ),
        (
            "/v1/sessions/ingest",
            json!({"messages": [message], "session_id": "a/b"}),
            422,
        ),
        (
            "/v1/sessions/ingest",
            json!({"messages": [message], "job_id": "a b"}),
            422,
        ),
        (
            "/v1/sessions/ingest",
            json!({"messages": vec![message.clone(); 5001]}),
            413,
        ),
        ("/v1/traces/jobs", json!({"name": "x".repeat(256)}), 422),
        ("/v1/jobs", json!({}), 422),
        ("/v1/jobs", json!({"models": [], "project_key": "p"}), 422),
        ("/v1/jobs", json!({"models": ["a/b"]}), 422),
        (
            "/v1/jobs",
            json!({"models": ["a/b"], "project_key": "p", "pass_k": 0}),
            422,
        ),
        (
            "/v1/jobs",
            json!({"models": ["a/b"], "project_key": "p", "mode": "telepathy"}),
            422,
        ),
        (
            "/v1/jobs",
            json!({"models": ["a/b"], "env_key": "nope"}),
            400,
        ),
        (
            "/v1/jobs",
            json!({"models": ["a/b"], "env_key": "notes"}),
            501,
        ),
        (
            "/v1/summarize/job",
            json!({"job_id": "j", "model": "m"}),
            501,
        ),
        (
            "/v1/eval_jobs/j/logs",
            json!({"job_id": "other", "entries": []}),
            422,
        ),
    ] {
        let (status, answer) = post(&server, path, body).await;
        assert_eq!(status.as_u16(), expected, "{path}: {answer}");
        assert!(!answer["detail"].is_null(), "{path}: {answer}");
    }
    let (_, answer) = post(
        &server,
        "/v1/jobs",
        json!({"models": ["a/b"], "env_key": "notes"}),
    )
    .await;
    assert!(
        answer["detail"].as_str().unwrap().contains("harness run"),
        "{answer}"
    );
    assert_eq!(
        server.get("/v1/jobs").await,
        json!({"jobs": [], "total": 0})
    );
    for path in [
        "/v1/jobs/x",
        "/v1/sessions/job/x",
        "/v1/sessions/x/transcript",
    ] {
        assert_eq!(
            server.call(Method::GET, path).await.0,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn jobs_are_listed_with_their_sessions_and_found_by_name() {
    let server = TestServer::start().await;
    let (old, new) = (
        job(&server, json!("same")).await,
        job(&server, json!("same")).await,
    );
    for status in ["completed", "running"] {
        done(&server, "/v1/sessions/ingest", json!({"messages": [{"role": "user", "content": "a"}], "job_id": new, "status": status})).await;
    }
    let listed = server.get("/v1/jobs").await;
    let seen: Vec<_> = listed["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| {
            (
                job["id"].as_str().unwrap(),
                job["session_count"].as_u64().unwrap(),
                job["status"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            (new.as_str(), 2, "in_progress"),
            (old.as_str(), 0, "pending")
        ]
    );
    assert_eq!(
        server.get("/v1/jobs?limit=1").await["jobs"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(server.get("/v1/jobs?team_id=other").await["total"], 0);
    assert_eq!(server.get("/v1/jobs/same").await["id"], new.as_str());
    assert_eq!(
        server.get(&format!("/v1/jobs/{old}")).await["session_count"],
        0
    );
    let (status, answer) = server
        .call(Method::GET, "/v1/jobs/same?team_id=other")
        .await;
    assert_eq!(
        (status, &answer["detail"]),
        (StatusCode::FORBIDDEN, &json!("Team not found"))
    );
    server.stop().await;
}

#[tokio::test]
async fn raw_logs_are_kept_in_order() {
    let server = TestServer::start().await;
    for n in 0..3 {
        let body = json!({"job_id": "j", "entries": [{"n": 2 * n}, {"n": 2 * n + 1}]});
        assert_eq!(
            done(&server, "/v1/eval_jobs/j/logs", body).await["entries"],
            2 * n + 2
        );
    }
    let kept = server.get("/v1/eval_jobs/j/logs?offset=3&limit=2").await;
    assert_eq!(kept["entries"], json!([{"n": 3}, {"n": 4}]));
    // Nobody had made it before.
    assert_eq!(server.get("/v1/jobs/j").await["id"], "j");
    server.stop().await;
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_with_a_detail() {
    let server = TestServer::with(NOTES, |_| {}).await;
    let request = server
        .request(Method::POST, "/v1/sessions/ingest")
        .body(vec![b' '; (32 << 20) + 1]);
    // The server may close the connection before it has read all of it.
    if let Ok(answer) = request.send().await {
        assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
        let body: Value = answer.json().await.unwrap();
        assert!(body["detail"].is_string(), "{body}");
    }
    server.stop().await;
}
