//! The handle of an instance: what its methods ask for.

use std::time::{Duration, SystemTime};

use fleet_api::types::{CreateState, GradeBody, Instance, RequestId, TaskVersionQuery};
use fleet_api::{Environment, Task, VerifierSource, VerifyError};
use serde_json::{Value, json};

use crate::support::{Service, detail, instance, ok};

fn reachable(root: &str) -> Value {
    let mut record = instance("running");
    record["urls"] = json!({"root": root, "app": ["http://h/web/", "http://h/mail/"]});
    record["heartbeat_region"] = json!("eu");
    record
}

fn handle(service: &Service, record: &Value) -> Environment {
    let record: Instance = serde_json::from_value(record.clone()).unwrap();
    Environment::of(&service.client(), record)
}

fn task() -> Task {
    Task {
        key: "t1".into(),
        env_id: "helpdesk".into(),
        version: Some("1.2.0".into()),
        verifier: Some(VerifierSource::new(
            "t1",
            "def v(env, final_answer=None): ...",
        )),
        ..Task::default()
    }
}

#[tokio::test]
async fn a_task_makes_its_environment_with_every_wish() {
    let service = Service::start(|_| ok(&reachable("http://h/"))).await;
    let env = task()
        .make(&service.client())
        .data("busy:v2")
        .region("eu-west-2")
        .env_variable("USER", 7)
        .image_type("mcp")
        .run_id("run-42")
        .ttl(Duration::from_secs(60))
        .heartbeat_interval(Duration::from_secs(30))
        .max_wait(Duration::from_secs(5))
        .await
        .unwrap();
    assert_eq!(env.id().as_str(), "a1b2");
    assert_eq!(
        service.seen()[0].json(),
        json!({"env_key": "helpdesk", "env_version": "v1.2.0", "data_key": "busy", "data_version": "v2",
            "region": "eu-west-2", "env_variables": {"USER": 7}, "image_type": "mcp", "run_id": "run-42",
            "ttl_seconds": 60, "heartbeat_interval": 30, "max_wait_seconds": 5, "created_from": "sdk"})
    );
}

#[tokio::test]
async fn a_handle_asks_about_its_own_instance() {
    let service = Service::start(|seen| match seen.line.as_str() {
        "POST /v1/env/instances/a1b2/heartbeat" => {
            ok(&json!({"success": true, "instance_id": "a1b2"}))
        }
        "POST /v1/verifiers/execute" => {
            ok(&json!({"success": true, "result": 0.5, "execution_time_ms": 1}))
        }
        line if line.starts_with("GET /v1/verifiers") => ok(&json!({"success": false})),
        "POST /v1/judge/grade" => ok(&json!({"normalized_score": 1})),
        "DELETE /v1/env/instances/a1b2" => ok(&instance("stopped")),
        _ => ok(&reachable("http://h/")),
    })
    .await;
    let mut env = service.client().attach(&"a1b2".into()).await.unwrap();
    env.heartbeat().await.unwrap();
    let score = env.score(&task(), "closed").await.unwrap();
    assert!((score - 0.5).abs() < f64::EPSILON);
    task().verify(&env, ()).await.unwrap();
    env.grade(GradeBody::by("be kind")).await.unwrap();
    env.refresh().await.unwrap();
    assert!(env.close().await.unwrap().status.is_ended());
    let lines = service.lines();
    assert_eq!(
        lines.iter().filter(|line| line.contains("/a1b2")).count(),
        4,
        "{lines:?}"
    );
    let seen = service.seen();
    assert_eq!(seen[1].json(), json!({"region": "eu"}));
    let graded = seen
        .iter()
        .find(|seen| seen.line.ends_with("/grade"))
        .unwrap();
    assert_eq!(graded.json()["instance_id"], "a1b2");
}

#[tokio::test]
async fn a_task_without_a_verifier_is_an_error_and_no_zero() {
    let service = Service::start(|_| ok(&json!({}))).await;
    let env = handle(&service, &reachable("http://h/"));
    let error = env.score(&Task::default(), "x").await.unwrap_err();
    assert!(matches!(error, VerifyError::Call(_)));
    assert!(service.seen().is_empty());
}

#[tokio::test]
async fn addresses_are_told_or_the_error_says_why_not() {
    let service = Service::start(|_| ok(&json!({}))).await;
    for root in ["http://h/", "http://h"] {
        let env = handle(&service, &reachable(root));
        assert_eq!(env.app_url(1).unwrap(), "http://h/mail/");
        assert_eq!(env.mcp_url().unwrap(), "http://h/mcp");
        assert_eq!(env.api_url().unwrap(), "http://h/raw");
        let error = env.app_url(2).unwrap_err().to_string();
        assert!(error.contains("the instance has 2"), "{error}");
    }
    let pending = handle(&service, &instance("pending"));
    let error = pending.mcp_url().unwrap_err().to_string();
    assert!(error.contains("refresh it"), "{error}");
}

#[tokio::test]
async fn a_version_of_a_task_is_asked_for_by_its_id() {
    let service =
        Service::start(|_| ok(&json!({"key": "t1", "prompt": "p", "environment_id": "e"}))).await;
    let query = TaskVersionQuery {
        version_id: Some("9d2c".into()),
        team_id: Some("tm".into()),
    };
    service
        .client()
        .task_version(&"t1".into(), &query)
        .await
        .unwrap();
    assert_eq!(
        service.lines(),
        ["GET /v1/tasks/t1?version_id=9d2c&team_id=tm"]
    );
}

#[tokio::test]
async fn the_parts_of_the_manager_are_at_hand_and_speak_without_the_key() {
    let manager = "/web/api/v1/env/resources/sqlite/current/query";
    let service = Service::start(|seen| match seen.line.as_str() {
        line if line.contains("runner-auth") => ok(&json!({"token": "runner-token-1"})),
        line if line.contains("/mail/") => detail(400, "runner-token-1 is not for mail"),
        _ => ok(&json!({"success": true, "message": "", "columns": ["n"], "rows": [[2]]})),
    })
    .await;
    let mut record = reachable(&format!("{}/", service.url));
    record["urls"]["manager"] = json!({"api": format!("{}/web/api/v1/env", service.url)});
    let env = handle(&service, &record);
    assert_eq!(env.db().unwrap().table("tickets").count().await.unwrap(), 2);
    let asked = service.seen().pop().unwrap();
    assert_eq!(asked.line, format!("POST {manager}"));
    let headers = ["authorization", "x-runner-token"].map(|name| asked.header(name).to_owned());
    assert_eq!(headers, ["", "runner-token-1"]);
    // And the token is shown to nobody, whoever quotes it.
    let error = env.app("mail").unwrap().resources().await.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.contains("*** is not for mail"), "{text}");
    let pending = handle(&service, &instance("pending"));
    assert!(pending.files().is_err() && pending.browser().is_err());
}

#[tokio::test]
async fn the_end_of_an_instance_is_moved_and_the_handle_knows_it() {
    let service = Service::start(|seen| {
        let mut record = reachable("http://h/");
        record["expires_at"] = json!(format!("after {}", seen.number));
        ok(&record)
    })
    .await;
    let mut env = handle(&service, &reachable("http://h/"));
    env.set_ttl(Duration::from_secs(90)).await.unwrap();
    assert_eq!(env.instance().expires_at.as_deref(), Some("after 1"));
    let end = SystemTime::UNIX_EPOCH + Duration::from_millis(1_749_546_000_500);
    env.extend_ttl(end).await.unwrap();
    assert_eq!(env.instance().expires_at.as_deref(), Some("after 2"));
    let seen = service.seen();
    assert_eq!(seen[0].line, "POST /v1/env/instances/a1b2/ttl");
    assert_eq!(seen[0].json(), json!({"ttl_seconds": 90}));
    assert_eq!(seen[1].line, "POST /v1/env/instances/a1b2/extend_ttl");
    assert_eq!(
        seen[1].json(),
        json!({"absolute_expires_at": "2025-06-10T09:00:00.5Z"})
    );
    let none = env.set_ttl(Duration::from_millis(999)).await.unwrap_err();
    assert!(none.to_string().contains("at least a second"), "{none}");
    assert_eq!(service.seen().len(), 2, "nothing was sent");
}

#[tokio::test]
async fn what_a_create_came_to_is_asked_by_its_request_id() {
    let id: RequestId = "6f0ecf0b-5a0f-4a3e-9c55-0e7ad7a5f1c2".parse().unwrap();
    let service = Service::start(move |seen| match seen.number {
        1 => ok(&json!({"request_id": id, "team_id": "t", "state": "materialized", "instance_id": "a1b2"})),
        2 => ok(&json!({"request_id": id, "state": "parked"})),
        _ => detail(404, "no such create"),
    })
    .await;
    let client = service.client();
    let made = client.create_request(id).await.unwrap();
    assert_eq!(made.state, CreateState::Materialized);
    assert_eq!(made.instance_id, Some("a1b2".into()));
    let cancelled = client.cancel_create(id).await.unwrap();
    assert_eq!(cancelled.state, CreateState::Other("parked".to_owned()));
    assert_eq!(cancelled.instance_id, None);
    assert!(client.create_request(id).await.unwrap_err().is_gone());
    let path = format!("/v1/env/instances/create-requests/{id}");
    let lines: Vec<_> = service.seen().into_iter().map(|seen| seen.line).collect();
    assert_eq!(
        lines,
        [
            format!("GET {path}"),
            format!("DELETE {path}"),
            format!("GET {path}")
        ]
    );
}
