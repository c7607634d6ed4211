//! The one Python worker of a server: started on first use, replaced when it ended.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fleet_api::types::VerifierFailure;
use process_tree::Shim;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::venv::{self, PythonConfig, VenvError};
use super::worker::{Worker, WorkerError};
use crate::error_chain;
use crate::seam::InstanceView;
use crate::verify::arguments::CallArguments;
use crate::verify::bundle::Bundle;
use crate::verify::outcome::Outcome;

/// After a failed start the next verifications fail at once for this long: fifty of them must not wait for fifty downloads that fail.
const START_PAUSE: Duration = Duration::from_secs(20);

/// Beyond the time limit, for the child's start and its forced end; by then the worker itself hangs.
const ANSWER_MARGIN: Duration = Duration::from_secs(30);

/// Variables that the worker gets from the server's environment: locale and certificates, nothing that could be a secret.
const PASSED_ON: [&str; 6] = [
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// Python verifiers cannot run.
#[derive(Debug, Clone, thiserror::Error)]
#[error("Python verifiers cannot run: {reason}")]
pub struct PythonError {
    /// Why, with what to do.
    pub reason: String,
}

impl From<VenvError> for PythonError {
    fn from(error: VenvError) -> Self {
        Self {
            reason: error_chain(&error),
        }
    }
}

impl From<WorkerError> for PythonError {
    fn from(error: WorkerError) -> Self {
        Self {
            reason: error_chain(&error),
        }
    }
}

/// What the worker needs to know.
#[derive(Debug)]
pub(in crate::verify) struct RuntimeConfig {
    pub(in crate::verify) python: PythonConfig,
    pub(in crate::verify) shim: Shim,
    pub(in crate::verify) base_url: String,
    pub(in crate::verify) api_key: Option<SecretString>,
}

/// One verification.
pub(in crate::verify) struct Job<'job> {
    pub(in crate::verify) bundle: &'job Bundle,
    pub(in crate::verify) function_name: Option<&'job str>,
    pub(in crate::verify) call: &'job CallArguments,
    pub(in crate::verify) instance: &'job Arc<dyn InstanceView>,
    pub(in crate::verify) time_limit: Duration,
    pub(in crate::verify) memory_limit: u64,
}

/// The worker, if there is one.
#[derive(Debug)]
pub(in crate::verify) struct PythonRuntime {
    config: RuntimeConfig,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    worker: Option<Arc<Worker>>,
    failed: Option<(Instant, PythonError)>,
}

#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    died: Option<String>,
    #[serde(default)]
    result: Value,
    #[serde(default)]
    error: Option<VerifierFailure>,
    #[serde(default)]
    stdout: String,
}

impl PythonRuntime {
    pub(in crate::verify) fn new(config: RuntimeConfig) -> Self {
        Self {
            config,
            state: Mutex::default(),
        }
    }

    /// Makes sure that a worker runs.
    pub(in crate::verify) async fn prepare(&self) -> Result<(), PythonError> {
        self.worker().await.map(drop)
    }

    /// The running worker; on first use this may make the virtual environment.
    async fn worker(&self) -> Result<Arc<Worker>, PythonError> {
        // Held while the worker starts, so that all who need it wait for the same one.
        let mut state = self.state.lock().await;
        if let Some(worker) = state.worker.as_ref().filter(|worker| !worker.has_ended()) {
            return Ok(Arc::clone(worker));
        }
        if let Some((when, error)) = &state.failed
            && when.elapsed() < START_PAUSE
        {
            return Err(error.clone());
        }
        match self.start().await {
            Ok(worker) => {
                let worker = Arc::new(worker);
                *state = State {
                    worker: Some(Arc::clone(&worker)),
                    failed: None,
                };
                Ok(worker)
            }
            Err(error) => {
                *state = State {
                    worker: None,
                    failed: Some((Instant::now(), error.clone())),
                };
                Err(error)
            }
        }
    }

    async fn start(&self) -> Result<Worker, PythonError> {
        let python = venv::python(&self.config.python, &self.config.shim).await?;
        let mut env: Vec<(String, String)> = PASSED_ON
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)))
            .collect();
        // The SDK refuses to start without a key; a server without one takes any.
        let api_key = self
            .config
            .api_key
            .as_ref()
            .map_or("local", SecretString::expose_secret);
        env.push(("FLEET_API_KEY".to_owned(), api_key.to_owned()));
        env.push(("FLEET_BASE_URL".to_owned(), self.config.base_url.clone()));
        // Spares a request and a TLS context in every child; the managers here take any token.
        env.push(("RUNNER_AUTH_TOKEN".to_owned(), "local".to_owned()));
        Ok(Worker::start(&python, &env, &self.config.shim).await?)
    }

    /// Runs one Python verifier.
    pub(in crate::verify) async fn run(&self, job: Job<'_>) -> Outcome {
        let request = request(&job);
        // A worker that ended since it was last used shows when it is called; the verification has not begun then, and the next one takes it.
        // A worker that ends later takes the verification with it: whatever ended it would end the next one too.
        for last in [false, true] {
            let worker = match self.worker().await {
                Ok(worker) => worker,
                Err(error) => return Outcome::failed("PythonUnavailable", error.to_string()),
            };
            match tokio::time::timeout(job.time_limit + ANSWER_MARGIN, worker.run(&request)).await {
                Ok(Ok(answer)) => return read(answer),
                Ok(Err(WorkerError::Unreachable(error))) if !last => {
                    tracing::debug!(%error, "the Python worker takes no work; starting another");
                    worker.shut_down().await;
                }
                Ok(Err(error)) => {
                    worker.settle().await;
                    return Outcome::failed("VerifierCrash", error_chain(&error));
                }
                Err(_) => {
                    worker.shut_down().await;
                    return Outcome::failed("TimeoutError", "the Python worker did not answer");
                }
            }
        }
        unreachable!("the last round returns")
    }

    /// Ends the worker and waits until its tree is gone.
    pub(in crate::verify) async fn shut_down(&self) {
        let worker = self.state.lock().await.worker.take();
        if let Some(worker) = worker {
            worker.shut_down().await;
        }
    }
}

fn request(job: &Job<'_>) -> Value {
    let files: BTreeMap<&String, String> = job
        .bundle
        .files
        .iter()
        .map(|(name, content)| (name, STANDARD.encode(content)))
        .collect();
    json!({
        "source": job.bundle.source,
        "files": files,
        "function_name": job.function_name,
        "args": job.call.args,
        "kwargs": job.call.kwargs,
        "instance_id": job.instance.instance_id(),
        "env_key": job.instance.env_key(),
        "root_url": job.instance.root_url(),
        "app_urls": job.instance.app_urls(),
        "manager_url": job.instance.manager_url(),
        "time_limit": job.time_limit.as_secs_f64(),
        "memory_limit": job.memory_limit,
    })
}

fn read(answer: Value) -> Outcome {
    let answer: Answer = match serde_json::from_value(answer) {
        Ok(answer) => answer,
        Err(error) => {
            return Outcome::failed(
                "VerifierCrash",
                format!("the Python worker's answer cannot be read: {error}"),
            );
        }
    };
    let outcome = match (answer.died, answer.error) {
        (Some(died), _) => Outcome::failed("VerifierCrash", died),
        (None, Some(error)) => Outcome {
            result: Err(error),
            stdout: String::new(),
        },
        (None, None) => Outcome::returned(answer.result, String::new()),
    };
    outcome.with_stdout(answer.stdout)
}
