//! The layer of faults: every call is noted, misused as the script says, and mostly passed on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};
use serde_json::Value;

use crate::answer::{self, Upstream};
use crate::ledger::LedgerEntry;
use crate::script::{Call, Fault, Script};
use crate::wire::Ending;

pub(crate) struct Proxy {
    pub(crate) upstream: String,
    pub(crate) client: reqwest::Client,
    pub(crate) script: Mutex<Script>,
    pub(crate) entries: Mutex<Vec<LedgerEntry>>,
    /// Instances with the listings that they are still missing from.
    pub(crate) hidden: Mutex<HashMap<String, u32>>,
}

/// A call that has been read to its end.
#[derive(Clone)]
struct Asked {
    /// Its place in the ledger.
    place: usize,
    call: Call,
    target: String,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

pub(crate) async fn handle(
    State(proxy): State<Arc<Proxy>>,
    ConnectInfo(ending): ConnectInfo<Ending>,
    request: Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
        // Whoever asked is gone before the question was complete.
        cut()
    };
    let call = call_of(&parts.method, parts.uri.path());
    let target = target_of(call, &parts.uri, &parts.headers, &body);
    let fault = proxy.script.lock().unwrap().due(call, &target);
    let run_id = run_of(call, &parts.uri, &body);
    let entry = LedgerEntry {
        at: Instant::now(),
        call,
        target: target.clone(),
        request_id: header(&parts.headers, "x-request-id"),
        run_id,
        fault: fault.as_ref().map(|fault| format!("{fault:?}")),
        status: None,
        answer: None,
    };
    let place = {
        let mut entries = proxy.entries.lock().unwrap();
        entries.push(entry);
        entries.len() - 1
    };
    let asked = Asked {
        place,
        call,
        target,
        method: parts.method,
        uri: parts.uri,
        headers: parts.headers,
        body,
    };
    match fault {
        None => proxy.pass_on(asked).await.into_response(),
        Some(fault) => proxy.fail(fault, asked, &ending).await,
    }
}

impl Proxy {
    async fn fail(self: &Arc<Self>, fault: Fault, asked: Asked, ending: &Ending) -> Response<Body> {
        match fault {
            Fault::Status(status) => answer::status(status),
            Fault::Refuse(status, headers, body) => answer::refused(status, headers, body),
            Fault::Quota => answer::quota(),
            Fault::SlowDown(after) => {
                let headers = after.map(|after| ("retry-after", after)).into_iter();
                answer::refused(429, headers.collect(), r#"{"detail": "injected"}"#.into())
            }
            Fault::LateStatus(status) => {
                self.pass_on(asked).await;
                answer::status(status)
            }
            Fault::Duplicate => answer::duplicate(&self.made(asked).await),
            Fault::DuplicateOfEnded => {
                let instance = self.made(asked).await;
                self.end(&instance).await;
                answer::duplicate(&instance)
            }
            Fault::CutBefore => cut(),
            Fault::CutAfter => {
                self.pass_on(asked).await;
                cut()
            }
            Fault::ResetBefore => {
                ending.reset();
                cut()
            }
            Fault::ResetAfter => {
                self.pass_on(asked).await;
                ending.reset();
                cut()
            }
            Fault::Slow(time) => {
                let answer = self.pass_on(asked).await;
                tokio::time::sleep(time).await;
                answer.into_response()
            }
            Fault::Drip => answer::drip(self.pass_on(asked).await),
            Fault::Endless => {
                self.pass_on(asked).await;
                answer::endless()
            }
            Fault::GzipBomb => {
                self.pass_on(asked).await;
                answer::gzip_bomb()
            }
            Fault::HalfJson => answer::half_json(&self.pass_on(asked).await),
            Fault::BrokenOff => answer::broken_off(&self.pass_on(asked).await),
            Fault::Body(text) => {
                self.pass_on(asked).await;
                answer::plain(StatusCode::OK, text)
            }
            Fault::Change(change) => {
                let answered = self.pass_on(asked).await;
                let mut value = answered.json().expect("the service answers with JSON");
                change(&mut value);
                answer::plain(answered.status, value.to_string())
            }
            Fault::Skew(seconds) => answer::skewed(self.pass_on(asked).await, seconds),
            Fault::Lie => answer::with_status(&self.record(&asked.target).await, "stopped"),
            Fault::Deaf => answer::with_status(&self.record(&asked.target).await, "running"),
            Fault::DieFirst => {
                self.end(&asked.target).await;
                self.pass_on(asked).await.into_response()
            }
            Fault::Twin => {
                let mut twin = asked.clone();
                let other = format!("{}-twin", header(&twin.headers, "x-request-id"));
                twin.headers.insert("x-request-id", other.parse().unwrap());
                self.pass_on_unnoted(&twin).await;
                self.pass_on(asked).await.into_response()
            }
            Fault::HideFromLists(lists) => {
                let answered = self.pass_on(asked).await;
                if let Some(instance) = instance_in(&answered) {
                    self.hidden.lock().unwrap().insert(instance, lists);
                }
                answered.into_response()
            }
            Fault::Lost(lists) => {
                let answered = self.pass_on(asked).await;
                if let Some(instance) = instance_in(&answered) {
                    self.hidden.lock().unwrap().insert(instance, lists);
                }
                answer::half_json(&answered)
            }
            Fault::ForgetFilter => {
                let uri = Uri::from_static("/v1/env/instances");
                self.pass_on(Asked { uri, ..asked }).await.into_response()
            }
        }
    }

    /// Passes a create on and returns the instance that it made.
    async fn made(self: &Arc<Self>, asked: Asked) -> String {
        let answered = self.pass_on(asked).await;
        instance_in(&answered).expect("the create makes an instance")
    }

    /// Sends a call to the service and notes what came of it. It goes on to its end when the caller hangs up: what a
    /// service has begun it does.
    async fn pass_on(self: &Arc<Self>, asked: Asked) -> Upstream {
        let proxy = Arc::clone(self);
        let passing = tokio::spawn(async move {
            let answered = proxy.pass_on_unnoted(&asked).await;
            let answered = proxy.without_hidden(&asked, answered);
            let mut entries = proxy.entries.lock().unwrap();
            let entry = &mut entries[asked.place];
            entry.status = Some(answered.status.as_u16());
            if matches!(asked.call, Call::Create | Call::Execute | Call::Close) {
                entry.answer = answered.json();
            }
            drop(entries);
            answered
        });
        passing.await.expect("the embedded server answers")
    }

    async fn pass_on_unnoted(&self, asked: &Asked) -> Upstream {
        let path = asked.uri.path_and_query().unwrap().as_str();
        let mut headers = asked.headers.clone();
        for name in ["host", "content-length", "connection", "accept-encoding"] {
            headers.remove(name);
        }
        let request = self
            .client
            .request(asked.method.clone(), format!("{}{path}", self.upstream))
            .headers(headers)
            .body(asked.body.clone());
        let answer = request.send().await.expect("the embedded server answers");
        Upstream {
            status: answer.status(),
            body: answer.bytes().await.unwrap(),
        }
    }

    /// A listing without the instances that it does not show yet.
    fn without_hidden(&self, asked: &Asked, answered: Upstream) -> Upstream {
        if asked.call != Call::List {
            return answered;
        }
        let Some(Value::Array(mut listed)) = answered.json() else {
            return answered;
        };
        let mut hidden = self.hidden.lock().unwrap();
        listed.retain(|record| {
            let id = record["instance_id"].as_str().unwrap_or_default();
            match hidden.get_mut(id) {
                Some(left) if *left > 0 => {
                    *left -= 1;
                    false
                }
                _ => true,
            }
        });
        Upstream {
            body: Value::Array(listed).to_string().into(),
            ..answered
        }
    }

    async fn record(&self, instance: &str) -> Value {
        let url = format!("{}/v1/env/instances/{instance}", self.upstream);
        let answer = self.client.get(url).send().await.unwrap();
        answer.json().await.unwrap()
    }

    /// Ends an instance as if it had died: nobody asked for it.
    pub(crate) async fn end(&self, instance: &str) {
        let url = format!("{}/v1/env/instances/{instance}", self.upstream);
        self.client.delete(url).send().await.unwrap();
    }
}

fn instance_in(answered: &Upstream) -> Option<String> {
    let value = answered.json()?;
    Some(value.get("instance_id")?.as_str()?.to_owned())
}

/// Ends the connection without an answer: the server drops a connection whose handler unwinds.
fn cut() -> ! {
    std::panic::resume_unwind(Box::new("cut"))
}

fn call_of(method: &Method, path: &str) -> Call {
    let instance = path.strip_prefix("/v1/env/instances/");
    match (method.as_str(), path, instance) {
        ("GET", "/v1/account", _) => Call::Account,
        ("POST", "/v1/env/instances", _) => Call::Create,
        ("GET", "/v1/env/instances", _) => Call::List,
        ("POST", "/v1/verifiers/execute", _) => Call::Execute,
        ("GET", "/v1/verifiers/check", _) => Call::Check,
        ("POST", "/v1/traces/jobs", _) => Call::Job,
        ("POST", "/v1/sessions/ingest" | "/v1/traces/logs", _) => Call::Session,
        ("GET", path, _) if path.starts_with("/v1/sessions") || path.starts_with("/v1/jobs") => {
            Call::LookAtSessions
        }
        ("POST", _, Some(_)) => Call::Heartbeat,
        ("DELETE", _, Some(_)) => Call::Close,
        ("GET", _, Some(_)) => Call::Get,
        ("GET", path, _) if path.starts_with("/v1/tasks") => Call::Tasks,
        ("GET", path, _) if path.starts_with("/v1/env") => Call::Environments,
        _ => Call::Other,
    }
}

fn target_of(call: Call, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> String {
    match call {
        Call::Create => header(headers, "x-request-id"),
        Call::Get | Call::Heartbeat | Call::Close => {
            let path = uri.path().trim_start_matches("/v1/env/instances/");
            path.split('/').next().unwrap_or_default().to_owned()
        }
        Call::Execute => {
            let body: Value = serde_json::from_slice(body).unwrap_or_default();
            let instance = body["args_array"][0]["env"].as_str();
            instance.unwrap_or_default().to_owned()
        }
        _ => String::new(),
    }
}

fn run_of(call: Call, uri: &Uri, body: &Bytes) -> Option<String> {
    match call {
        Call::Create => {
            let body: Value = serde_json::from_slice(body).ok()?;
            Some(body["run_id"].as_str()?.to_owned())
        }
        Call::List => {
            let mut pairs = uri.query()?.split('&');
            let run = pairs.find_map(|pair| pair.strip_prefix("run_id="));
            run.map(str::to_owned)
        }
        _ => None,
    }
}

fn header(headers: &HeaderMap, name: &str) -> String {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}
