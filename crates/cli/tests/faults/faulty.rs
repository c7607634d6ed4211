//! A Fleet that fails on request: the embedded server behind a proxy that injects faults by a script.
//!
//! The server's own ledger is the judge of what happened, not the harness.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{Method, Response, StatusCode};
use fleet_local::{LedgerSnapshot, Server, ServerConfig};
use process_tree::Shim;

/// The calls that a run makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Call {
    Account,
    Create,
    Execute,
    Close,
    List,
    Other,
}

/// What happens to a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// It is answered with this status and never reaches the service.
    Refuse(u16),
    /// Refused with the structured instance limit.
    Quota,
    /// 429 with `Retry-After: 1`.
    SlowDown,
    /// It takes effect, and the connection is cut instead of the answer.
    CutAfter,
    /// The connection is cut before it takes effect.
    CutBefore,
    /// It takes effect, and the answer is not JSON.
    Garbage,
    /// It takes effect, and the answer is cut short.
    Truncated,
}

/// A fault and how often it comes; `None` is for ever.
pub(crate) type Script = HashMap<Call, (Fault, Option<u32>)>;

pub(crate) struct FaultyFleet {
    server: Server,
    shared: Arc<Shared>,
    url: String,
}

struct Shared {
    upstream: String,
    client: reqwest::Client,
    script: Mutex<Script>,
    injected: Mutex<u32>,
}

impl FaultyFleet {
    pub(crate) async fn start(script: Script) -> Self {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut config = ServerConfig::new([root.join("examples/environments")]);
        let harness = PathBuf::from(env!("CARGO_BIN_EXE_harness"));
        config.shim = Shim::new(&harness, ["__shim"]);
        config.harness = harness;
        let server = Server::start(config).await.expect("the server starts");
        let shared = Arc::new(Shared {
            upstream: server.base_url(),
            client: reqwest::Client::builder()
                .timeout(Duration::from_secs(60))
                .build()
                .unwrap(),
            script: Mutex::new(script),
            injected: Mutex::new(0),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .fallback(handle)
            .with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            server,
            shared,
            url,
        }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// How often a fault was injected: a test whose fault never came proves nothing.
    pub(crate) fn injected(&self) -> u32 {
        *self.shared.injected.lock().unwrap()
    }

    pub(crate) fn ledger(&self) -> LedgerSnapshot {
        self.server.snapshot()
    }

    /// Ends the server; nothing may be left of it.
    pub(crate) async fn stop(self) {
        let report = self.server.shutdown().await;
        assert!(report.leftovers.is_empty(), "{:?}", report.leftovers);
    }
}

impl Shared {
    /// The fault that is due for a call, if any.
    fn due(&self, call: Call) -> Option<Fault> {
        let mut script = self.script.lock().unwrap();
        let (fault, left) = script.get_mut(&call)?;
        match left {
            Some(0) => return None,
            Some(left) => *left -= 1,
            None => {}
        }
        *self.injected.lock().unwrap() += 1;
        Some(*fault)
    }
}

fn call_of(method: &Method, path: &str) -> Call {
    match (method.as_str(), path) {
        ("GET", "/v1/account") => Call::Account,
        ("POST", "/v1/env/instances") => Call::Create,
        ("GET", "/v1/env/instances") => Call::List,
        ("POST", "/v1/verifiers/execute") => Call::Execute,
        ("DELETE", path) if path.starts_with("/v1/env/instances/") => Call::Close,
        _ => Call::Other,
    }
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response<Body> {
    let call = call_of(request.method(), request.uri().path());
    let Some(fault) = shared.due(call) else {
        let (status, bytes) = forward(&shared, request).await;
        return json(status, bytes);
    };
    match fault {
        Fault::Refuse(status) => {
            let status = StatusCode::from_u16(status).unwrap();
            json(status, r#"{"detail": "injected"}"#.into())
        }
        Fault::Quota => json(
            StatusCode::FORBIDDEN,
            r#"{"detail": {"error_type": "instance_limit_exceeded", "message": "You have 5 running instances out of a maximum of 5.", "running_instances": 5, "instance_limit": 5}}"#.into(),
        ),
        Fault::SlowDown => Response::builder()
            .status(429)
            .header("retry-after", "1")
            .body(Body::from(r#"{"detail": "injected"}"#))
            .unwrap(),
        Fault::CutBefore => cut(),
        Fault::CutAfter => {
            forward(&shared, request).await;
            cut()
        }
        Fault::Garbage => {
            forward(&shared, request).await;
            json(StatusCode::OK, "<html>captive portal</html>".into())
        }
        Fault::Truncated => {
            let (_, bytes) = forward(&shared, request).await;
            json(StatusCode::OK, bytes.slice(..bytes.len() / 2))
        }
    }
}

/// Ends the connection without an answer: the server drops a connection whose handler unwinds.
fn cut() -> ! {
    std::panic::resume_unwind(Box::new("cut"))
}

async fn forward(shared: &Shared, request: Request) -> (StatusCode, Bytes) {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let target = parts.uri.path_and_query().unwrap().as_str();
    let answer = shared
        .client
        .request(parts.method, format!("{}{target}", shared.upstream))
        .headers(without_hop_headers(&parts.headers))
        .body(body)
        .send()
        .await
        .expect("the embedded server answers");
    let status = answer.status();
    (status, answer.bytes().await.unwrap())
}

fn without_hop_headers(headers: &axum::http::HeaderMap) -> axum::http::HeaderMap {
    let mut kept = headers.clone();
    for name in ["host", "content-length", "connection", "accept-encoding"] {
        kept.remove(name);
    }
    kept
}

fn json(status: StatusCode, bytes: Bytes) -> Response<Body> {
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(Body::from(bytes))
        .unwrap()
}
