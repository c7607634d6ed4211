//! Listing tasks: batches of keys, filters that the service leaves to us, source that it has elsewhere.

use fleet_api::TaskQuery;
use fleet_api::types::TaskKey;
use serde_json::{Value, json};

use crate::support::{Service, detail, ok};

fn task(key: &str, version: &str) -> Value {
    json!({"key": key, "prompt": "p", "team_id": "t", "environment_id": "helpdesk", "created_at": "",
        "version": version})
}

#[tokio::test]
async fn many_keys_are_asked_for_in_batches_and_merged_once_each() {
    let service = Service::start(|seen| {
        let query = seen.line.split_once('?').unwrap().1;
        let tasks: Vec<_> = query
            .split('&')
            .map(|pair| task(pair.split_once('=').unwrap().1, "v1"))
            .collect();
        ok(&json!({"total": tasks.len(), "tasks": tasks}))
    })
    .await;
    let mut keys: Vec<TaskKey> = (0..205).map(|n| TaskKey::new(format!("t{n}"))).collect();
    keys.push("t0".into());
    let tasks = service
        .client()
        .tasks(&TaskQuery::keys(keys.clone()))
        .await
        .unwrap();
    keys.pop();
    assert_eq!(
        tasks
            .iter()
            .map(|task| task.key.clone())
            .collect::<Vec<_>>(),
        keys
    );
    assert_eq!(service.seen().len(), 3);
}

#[tokio::test]
async fn no_keys_are_no_tasks_and_no_request() {
    let service = Service::start(|_| ok(&json!({"tasks": [task("t", "v1")], "total": 1}))).await;
    let none = TaskQuery::keys(Vec::<TaskKey>::new());
    assert!(service.client().tasks(&none).await.unwrap().is_empty());
    assert!(service.seen().is_empty());
    assert_eq!(
        service
            .client()
            .tasks(&TaskQuery::default())
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(service.lines(), ["GET /v1/tasks"]);
}

#[tokio::test]
async fn a_version_is_selected_here_because_the_service_cannot() {
    let service =
        Service::start(|_| ok(&json!({"tasks": [task("a", "v1"), task("b", "v2")], "total": 2})))
            .await;
    let query = TaskQuery {
        version: Some("v2".into()),
        ..TaskQuery::project("desk")
    };
    let tasks = service.client().tasks(&query).await.unwrap();
    assert_eq!(tasks.len(), 1);
    assert_eq!(tasks[0].env_key(), "helpdesk:v2");
    assert_eq!(service.lines(), ["GET /v1/tasks?project_key=desk"]);
}

#[tokio::test]
async fn source_that_is_not_in_the_listing_is_fetched() {
    let service = Service::start(|seen| match seen.line.as_str() {
        "GET /v1/verifiers/ver-9" => ok(&json!({"key": "k", "code": "def v(env): ..."})),
        "GET /v1/verifiers/lost" => detail(404, "gone"),
        line => {
            let id = if line.ends_with("/a") { "ver-9" } else { "lost" };
            let mut task = task("a", "v1");
            task["verifier"] = json!({"verifier_id": id, "key": "k", "version": 1, "sha256": "", "created_at": "",
                "code": "<error loading code: not now>"});
            ok(&task)
        }
    })
    .await;
    let found = service.client().task(&"a".into()).await.unwrap();
    assert_eq!(found.verifier.unwrap().code, "def v(env): ...");
    let lost = service.client().task(&"b".into()).await.unwrap();
    assert_eq!(lost.verifier, None);
    assert_eq!(service.seen().len(), 4);
}
