//! Who is let in, and what happens to odd paths.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{NOTES, TestServer, prepare, read};

#[tokio::test]
async fn with_a_key_configured_every_call_needs_it() {
    let server = TestServer::with(NOTES, |config| config.api_key = Some("right".into())).await;
    for (key, expected) in [(None, 401), (Some("wrong"), 401), (Some("right"), 200)] {
        let mut request = server.request(Method::GET, "/v1/account");
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        let (status, body) = read(request).await;
        assert_eq!(status.as_u16(), expected, "{key:?}");
        assert_eq!(body["detail"].is_string(), expected == 401);
    }
    let (status, _) = server.try_create(json!({"env_key": "notes"})).await;
    assert_eq!(
        (status, server.server.snapshot().created),
        (StatusCode::UNAUTHORIZED, 0)
    );
    server.stop().await;
}

#[tokio::test]
async fn duplicate_and_trailing_slashes_do_not_matter() {
    let server = TestServer::start().await;
    let expected = server.get("/v1/env").await;
    for path in ["/v1/env/", "//v1/env/", "/v1//env"] {
        assert_eq!(server.get(path).await, expected, "{path}");
    }
    assert_eq!(server.get("//v1/env/runs/?active=all").await, json!([]));
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_there_says_so_with_a_detail() {
    let server = TestServer::start().await;
    for (method, path, expected) in [
        (Method::GET, "/", 404),
        (Method::GET, "/v1/nothing", 404),
        (Method::GET, "/v1/runner-auth/token", 404),
        (Method::GET, "/v1/env/instances/ffffffff", 404),
        (Method::POST, "/v1/env/instances/ffffffff/heartbeat", 404),
        (Method::GET, "/v1/tasks/nothing", 404),
        (Method::GET, "/v1/verifiers/nothing", 404),
        (Method::GET, "/v1/env/nothing", 400),
        (Method::PATCH, "/v1/account", 405),
        (Method::POST, "/v1/judge/grade", 501),
        (Method::POST, "/v1/traces/jobs", 422),
        (Method::POST, "/v1/jobs", 422),
        (Method::GET, "/v1/jobs/nothing", 404),
        (Method::GET, "/v1/verifiers/check", 422),
    ] {
        let (status, body) = server.call(method.clone(), path).await;
        assert_eq!(status.as_u16(), expected, "{method} {path}: {body}");
        assert!(!body["detail"].is_null(), "{method} {path}: {body}");
    }
    server.stop().await;
}

#[tokio::test]
async fn only_loopback_is_served() {
    for bind in ["0.0.0.0:0", "192.0.2.1:0", "[::]:0"] {
        let (_dir, _, config) = prepare(NOTES, |config| config.bind = bind.parse().unwrap());
        let error = fleet_local::Server::start(config).await.unwrap_err();
        assert!(
            matches!(error, fleet_local::StartError::NotLoopback { .. }),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_login_is_refreshed_and_its_token_lets_in() {
    let server = TestServer::with(NOTES, |config| config.api_key = Some("right".into())).await;
    let refresh = async |token: &str| {
        let request = server.request(Method::POST, "/v1/auth/refresh");
        read(request.json(&json!({"refresh_token": token}))).await
    };
    assert_eq!(refresh("wrong").await.0, StatusCode::UNAUTHORIZED);
    let (status, answer) = refresh("right").await;
    assert_eq!(status, StatusCode::OK);
    let token = answer["access_token"].as_str().unwrap();
    let team = answer["team_id"].as_str().unwrap();
    for (token, team, expected) in [
        (token, team, 200),
        (token, "other", 403),
        ("x.y.z", team, 401),
    ] {
        let request = server.request(Method::GET, "/v1/account");
        let request = request
            .header("X-JWT-Token", token)
            .header("X-Team-ID", team);
        assert_eq!(read(request).await.0.as_u16(), expected);
    }
    server.stop().await;
}
