//! Check, execute, and sending a bundle that the service lost.

use axum::response::Response;
use fleet_api::bundle::Bundle;
use fleet_api::{ScoreError, VerifierSource, VerifyArgs};
use serde_json::{Value, json};

use crate::support::{Seen, Service, detail, ok, raw};

const SOURCE: &str = "def verify(env, final_answer=None):\n    return 1\n";

fn executed(result: &Value) -> Response {
    ok(
        &json!({"success": true, "execution_time_ms": 1, "result": result, "error": null, "stdout": "", "execution_id": "x1"}),
    )
}

fn has_bundle(seen: &Seen) -> bool {
    seen.json().get("bundle").is_some()
}

async fn verify(service: &Service) -> Result<fleet_api::types::ExecuteResponse, fleet_api::Error> {
    let verifier = VerifierSource::new("task-1", SOURCE);
    service
        .client()
        .verify(&verifier, &"a1b2".into(), &VerifyArgs::answer(Some("done")))
        .await
}

#[tokio::test]
async fn an_unknown_bundle_is_sent_and_a_known_one_is_not() {
    for known in [false, true] {
        let service = Service::start(move |seen| match seen.line.split('?').next().unwrap() {
            "GET /v1/verifiers/check" => ok(&json!({ "success": known })),
            _ => executed(&json!(0.5)),
        })
        .await;
        let answer = verify(&service).await.unwrap();
        assert_eq!(answer.score(), Ok(0.5));
        assert_eq!(answer.execution_id.unwrap().as_str(), "x1");
        let seen = service.seen();
        let bundle = Bundle::pack(SOURCE);
        assert_eq!(
            seen[0].line,
            format!("GET /v1/verifiers/check?sha256={}", bundle.sha256())
        );
        assert_eq!(has_bundle(&seen[1]), !known);
        let body = seen[1].json();
        assert_eq!(
            (&body["sha256"], &body["key"]),
            (&json!(bundle.sha256()), &json!("task-1"))
        );
        assert_eq!(
            (&body["function_name"], &body["args_array"]),
            (&json!("verify"), &json!([{"env": "a1b2"}]))
        );
    }
}

#[tokio::test]
async fn a_bundle_that_was_lost_is_sent_once_more() {
    let service = Service::start(|seen| match seen.number {
        1 => ok(&json!({"success": true})),
        2 => detail(400, "Bundle not found for this sha256"),
        _ => executed(&json!(1)),
    })
    .await;
    assert_eq!(verify(&service).await.unwrap().score(), Ok(1.0));
    let seen = service.seen();
    assert_eq!(seen.len(), 3);
    assert!(!has_bundle(&seen[1]) && has_bundle(&seen[2]));

    let stubborn = Service::start(|seen| match seen.number {
        1 => ok(&json!({"success": true})),
        _ => detail(400, "Bundle not found"),
    })
    .await;
    assert_eq!(verify(&stubborn).await.unwrap_err().status(), Some(400));
    assert_eq!(stubborn.seen().len(), 3);
}

#[tokio::test]
async fn a_failing_check_costs_an_upload_and_not_the_verification() {
    for (code, body) in [(404, "nothing here"), (500, "oops"), (200, "<html>")] {
        let service = Service::start(move |seen| {
            if seen.line.starts_with("GET") {
                raw(code, body)
            } else {
                executed(&json!(true))
            }
        })
        .await;
        assert_eq!(verify(&service).await.unwrap().score(), Ok(1.0), "{code}");
        assert!(has_bundle(service.seen().last().unwrap()));
    }
    let locked = Service::start(|_| detail(401, "who?")).await;
    assert!(verify(&locked).await.unwrap_err().is_auth());
    assert_eq!(locked.seen().len(), 1);
}

#[tokio::test]
async fn v2_a_verifier_that_raised_is_an_answer_without_a_score() {
    let service = Service::start(|seen| {
        if seen.line.starts_with("GET") {
            return ok(&json!({"success": false}));
        }
        ok(
            &json!({"success": false, "execution_time_ms": 3, "result": 1, "stdout": "trace",
            "error": {"type": "KeyError", "message": "'t'", "traceback": "…"}}),
        )
    })
    .await;
    let answer = verify(&service).await.unwrap();
    let Err(ScoreError::VerifierFailed { failure }) = answer.score() else {
        panic!()
    };
    assert_eq!(
        (failure.kind.as_str(), answer.stdout.as_deref()),
        ("KeyError", Some("trace"))
    );
}
