//! A verification over HTTP: which instance is looked at, and what the server remembers of it.

use fleet_api::bundle::Bundle;
use fleet_api::native_verifier;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{TestServer, id, read};

async fn execute(
    server: &TestServer,
    instance: &str,
    bundle: Option<&Bundle>,
    sha256: &str,
) -> (StatusCode, Value) {
    let body = json!({
        "key": "task-1", "sha256": sha256, "args_array": [{"env": instance}], "function_name": "verify", "timeout": 30,
        "bundle": bundle.map(Bundle::to_base64),
    });
    read(
        server
            .request(Method::POST, "/v1/verifiers/execute")
            .json(&body),
    )
    .await
}

#[tokio::test]
async fn a_state_verifier_looks_at_the_instance_that_is_named() {
    let server = TestServer::start().await;
    let (changed, untouched) = (server.create_default().await, server.create_default().await);
    let root = changed["urls"]["root"].as_str().unwrap();
    let insert = server
        .http
        .post(format!("{root}sql"))
        .body("INSERT INTO notes (text) VALUES ('hello')")
        .send()
        .await
        .unwrap();
    assert_eq!(insert.status(), StatusCode::OK);
    let bundle = Bundle::pack(&native_verifier::render(&json!({
        "kind": "state", "expect": [{"table": "notes", "change": "insert", "fields": {"text": "hello"}}],
    })));
    let sha256 = bundle.sha256();
    assert_eq!(
        server
            .get(&format!("/v1/verifiers/check?sha256={sha256}"))
            .await["success"],
        false
    );
    let (status, body) = execute(&server, id(&changed), None, sha256).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(
        body["detail"].as_str().unwrap().contains("not found"),
        "{body}"
    );

    let (status, answer) = execute(&server, id(&changed), Some(&bundle), sha256).await;
    assert_eq!(
        (status, &answer["success"], &answer["key"]),
        (StatusCode::OK, &json!(true), &json!("task-1")),
        "{answer}"
    );
    assert_eq!(answer["result"].as_f64(), Some(1.0), "{answer}");
    assert_eq!(
        server
            .get(&format!("/v1/verifiers/check?sha256={sha256}"))
            .await["success"],
        true
    );
    let (_, answer) = execute(&server, id(&untouched), None, sha256).await;
    assert_eq!(
        (&answer["success"], answer["result"].as_f64()),
        (&json!(true), Some(0.0)),
        "{answer}"
    );

    // An instance that is not there is a verifier that could not run, never a zero, and must not
    // look like an unknown bundle.
    let (status, answer) = execute(&server, "ffffffff", None, sha256).await;
    assert_eq!(
        (status, &answer["success"], &answer["result"]),
        (StatusCode::OK, &json!(false), &Value::Null)
    );
    assert!(
        !answer["error"].to_string().contains("not found"),
        "{answer}"
    );
    server.close(id(&changed)).await;
    let (_, answer) = execute(&server, id(&changed), None, sha256).await;
    assert_eq!(answer["success"], false, "{answer}");

    let verifications = server.server.snapshot().verifications;
    let seen: Vec<_> = verifications
        .iter()
        .map(|one| (one.instance_id.as_deref(), one.success))
        .collect();
    let (changed, untouched) = (Some(id(&changed)), Some(id(&untouched)));
    assert_eq!(
        seen,
        [
            (changed, true),
            (untouched, true),
            (Some("ffffffff"), false),
            (changed, false)
        ]
    );
    server.stop().await;
}
