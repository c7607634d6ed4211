//! Making an instance when the answer is late, lost, or about an instance that is not ready.

use std::time::Duration;

use axum::response::Response;
use fleet_api::types::RequestId;
use fleet_api::{CallLimits, Client, CreateInstance, Error, ErrorKind, Timeouts};
use serde_json::{Value, json};

use crate::support::{Service, broken, builder, detail, instance, ok, status};

fn duplicate() -> Response {
    status(
        409,
        &json!({"detail": {"error": "duplicate_request_id", "message": "seen before", "instance_id": "a1b2"}}),
    )
}

fn is_create(line: &str) -> bool {
    line == "POST /v1/env/instances"
}

async fn create(client: &Client) -> Result<fleet_api::types::Instance, Error> {
    client
        .create_instance(&CreateInstance::new("helpdesk:1").run_id("run-42"))
        .await
}

#[tokio::test]
async fn a_create_carries_the_callers_id_and_no_more_than_was_asked() {
    let service = Service::start(|_| ok(&instance("running"))).await;
    let id = RequestId::new();
    let wanted = CreateInstance::new("helpdesk:1")
        .run_id("run-42")
        .request_id(id);
    let made = service.client().create_instance(&wanted).await.unwrap();
    assert_eq!(made.instance_id.as_str(), "a1b2");
    let seen = service.seen().remove(0);
    assert_eq!(seen.header("x-request-id"), id.to_string());
    let expected: Value = json!({"env_key": "helpdesk", "env_version": "v1", "run_id": "run-42",
        "created_from": "sdk", "max_wait_seconds": 870});
    assert_eq!(seen.json(), expected);
}

#[tokio::test]
async fn an_instance_that_is_not_ready_is_awaited() {
    let service = Service::start(|seen| match seen.number {
        1 => ok(&instance("pending")),
        2 => ok(&instance("warming-up")),
        3 => detail(404, "no such instance (yet)"),
        4 => detail(503, "busy"),
        _ => ok(&instance("running")),
    })
    .await;
    assert!(create(&service.client()).await.unwrap().status.is_running());
    let lines = service.lines();
    assert_eq!(lines.len(), 5);
    assert!(
        lines[1..]
            .iter()
            .all(|line| line == "GET /v1/env/instances/a1b2"),
        "{lines:?}"
    );
}

#[tokio::test]
async fn s6_s7_a_lost_answer_is_found_again_by_its_id() {
    for lost in [broken as fn() -> Response, || {
        detail(503, "committed, then failed")
    }] {
        let service = Service::start(move |seen| match seen.number {
            1 => lost(),
            2 => duplicate(),
            3 => ok(&instance("pending")),
            _ => ok(&instance("running")),
        })
        .await;
        assert!(create(&service.client()).await.unwrap().status.is_running());
        let seen = service.seen();
        assert_eq!(seen.iter().filter(|seen| is_create(&seen.line)).count(), 2);
        assert_eq!(
            seen[0].header("x-request-id"),
            seen[1].header("x-request-id")
        );
        assert_eq!(seen.len(), 4);
    }
}

#[tokio::test]
async fn s7_an_instance_that_ends_before_it_runs_is_named() {
    for word in ["error", "stopped", "terminated"] {
        let service = Service::start(move |seen| {
            if is_create(&seen.line) {
                duplicate()
            } else {
                ok(&instance(word))
            }
        })
        .await;
        let error = create(&service.client()).await.unwrap_err();
        assert!(
            matches!(
                error.kind(),
                ErrorKind::Conflict {
                    duplicate_request: false,
                    ..
                }
            ),
            "{error:?}"
        );
        assert_eq!(error.instance_id().unwrap().as_str(), "a1b2");
        assert!(error.to_string().contains(word), "{error}");
        assert!(!error.is_retryable());
    }
    let at_once = Service::start(|_| ok(&instance("error"))).await;
    let error = create(&at_once.client()).await.unwrap_err();
    assert_eq!(
        (at_once.seen().len(), error.instance_id().unwrap().as_str()),
        (1, "a1b2")
    );
}

#[tokio::test]
async fn s7_an_instance_that_never_runs_ends_the_wait_and_is_named() {
    let service = Service::start(|seen| {
        if is_create(&seen.line) {
            duplicate()
        } else {
            ok(&instance("pending"))
        }
    })
    .await;
    let client = service
        .client()
        .limited(CallLimits::deadline(Duration::from_millis(200)));
    let error = create(&client).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("no usable instance (it is pending) within"),
        "{error}"
    );
    assert_eq!(error.instance_id().unwrap().as_str(), "a1b2");
    assert!(error.is_ambiguous() && error.is_retryable());
    assert!(service.seen().len() > 3);
    assert_eq!(service.seen()[0].json()["max_wait_seconds"], 0);
}

#[tokio::test]
async fn s7_a_create_with_less_time_than_a_pause_looks_all_the_same() {
    let service = Service::start(|seen| match seen.number {
        1 => ok(&instance("pending")),
        _ => ok(&instance("running")),
    })
    .await;
    let patient = Timeouts {
        poll: Duration::from_secs(60),
        ..Timeouts::default()
    };
    let client = builder(&service.url).timeouts(patient).build().unwrap();
    let client = client.limited(CallLimits::deadline(Duration::from_millis(500)));
    assert!(create(&client).await.unwrap().status.is_running());
}

#[tokio::test]
async fn s22_an_instance_that_cannot_be_named_in_a_url_is_no_answer() {
    for hostile in ["../account", "", "batch", "a b"] {
        let service = Service::start(move |_| {
            let mut record = instance("running");
            record["instance_id"] = json!(hostile);
            ok(&record)
        })
        .await;
        let error = create(&service.client()).await.unwrap_err();
        let undecodable = matches!(error.kind(), ErrorKind::Undecodable { .. });
        assert!(undecodable, "{hostile:?}: {error:?}");
        // It may exist under a name that can be used, so its run is to be looked through.
        assert!(error.is_ambiguous(), "{hostile:?}");
        assert_eq!(error.instance_id(), None, "{hostile:?}");
        assert_eq!(service.seen().len(), 1, "{hostile:?}");
    }
}

#[tokio::test]
async fn s12_an_instance_that_vanished_while_awaited_is_named() {
    let service = Service::start(|seen| {
        if is_create(&seen.line) {
            duplicate()
        } else {
            detail(404, "none")
        }
    })
    .await;
    let error = create(&service.client()).await.unwrap_err();
    assert!(error.is_gone() && error.is_ambiguous());
    assert_eq!(error.instance_id().unwrap().as_str(), "a1b2");
    // 404 may mean "not yet", so it was asked for as often as any other passing fault.
    assert_eq!(service.seen().len(), 5);
}

#[tokio::test]
async fn other_conflicts_and_refusals_are_not_recovered_from() {
    for response in [
        (409, json!({"detail": "Run 'x' is closed"})),
        (
            409,
            json!({"detail": {"error": "something_else", "instance_id": "a1b2"}}),
        ),
        (400, json!({"detail": "Environment 'helpdesk' not found"})),
        (422, json!({"detail": [{"loc": ["body"], "msg": "no"}]})),
    ] {
        let code = response.0;
        let service = Service::start(move |_| status(response.0, &response.1)).await;
        let error = create(&service.client()).await.unwrap_err();
        assert_eq!((error.status(), service.seen().len()), (Some(code), 1));
        assert!(error.instance_id().is_none() && !error.is_ambiguous());
    }
}

#[tokio::test]
async fn s6_a_create_that_fails_to_the_end_leaves_doubt() {
    let service = Service::start(|_| detail(502, "bad gateway")).await;
    let error = create(&service.client()).await.unwrap_err();
    assert!(error.is_ambiguous() && error.is_retryable());
    assert_eq!((error.attempts(), service.seen().len()), (4, 4));
    assert!(error.request_id().is_some());
}
