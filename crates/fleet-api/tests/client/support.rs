//! A service that answers by script and remembers what it was asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use fleet_api::{Client, ClientBuilder, RateLimits, RetryPolicy, Timeouts};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) const KEY: &str = "sk_test_0123456789";

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) number: usize,
    pub(crate) line: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

type Script = dyn Fn(&Seen) -> Response + Send + Sync;

#[derive(Clone)]
struct Shared {
    script: Arc<Script>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

pub(crate) struct Service {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    server: JoinHandle<()>,
}

impl Service {
    /// Starts a service that answers every request by `script`.
    pub(crate) async fn start(script: impl Fn(&Seen) -> Response + Send + Sync + 'static) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shared = Shared {
            script: Arc::new(script),
            seen: Arc::clone(&seen),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(shared);
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, seen, server }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.line).collect()
    }

    pub(crate) fn client(&self) -> Client {
        builder(&self.url).build().unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(shared): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
    let seen = {
        let mut all = shared.seen.lock().unwrap();
        let line = format!("{} {}", parts.method, parts.uri);
        let seen = Seen {
            number: all.len() + 1,
            line,
            headers: parts.headers,
            body,
        };
        all.push(seen.clone());
        seen
    };
    (shared.script)(&seen)
}

/// A client that is impatient enough for tests.
pub(crate) fn builder(url: &str) -> ClientBuilder {
    Client::builder(KEY.into())
        .base_url(url)
        .rate_limits(RateLimits::none())
        .retry(RetryPolicy {
            max_attempts: 4,
            base_delay: Duration::from_millis(1),
            max_delay: Duration::from_millis(5),
        })
        .timeouts(Timeouts {
            attempt: Duration::from_secs(5),
            idle: Duration::from_millis(300),
            call: Duration::from_secs(20),
            poll: Duration::from_millis(5),
            ..Timeouts::default()
        })
}

pub(crate) fn ok(body: &Value) -> Response {
    status(200, body)
}

pub(crate) fn status(status: u16, body: &Value) -> Response {
    raw(status, body.to_string())
}

pub(crate) fn detail(code: u16, detail: &str) -> Response {
    status(code, &json!({ "detail": detail }))
}

pub(crate) fn raw(status: u16, body: impl Into<Body>) -> Response {
    Response::builder()
        .status(status)
        .body(body.into())
        .unwrap()
}

/// A success whose connection breaks before its content.
pub(crate) fn broken() -> Response {
    let pieces = futures::stream::iter([Err::<Vec<u8>, _>(std::io::Error::other(
        "broken on purpose",
    ))]);
    Response::builder()
        .header("content-length", 10)
        .body(Body::from_stream(pieces))
        .unwrap()
}

pub(crate) fn account() -> Value {
    json!({"team_id": "t", "team_name": "T", "instance_limit": 5, "instance_count": 1})
}

pub(crate) fn instance(status: &str) -> Value {
    json!({"instance_id": "a1b2", "env_key": "helpdesk", "version": "v1", "status": status, "subdomain": "a1b2",
        "created_at": "", "updated_at": "", "team_id": "t", "region": "r"})
}
