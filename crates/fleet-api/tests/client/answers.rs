//! What is sent along, what is made of odd answers, and where the key may be seen.

use axum::http::HeaderValue;
use fleet_api::types::{HeartbeatResponse, InstanceQuery, RunQuery};
use fleet_api::{CallLimits, ErrorKind};
use serde_json::json;

use crate::support::{KEY, Service, account, detail, instance, ok, raw};

#[tokio::test]
async fn every_request_says_who_asks() {
    let service = Service::start(|_| ok(&json!([]))).await;
    service
        .client()
        .instances(&InstanceQuery::of_run("run 42&x"))
        .await
        .unwrap();
    let seen = service.seen().remove(0);
    assert_eq!(seen.line, "GET /v1/env/instances?run_id=run+42%26x");
    assert_eq!(seen.header("authorization"), format!("Bearer {KEY}"));
    assert_eq!(seen.header("x-fleet-sdk-language"), "Rust");
    assert_eq!(
        seen.header("x-fleet-sdk-version"),
        env!("CARGO_PKG_VERSION")
    );
    assert!(seen.header("user-agent").starts_with("fleet-api/"));
    assert!(seen.body.is_empty() && seen.header("content-type").is_empty());
}

#[tokio::test]
async fn single_requests_go_where_they_belong() {
    let service = Service::start(|seen| {
        ok(&match seen.line.as_str() {
            "GET /v1/env/" => json!([{"env_key": "e", "name": "E", "description": null, "default_version": null, "versions": {}}]),
            "GET /v1/env/e" => json!({"env_key": "e", "name": "E", "versions": {"v1": "2025"}}),
            "GET /v1/regions" => json!(["r"]),
            "GET /v1/account" => account(),
            "GET /v1/env/runs?active=active" => json!([{"run_id": "r", "running_count": 1, "total_count": 2, "first_created_at": "", "last_created_at": ""}]),
            "POST /v1/env/instances/a1b2/heartbeat" => json!({"success": true, "instance_id": "a1b2", "deadline_timestamp": 1.5}),
            "DELETE /v1/env/instances/batch?run_id=r" => json!([instance("stopped")]),
            "GET /v1/env/instances/a1b2" | "DELETE /v1/env/instances/a1b2" => instance("stopped"),
            other => panic!("nobody asks for {other}"),
        })
    })
    .await;
    let client = service.client();
    let id = "a1b2".into();
    assert_eq!(
        client.environments().await.unwrap()[0].env_key.as_str(),
        "e"
    );
    assert_eq!(
        client.environment(&"e".into()).await.unwrap().versions["v1"],
        "2025"
    );
    assert_eq!(client.regions().await.unwrap(), ["r"]);
    assert_eq!(client.account().await.unwrap().instance_limit, 5);
    assert_eq!(
        client.runs(&RunQuery::default()).await.unwrap()[0].total_count,
        2
    );
    assert!(client.instance(&id).await.unwrap().status.is_ended());
    assert!(client.close_instance(&id).await.unwrap().status.is_ended());
    assert_eq!(
        client
            .close_instances(Some(&"r".into()), None)
            .await
            .unwrap()
            .len(),
        1
    );
    let beat = client.heartbeat(&id, Some("eu")).await.unwrap();
    let expected = HeartbeatResponse {
        success: true,
        instance_id: id,
        deadline_timestamp: Some(1.5),
        ..HeartbeatResponse::default()
    };
    assert_eq!(beat, expected);
    assert_eq!(
        service.seen().last().unwrap().json(),
        json!({"region": "eu"})
    );
}

#[tokio::test]
async fn s10_an_answer_that_is_no_answer_keeps_its_evidence() {
    for body in [
        "",
        "<html>login please</html>",
        "{\"team_id\": ",
        "[]",
        "null",
        "{}",
        "{\"team_id\": 3}",
    ] {
        let service = Service::start(move |_| raw(200, body)).await;
        let client = service.client().limited(CallLimits::attempts(2));
        let error = client.account().await.unwrap_err();
        let ErrorKind::Undecodable { excerpt, reason } = error.kind() else {
            panic!("{error:?}")
        };
        assert_eq!(excerpt, body);
        assert!(!reason.is_empty());
        assert!(error.is_retryable() && !error.is_ambiguous());
        // A read may have met a proxy's page, so it was tried again.
        assert_eq!(service.seen().len(), 2);
    }
}

#[tokio::test]
async fn s10_a_write_with_an_unreadable_answer_is_not_repeated() {
    let service = Service::start(|_| raw(204, "")).await;
    let error = service
        .client()
        .close_instance(&"a1".into())
        .await
        .unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Undecodable { .. }));
    assert!(error.is_ambiguous());
    assert_eq!((service.seen().len(), error.status()), (1, Some(204)));
}

#[tokio::test]
async fn c4_the_key_is_nowhere_but_in_its_header() {
    let echo = Service::start(|seen| {
        let key = seen.header("authorization").to_owned();
        match seen.line.as_str() {
            "GET /v1/account" => detail(401, &format!("unknown credential {key}")),
            "GET /v1/regions" => raw(200, format!("\"{key}\"")),
            _ => raw(418, format!("{}{key}", "x".repeat(2040))),
        }
    })
    .await;
    let client = echo.client();
    let errors = [
        client.account().await.unwrap_err(),
        client.regions().await.unwrap_err(),
        client.environments().await.unwrap_err(),
    ];
    for error in &errors {
        let shown = format!("{error} {error:?} {error:#?} {}", error.to_line());
        // Nor the half of it that would be left by a cut.
        assert!(!shown.contains("sk_test"), "{shown}");
    }
    assert!(
        errors[0]
            .to_string()
            .contains("unknown credential Bearer ***"),
        "{}",
        errors[0]
    );
    assert!(!format!("{client:?} {:?}", crate::support::builder(&echo.url)).contains("sk_test"));
}

#[tokio::test]
async fn s21_a_redirect_does_not_carry_the_key_away() {
    let elsewhere = Service::start(|_| ok(&account())).await;
    let url = format!("{}/v1/account", elsewhere.url);
    let service = Service::start(move |_| {
        let mut response = raw(302, "");
        response
            .headers_mut()
            .insert("location", HeaderValue::from_str(&url).unwrap());
        response
    })
    .await;
    let error = service.client().account().await.unwrap_err();
    assert_eq!(error.status(), Some(302));
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn s22_a_hostile_id_is_refused_before_anything_is_sent() {
    let service = Service::start(|_| ok(&json!({}))).await;
    let client = service.client();
    for id in ["batch?run_id=x", "../account", "a b", ""] {
        let error = client.close_instance(&id.into()).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::InvalidId(_)), "{error:?}");
        assert!(!error.is_retryable() && !error.is_gone());
        assert!(client.heartbeat(&id.into(), None).await.is_err());
        assert!(client.task(&id.into()).await.is_err());
    }
    assert!(client.close_instances(None, None).await.is_err());
    assert!(service.seen().is_empty());
}
