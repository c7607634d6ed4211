//! Attempts of one call are one call: they have the same id and the same time, whichever client makes them.

use std::collections::HashMap;
use std::env;
use std::process::Command;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use fleet_api::Client;
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::local_server::{KEY, run};
use crate::{LIMIT, PYTHON, runtime, script, sdk, skipped};

/// Attempts of each call that are refused.
const REFUSED: usize = 2;

/// Path → the id and time of each attempt.
type Seen = Arc<Mutex<HashMap<String, Vec<(String, String)>>>>;

#[test]
fn s2_attempts_of_a_call_have_one_id_and_one_time_in_both_clients() {
    let Some(python) = env::var_os(PYTHON) else {
        return skipped();
    };
    let home = TempDir::new().unwrap();
    let of_sdk = refusing(|base_url| {
        let mut command = Command::new(&python);
        command.arg("-B").arg(script("retries.py"));
        sdk(&mut command, &base_url, home.path());
        let (status, text) = run(&mut command, &home.path().join("log"), LIMIT);
        assert!(status.success() && text.ends_with("done\n"), "{text}");
    });
    let of_rust = refusing(|base_url| {
        let fleet = Client::builder(KEY.to_owned().into())
            .base_url(base_url)
            .build()
            .unwrap();
        runtime().block_on(async {
            fleet.regions().await.unwrap();
            fleet.create_trace_job(Some("nightly")).await.unwrap();
        });
    });
    for (client, seen) in [("the SDK", of_sdk), ("fleet-api", of_rust)] {
        for path in ["/v1/regions", "/v1/traces/jobs"] {
            let attempts = &seen[path];
            assert_eq!(attempts.len(), REFUSED + 1, "{client} {path}");
            assert!(
                attempts.iter().all(|attempt| *attempt == attempts[0]),
                "{client} {path}: {attempts:?}"
            );
        }
        let ids = |path: &str| seen[path][0].0.clone();
        assert_ne!(ids("/v1/regions"), ids("/v1/traces/jobs"), "{client}");
    }
}

/// What a service saw that refuses the first attempts of every call, while `client` spoke to it.
fn refusing(client: impl FnOnce(String)) -> HashMap<String, Vec<(String, String)>> {
    let seen = Seen::default();
    let service = runtime();
    let listener = service
        .block_on(TcpListener::bind(("127.0.0.1", 0)))
        .unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer).with_state(Arc::clone(&seen));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = std::thread::spawn(move || {
        service.block_on(async {
            tokio::select! {
                served = axum::serve(listener, router) => served.unwrap(),
                _ = stopped => {}
            }
        });
    });
    client(base_url);
    stop.send(()).unwrap();
    serving.join().unwrap();
    std::mem::take(&mut seen.lock().unwrap())
}

async fn answer(State(seen): State<Seen>, request: Request) -> Response {
    let header = |name: &str| {
        let value = request.headers().get(name);
        value.unwrap().to_str().unwrap().to_owned()
    };
    let attempt = (header("x-request-id"), header("x-request-timestamp"));
    let path = request.uri().path().to_owned();
    let mut seen = seen.lock().unwrap();
    let attempts = seen.entry(path.clone()).or_default();
    attempts.push(attempt);
    if attempts.len() <= REFUSED {
        let body = Json(json!({"detail": "busy"}));
        return (StatusCode::SERVICE_UNAVAILABLE, body).into_response();
    }
    match path.as_str() {
        "/v1/regions" => Json(json!(["us-west-1"])).into_response(),
        _ => Json(json!({"job_id": "j", "name": "nightly", "status": "pending"})).into_response(),
    }
}
