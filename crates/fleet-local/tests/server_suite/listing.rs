//! Lists, runs, and closing many at once.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{TestServer, id};

fn ids(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(id).collect()
}

#[tokio::test]
async fn lists_filter_by_status_region_run_and_profile() {
    let server = TestServer::start().await;
    let a = server
        .create(json!({"env_key": "notes", "run_id": "run-1"}))
        .await;
    let b = server
        .create(json!({"env_key": "notes", "run_id": "run-1", "region": "eu-west-2"}))
        .await;
    let c = server.create(json!({"env_key": "notes"})).await;
    let (a, b, c) = (id(&a), id(&b), id(&c));
    let list = async |query: &str| {
        let list = server.get(&format!("/v1/env/instances{query}")).await;
        ids(&list)
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(list("").await, [a, b, c]);
    assert_eq!(list("?run_id=run-1").await, [a, b]);
    assert_eq!(list("?run_id=run-1&region=eu-west-2").await, [b]);
    assert_eq!(list("?run_id=no").await, [""; 0]);
    assert_eq!(list("?profile_id=self").await, [a, b, c]);
    assert_eq!(list("?profile_id=somebody").await, [""; 0]);
    server.close(a).await;
    assert_eq!(
        list("?run_id=run-1").await,
        [b],
        "ended ones are not listed unless asked for"
    );
    assert_eq!(list("?status=stopped").await, [a]);
    assert_eq!(list("?status=running").await, [b, c]);
    server.stop().await;
}

#[tokio::test]
async fn runs_count_their_instances_and_end_with_them() {
    let server = TestServer::start().await;
    let one = server
        .create(json!({"env_key": "notes", "run_id": "run-1"}))
        .await;
    let two = server
        .create(json!({"env_key": "notes", "run_id": "run-1"}))
        .await;
    server
        .create(json!({"env_key": "notes", "run_id": "run-2"}))
        .await;
    server.create_default().await;
    server.close(id(&one)).await;
    let runs = server.get("/v1/env/runs?active=active").await;
    assert_eq!(
        runs.as_array().unwrap().len(),
        2,
        "instances without a run form none: {runs}"
    );
    assert_eq!(
        (
            &runs[0]["run_id"],
            &runs[0]["running_count"],
            &runs[0]["total_count"]
        ),
        (&json!("run-1"), &json!(1), &json!(2))
    );
    assert_eq!(
        (&runs[0]["first_created_at"], &runs[0]["last_created_at"]),
        (&one["created_at"], &two["created_at"])
    );
    assert_eq!(
        server.get("/v1/env/runs").await,
        runs,
        "active is the default"
    );
    server.close(id(&two)).await;
    let names = async |query: &str| {
        let runs = server.get(&format!("/v1/env/runs?{query}")).await;
        runs.as_array()
            .unwrap()
            .iter()
            .map(|run| run["run_id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names("active=active").await, ["run-2"]);
    assert_eq!(names("active=inactive").await, ["run-1"]);
    assert_eq!(
        names("active=all&profile_id=self").await,
        ["run-1", "run-2"]
    );
    assert_eq!(names("active=all&profile_id=other").await, [""; 0]);
    server.stop().await;
}

#[tokio::test]
async fn a_batch_close_combines_its_filters_and_needs_one() {
    let server = TestServer::start().await;
    let a = server
        .create(json!({"env_key": "notes", "run_id": "run-1"}))
        .await;
    let b = server
        .create(json!({"env_key": "notes", "run_id": "run-2"}))
        .await;
    let batch = async |query: &str| {
        server
            .call(Method::DELETE, &format!("/v1/env/instances/batch{query}"))
            .await
    };
    assert_eq!(batch("").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(
        batch("?run_id=run-1&profile_id=other").await,
        (StatusCode::OK, json!([]))
    );
    assert_eq!(batch("?run_id=nothing").await, (StatusCode::OK, json!([])));
    assert_eq!(server.server.snapshot().live, 2);

    let (status, closed) = batch("?run_id=run-1&profile_id=self").await;
    assert_eq!((status, ids(&closed)), (StatusCode::OK, vec![id(&a)]));
    assert_eq!(closed[0]["status"], "stopped");
    let (_, closed) = batch("?profile_id=self").await;
    assert_eq!(ids(&closed), [id(&b)]);
    assert_eq!(server.server.snapshot().live, 0);
    server.stop().await;
}
