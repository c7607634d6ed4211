//! The one Python worker of a server: started on first use, replaced when it ended.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fleet_api::types::VerifierFailure;
use sandbox::{Gate, Layers, child_filters};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::venv::{self, PythonConfig, VenvError};
use super::worker::{Worker, WorkerError};
use crate::error_chain;
use crate::programs::Programs;
use crate::seam::InstanceView;
use crate::verify::arguments::CallArguments;
use crate::verify::bundle::Bundle;
use crate::verify::confine::{Admitted, Confinement, Refused, SandboxMode, Usage};
use crate::verify::outcome::Outcome;
use crate::verify::passes::{Pass, Passes};

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
    pub(in crate::verify) programs: Programs,
    pub(in crate::verify) base_url: String,
    pub(in crate::verify) confinement: Arc<Confinement>,
    pub(in crate::verify) passes: Arc<Passes>,
}

/// One verification.
pub(in crate::verify) struct Job<'job> {
    pub(in crate::verify) bundle: &'job Bundle,
    pub(in crate::verify) function_name: Option<&'job str>,
    pub(in crate::verify) call: &'job CallArguments,
    pub(in crate::verify) instance: &'job Arc<dyn InstanceView>,
    pub(in crate::verify) usage: Usage,
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
        let python = venv::python(&self.config.python, &self.config.programs).await?;
        let mut env: Vec<(String, String)> = PASSED_ON
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)))
            .collect();
        // The SDK refuses to start without a key. Each verification has one of its own, and the server's is not for verifiers.
        env.push(("FLEET_API_KEY".to_owned(), "local".to_owned()));
        env.push(("FLEET_BASE_URL".to_owned(), self.config.base_url.clone()));
        // Spares a request and a TLS context in every child; the managers here take any token.
        env.push(("RUNNER_AUTH_TOKEN".to_owned(), "local".to_owned()));
        let confinement = &self.config.confinement;
        Ok(Worker::start(&python, &env, &self.config.programs, confinement).await?)
    }

    /// Runs one Python verifier.
    pub(in crate::verify) async fn run(&self, job: Job<'_>) -> Outcome {
        let confinement = &self.config.confinement;
        let gate = match confinement.mode {
            SandboxMode::Off => None,
            SandboxMode::Require | SandboxMode::Best => match Gate::new() {
                Ok(gate) => Some(gate),
                Err(error) => {
                    return Outcome::failed(
                        "OSError",
                        format!("no gate for the verifier: {error}"),
                    );
                }
            },
        };
        // Good until this returns.
        let pass = self.config.passes.issue(job.instance);
        // A worker that ended since it was last used shows when it is called; the verification has not begun then, and the next one takes it.
        // A worker that ends later takes the verification with it: whatever ended it would end the next one too.
        for last in [false, true] {
            let worker = match self.worker().await {
                Ok(worker) => worker,
                Err(error) => return Outcome::failed("PythonUnavailable", error.to_string()),
            };
            let request = self.request(&job, &worker, gate.as_ref(), &pass);
            let limit = job.usage.time_limit + ANSWER_MARGIN;
            match tokio::time::timeout(limit, self.attend(&worker, &request, &job, gate.as_ref()))
                .await
            {
                Ok(Attended {
                    answer: Ok(answer),
                    layers,
                }) => {
                    return read(answer).with_sandbox(confinement.record(layers.as_ref()));
                }
                Ok(Attended {
                    answer: Err(Broken::Worker(WorkerError::Unreachable(error))),
                    ..
                }) if !last => {
                    tracing::debug!(%error, "the Python worker takes no work; starting another");
                    worker.shut_down().await;
                }
                Ok(Attended {
                    answer: Err(Broken::Worker(error)),
                    ..
                }) => {
                    worker.settle().await;
                    return Outcome::failed("VerifierCrash", error_chain(&error));
                }
                Ok(Attended {
                    answer: Err(Broken::Refused(refused)),
                    layers,
                }) => {
                    return Outcome::from(refused)
                        .with_sandbox(confinement.record(layers.as_ref()));
                }
                Err(_) => {
                    worker.shut_down().await;
                    return Outcome::failed("TimeoutError", "the Python worker did not answer");
                }
            }
        }
        unreachable!("the last round returns")
    }

    /// Sends the request, lets the child through its gate, and waits for the answer.
    async fn attend(
        &self,
        worker: &Worker,
        request: &Value,
        job: &Job<'_>,
        gate: Option<&Gate>,
    ) -> Attended {
        let answer = worker.run(request);
        tokio::pin!(answer);
        let Some(gate) = gate else {
            let answer = answer.await.map_err(Broken::Worker);
            return Attended {
                answer,
                layers: None,
            };
        };
        let ports = self.config.confinement.ports(job.instance);
        // Whoever is dropped at the gate never runs; a dropped answer ends the child.
        let admitted: Result<Admitted, Refused> = tokio::select! {
            biased;
            admitted = self.config.confinement.admit(gate, &ports, worker.layers()) => admitted,
            answer = &mut answer => {
                // Why it could not start. No result counts that came past the gate.
                let answer = answer.map_err(Broken::Worker).and_then(|answer| {
                    let past = answer.get("error").is_none_or(Value::is_null) && answer.get("died").is_none();
                    if past { Err(Broken::Refused(Refused::new("the verifier was not confined"))) } else { Ok(answer) }
                });
                return Attended { answer, layers: None };
            }
        };
        match admitted {
            Ok(admitted) => Attended {
                answer: answer.await.map_err(Broken::Worker),
                layers: Some(admitted.layers),
            },
            Err(refused) => Attended {
                answer: Err(Broken::Refused(refused)),
                layers: None,
            },
        }
    }

    fn request(&self, job: &Job<'_>, worker: &Worker, gate: Option<&Gate>, pass: &Pass) -> Value {
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
            "pass": pass.text(),
            "instance_id": job.instance.instance_id(),
            "env_key": job.instance.env_key(),
            "root_url": job.instance.root_url(),
            "app_urls": job.instance.app_urls(),
            "manager_url": job.instance.manager_url(),
            "time_limit": job.usage.time_limit.as_secs_f64(),
            "limits": job.usage.limits(),
            "sandbox": gate.zip(worker.policy()).map(|(gate, policy)| {
                let filters = child_filters(worker.layers());
                json!({
                    "gate": gate.path(),
                    "policy": self.config.confinement.child_policy(policy, job.instance, job.usage),
                    "filters": filters.iter().map(|filter| STANDARD.encode(filter)).collect::<Vec<_>>(),
                })
            }),
        })
    }

    /// Ends the worker and waits until its tree is gone.
    pub(in crate::verify) async fn shut_down(&self) {
        let worker = self.state.lock().await.worker.take();
        if let Some(worker) = worker {
            worker.shut_down().await;
        }
    }
}

/// What became of one exchange with the worker.
struct Attended {
    answer: Result<Value, Broken>,
    /// What held, if the child was let through.
    layers: Option<Layers>,
}

/// Why there is no answer.
enum Broken {
    Worker(WorkerError),
    Refused(Refused),
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
            sandbox: None,
        },
        (None, None) => Outcome::returned(answer.result, String::new()),
    };
    outcome.with_stdout(answer.stdout)
}
