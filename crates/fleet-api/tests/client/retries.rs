//! When an attempt is repeated, and what stays the same.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use axum::response::Response;
use fleet_api::{CallLimits, RateLimits};

use crate::support::{Service, account, broken, builder, detail, ok, status};

fn with_retry_after(mut response: Response, value: &str) -> Response {
    response
        .headers_mut()
        .insert("retry-after", value.parse().unwrap());
    response
}

#[tokio::test]
async fn s1_every_attempt_of_a_call_carries_the_same_identity() {
    let service = Service::start(|seen| match seen.number {
        1..=3 => detail(500, "oops"),
        _ => ok(&account()),
    })
    .await;
    service.client().account().await.unwrap();
    service.client().account().await.unwrap();

    let seen = service.seen();
    assert_eq!(seen.len(), 5);
    let identities: HashSet<_> = seen[..4]
        .iter()
        .map(|seen| {
            (
                seen.header("x-request-id"),
                seen.header("x-request-timestamp"),
            )
        })
        .collect();
    assert_eq!(identities.len(), 1);
    assert_ne!(
        seen[3].header("x-request-id"),
        seen[4].header("x-request-id")
    );
    assert_eq!(seen[0].header("x-request-id").len(), 36);
    assert!(
        seen[0]
            .header("x-request-timestamp")
            .parse::<i64>()
            .unwrap()
            > 1_700_000_000_000
    );
}

#[tokio::test]
async fn s1_a_passing_fault_is_survived_and_a_lasting_one_is_told() {
    for code in [429, 500, 502, 503, 504] {
        let passing = Service::start(move |seen| match seen.number {
            1 => detail(code, "busy"),
            _ => ok(&account()),
        })
        .await;
        passing.client().account().await.unwrap();
        assert_eq!(passing.seen().len(), 2, "{code}");

        let lasting = Service::start(move |_| detail(code, "busy")).await;
        let error = lasting.client().account().await.unwrap_err();
        assert_eq!(
            (lasting.seen().len(), error.attempts(), error.status()),
            (4, 4, Some(code))
        );
        assert!(error.is_retryable() && !error.is_ambiguous(), "{error}");
    }
}

#[tokio::test]
async fn a_final_answer_is_not_asked_for_twice() {
    for code in [307, 400, 401, 402, 403, 404, 409, 410, 422, 501, 520] {
        let service = Service::start(move |_| detail(code, "no")).await;
        let error = service
            .client()
            .close_instance(&"a1".into())
            .await
            .unwrap_err();
        assert_eq!(
            (service.seen().len(), error.status()),
            (1, Some(code)),
            "{error}"
        );
        assert!(!error.is_retryable());
        assert_eq!(error.is_gone(), matches!(code, 404 | 410));
        assert_eq!(error.is_auth(), code == 401);
    }
}

#[tokio::test]
async fn s6_a_broken_connection_is_repeated_and_leaves_doubt_about_writes() {
    let service = Service::start(|seen| {
        if seen.number == 1 {
            broken()
        } else {
            ok(&account())
        }
    })
    .await;
    service.client().account().await.unwrap();

    let service = Service::start(|_| broken()).await;
    let read = service.client().account().await.unwrap_err();
    let write = service
        .client()
        .close_instance(&"a1".into())
        .await
        .unwrap_err();
    assert_eq!(service.seen().len(), 8);
    assert!(read.is_retryable() && !read.is_ambiguous());
    assert!(write.is_retryable() && write.is_ambiguous());
}

#[tokio::test]
async fn s6_doubt_about_an_earlier_attempt_outlives_a_clear_refusal() {
    let service = Service::start(|seen| {
        if seen.number == 1 {
            broken()
        } else {
            detail(403, "no")
        }
    })
    .await;
    let error = service
        .client()
        .close_instance(&"a1".into())
        .await
        .unwrap_err();
    assert_eq!(error.status(), Some(403));
    assert!(error.is_ambiguous());
}

#[tokio::test]
async fn nothing_can_have_happened_where_nobody_listens() {
    let url = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let client = builder(&url).build().unwrap();
    let error = client.close_instance(&"a1".into()).await.unwrap_err();
    assert!(error.is_retryable() && !error.is_ambiguous(), "{error:?}");
    assert_eq!(error.attempts(), 4);
    assert_eq!(
        error.to_string(),
        "close instance: the service cannot be reached"
    );
    assert!(error.to_line().contains("refused"), "{}", error.to_line());
}

#[tokio::test]
async fn s2_a_request_for_quiet_holds_for_the_whole_client_but_not_for_heartbeats() {
    let service = Service::start(|seen| match seen.number {
        1 => with_retry_after(detail(429, "slow down"), "0.6"),
        _ if seen.line.contains("heartbeat") => {
            ok(&serde_json::json!({"success": true, "instance_id": "a1"}))
        }
        _ => ok(&account()),
    })
    .await;
    let client = service.client();
    let start = Instant::now();
    let once = client
        .limited(CallLimits::attempts(1))
        .account()
        .await
        .unwrap_err();
    assert!(once.is_retryable() && start.elapsed() < Duration::from_millis(500));

    client.heartbeat(&"a1".into(), None).await.unwrap();
    assert!(
        start.elapsed() < Duration::from_millis(500),
        "{:?}",
        start.elapsed()
    );
    client.clone().account().await.unwrap();
    assert!(
        start.elapsed() >= Duration::from_millis(580),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn s2_a_retry_waits_as_long_as_it_was_told() {
    let service = Service::start(|seen| match seen.number {
        1 => with_retry_after(detail(503, "back soon"), "0.4"),
        _ => ok(&account()),
    })
    .await;
    let start = Instant::now();
    service.client().account().await.unwrap();
    assert!(
        start.elapsed() >= Duration::from_millis(390),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn s2_a_wait_beyond_the_deadline_is_not_begun() {
    let service = Service::start(|_| with_retry_after(detail(429, "slow down"), "100")).await;
    let client = service
        .client()
        .limited(CallLimits::deadline(Duration::from_millis(300)));
    let start = Instant::now();
    let error = client.account().await.unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(2));
    assert_eq!((error.status(), service.seen().len()), (Some(429), 1));
}

#[tokio::test]
async fn a_call_that_never_got_its_turn_says_so() {
    let service = Service::start(|_| ok(&account())).await;
    let limits = RateLimits {
        requests_per_second: Some(0.01),
        ..RateLimits::none()
    };
    let client = builder(&service.url).rate_limits(limits).build().unwrap();
    client.account().await.unwrap();
    let error = client
        .limited(CallLimits::deadline(Duration::from_millis(50)))
        .close_instance(&"a1".into())
        .await
        .unwrap_err();
    assert_eq!((error.attempts(), service.seen().len()), (0, 1));
    assert!(error.is_retryable() && !error.is_ambiguous());
    assert!(
        error
            .to_string()
            .contains("no permission to send the request within"),
        "{error}"
    );
}

#[tokio::test]
async fn s3_a_full_quota_is_told_at_once_under_any_status() {
    let body = serde_json::json!({"detail": {"error_type": "instance_limit_exceeded", "message": "full",
        "running_instances": 5, "instance_limit": 5}});
    for code in [403, 429, 503] {
        let body = body.clone();
        let service = Service::start(move |_| status(code, &body)).await;
        let error = service.client().account().await.unwrap_err();
        assert!(error.is_quota() && !error.is_retryable());
        assert_eq!(service.seen().len(), 1, "{code}");
        assert_eq!(
            error.to_string(),
            "get account: the instance limit is reached (5 of 5 running)"
        );
    }
}
