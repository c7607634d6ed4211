//! The verifier service itself: from a request to an answer.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fleet_api::types::manager::{ExecuteFunctionBody, ExecuteFunctionResponse};
use fleet_api::types::{ExecuteResponse, ExecuteVerifierBody, VerifierCheck};
use fs_err as fs;
use jiff::Timestamp;
use process_tree::Shim;
use serde_json::Value;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::arguments::CallArguments;
use super::bundle::{Bundle, BundleError, BundleStore, ZIP_BYTES};
use super::command;
use super::confine::{Confinement, SandboxConfig, Usage};
use super::outcome::Outcome;
use super::passes::Passes;
use super::python::{Job, PythonConfig, PythonError, PythonRuntime, RuntimeConfig};
use super::state::{StateSpec, evaluate};
use crate::error_chain;
use crate::manager::query::limit_time;
use crate::manager::{open_current_read_only, open_seed};
use crate::programs::Programs;
use crate::seam::{CURRENT, InstanceView};

/// Verifications that run at a time; others wait. As many as the runner's default asks for at once.
const PARALLEL: usize = 32;

/// Bytes of the source of a function that a client wants to run.
const SOURCE_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of address space of one verifier unless configured: the SDK itself takes a third of a GiB.
const MEMORY_LIMIT: u64 = 2 * 1024 * 1024 * 1024;

/// How the service runs verifiers.
#[derive(Debug, Clone)]
pub struct VerifyConfig {
    /// Folder for the scratch files of verifications; made if it is missing.
    pub data_dir: PathBuf,
    /// The Python for Python verifiers.
    pub python: PythonConfig,
    /// Wall-clock time of one verification. The time that a request asks for is not looked at: the official client always says 30 s,
    /// which is too short for many verifiers.
    pub time_limit: Duration,
    /// Bytes of address space of one verifier's process; none takes 2 GiB.
    pub memory_limit: Option<u64>,
    /// How process trees are started.
    pub shim: Shim,
    /// What verifiers that are programs take for the Fleet API, without a trailing slash. They reach it from their sandbox, so it must be an address
    /// with nothing behind it but what they may ask for.
    pub base_url: String,
    /// How verifiers that are programs are confined.
    pub sandbox: SandboxConfig,
}

/// The service could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("the verifiers' folder cannot be used")]
pub struct SetupError(#[source] io::Error);

/// A request without a usable bundle: to be answered with status 400 and this text as its `detail`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecuteError {
    /// No bundle was sent, and none of this hash is kept. The words "not found" make the official client send it.
    #[error("Bundle not found: no bundle with sha256 {sha256} is stored, send it with the request")]
    UnknownBundle {
        /// The hash, cut to its length.
        sha256: String,
    },
    /// What was sent is no bundle.
    #[error("{}", error_chain(.0))]
    Bundle(BundleError),
    /// What was sent is not base64.
    #[error("the bundle is not base64")]
    Encoding,
}

/// Stores and runs verifiers.
#[derive(Debug)]
pub struct VerifierService {
    config: VerifyConfig,
    bundles: BundleStore,
    python: PythonRuntime,
    confinement: Arc<Confinement>,
    passes: Arc<Passes>,
    programs: Programs,
    running: Semaphore,
}

impl VerifierService {
    /// A service that has run nothing yet. No process is started before it is needed.
    ///
    /// # Errors
    /// The data folder cannot be made.
    pub fn new(config: VerifyConfig) -> Result<Self, SetupError> {
        fs::create_dir_all(&config.data_dir).map_err(SetupError)?;
        let confinement = Arc::new(Confinement::new(&config.sandbox, &config.base_url));
        let passes = Arc::new(Passes::default());
        let programs = Programs::new(config.shim.clone());
        let python = PythonRuntime::new(RuntimeConfig {
            passes: Arc::clone(&passes),
            python: config.python.clone(),
            programs: programs.clone(),
            base_url: config.base_url.clone(),
            confinement: Arc::clone(&confinement),
        });
        Ok(Self {
            config,
            bundles: BundleStore::default(),
            python,
            confinement,
            passes,
            programs,
            running: Semaphore::new(PARALLEL),
        })
    }

    /// Where programs are started that run for a request.
    pub(crate) fn programs(&self) -> &Programs {
        &self.programs
    }

    /// What running verifiers are recognised by.
    pub(crate) fn passes(&self) -> &Passes {
        &self.passes
    }

    /// Answers `GET /v1/verifiers/check`. An unknown hash is a plain `success: false`: a 404 would be retried for seconds.
    pub fn check(&self, sha256: &str) -> VerifierCheck {
        VerifierCheck {
            success: self.bundles.get(sha256).is_some(),
            ..VerifierCheck::default()
        }
    }

    /// Takes back a bundle that was sent to an earlier server, for a hash that a build of the same content had.
    ///
    /// # Errors
    /// The bytes are no bundle.
    pub fn restore(&self, sha256: &str, zip: &[u8]) -> Result<(), BundleError> {
        self.bundles.restore(sha256, zip)
    }

    /// Of the content that a hash names, if it is kept.
    pub fn content_hash(&self, sha256: &str) -> Option<[u8; 32]> {
        self.bundles.get(sha256).map(|bundle| bundle.content_hash)
    }

    /// The instance that a request is about, if its arguments name one.
    pub fn instance_id(&self, body: &ExecuteVerifierBody) -> Option<String> {
        CallArguments::of(body).ok()?.instance_id
    }

    /// Answers `POST /v1/verifiers/execute`. `instance` is the one that [`VerifierService::instance_id`] names, if it exists.
    ///
    /// Everything that keeps the verifier from a result is an answer with `success: false`. Dropping the future ends the verifier.
    ///
    /// # Errors
    /// The request has no usable bundle.
    pub async fn execute(
        &self,
        body: ExecuteVerifierBody,
        instance: Option<Arc<dyn InstanceView>>,
    ) -> Result<ExecuteResponse, ExecuteError> {
        let cache_hit = body.bundle.is_none();
        let bundle = self.bundle(&body)?;
        let permit = self
            .running
            .acquire()
            .await
            .expect("the semaphore is never closed");
        let started = Instant::now();
        let outcome = self.run(&body, &bundle, instance).await;
        let execution_time_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        drop(permit);
        let (result, error) = match outcome.result {
            Ok(value) => (Some(value), None),
            Err(error) => (None, Some(error)),
        };
        Ok(ExecuteResponse {
            key: body.key,
            version: Some(1),
            display_src: None,
            created_at: Some(Timestamp::now().to_string()),
            comment: None,
            success: error.is_none(),
            result,
            verifier_id: Some(verifier_id(&bundle).as_str().into()),
            execution_id: Some(Uuid::new_v4().to_string().as_str().into()),
            error,
            execution_time_ms,
            bundle_cache_hit: Some(cache_hit),
            stdout: Some(outcome.stdout),
            sandbox: outcome.sandbox,
        })
    }

    /// Runs a function of a client against an instance, confined and bounded as a verifier is.
    ///
    /// Dropping the future ends the function.
    pub async fn run_function(
        &self,
        body: ExecuteFunctionBody,
        instance: Arc<dyn InstanceView>,
    ) -> ExecuteFunctionResponse {
        let outcome = self.function_outcome(&body, &instance).await;
        match outcome.result {
            Ok(result) => ExecuteFunctionResponse {
                success: true,
                result: Some(result),
                error: None,
                message: "Function executed successfully".to_owned(),
            },
            Err(failure) => {
                // Text here, where the verifier service has an object.
                let error = format!("{}: {}", failure.kind, failure.message);
                ExecuteFunctionResponse {
                    success: false,
                    result: None,
                    message: error.clone(),
                    error: Some(error),
                }
            }
        }
    }

    async fn function_outcome(
        &self,
        body: &ExecuteFunctionBody,
        instance: &Arc<dyn InstanceView>,
    ) -> Outcome {
        if body.function_code.len() > SOURCE_BYTES {
            let problem = format!("the function has more than {SOURCE_BYTES} bytes");
            return Outcome::failed("ValueError", problem);
        }
        if !instance.is_running() {
            return Outcome::failed("InstanceUnavailable", "the instance is not running");
        }
        let bundle = Bundle::of_source(&body.function_code);
        let mut call = CallArguments::default();
        if let Some(answer) = &body.text_solution {
            let answer = Value::from(answer.as_str());
            call.kwargs.insert("final_answer".to_owned(), answer);
        }
        let _permit = self
            .running
            .acquire()
            .await
            .expect("the semaphore is never closed");
        let job = Job {
            bundle: &bundle,
            function_name: Some(&body.function_name),
            call: &call,
            instance,
            usage: self.usage(),
        };
        self.python.run(job).await
    }

    /// Makes sure that Python verifiers can run, which on first use may take a minute.
    ///
    /// # Errors
    /// There is no usable Python, or the SDK could not be installed.
    pub async fn prepare_python(&self) -> Result<(), PythonError> {
        self.python.prepare().await
    }

    /// Ends the Python worker with every verification in it, and waits until no process of it is left.
    pub async fn shutdown(&self) {
        self.python.shut_down().await;
    }

    fn bundle(&self, body: &ExecuteVerifierBody) -> Result<Arc<Bundle>, ExecuteError> {
        let Some(encoded) = &body.bundle else {
            let unknown = || ExecuteError::UnknownBundle {
                sha256: body.sha256.chars().take(64).collect(),
            };
            return self.bundles.get(&body.sha256).ok_or_else(unknown);
        };
        if encoded.len() / 4 * 3 > ZIP_BYTES + 2 {
            return Err(ExecuteError::Bundle(BundleError::TooLarge {
                what: format!("more than {ZIP_BYTES} bytes"),
            }));
        }
        let bytes = STANDARD
            .decode(encoded)
            .map_err(|_| ExecuteError::Encoding)?;
        self.bundles
            .insert(&bytes, &body.sha256)
            .map_err(ExecuteError::Bundle)
    }

    async fn run(
        &self,
        body: &ExecuteVerifierBody,
        bundle: &Bundle,
        instance: Option<Arc<dyn InstanceView>>,
    ) -> Outcome {
        let call = match CallArguments::of(body) {
            Ok(call) => call,
            Err(error) => return Outcome::failed("ArgumentError", error_chain(&error)),
        };
        // The words "not found" are kept out of these texts: the official client would take them for a missing bundle.
        let Some(name) = &call.instance_id else {
            return Outcome::failed("InstanceUnavailable", "the arguments name no instance");
        };
        let Some(instance) = instance else {
            return Outcome::failed(
                "InstanceUnavailable",
                format!(
                    "instance {name} is unknown to this server, or ended before its last start"
                ),
            );
        };
        if !instance.is_running() {
            return Outcome::failed(
                "InstanceUnavailable",
                format!("instance {name} is not running"),
            );
        }
        let Some(definition) = &bundle.native else {
            let job = Job {
                bundle,
                function_name: body.function_name.as_deref(),
                call: &call,
                instance: &instance,
                usage: self.usage(),
            };
            return self.python.run(job).await;
        };
        match definition.get("kind").and_then(Value::as_str) {
            Some("state") => self.run_state(definition, &call, &instance).await,
            Some("command") => self.run_command(definition, body, &call, &instance).await,
            Some(other) => Outcome::failed(
                "ValueError",
                format!("unknown kind of native verifier {other:?}; known are state, command"),
            ),
            None => Outcome::failed("ValueError", "the native verifier's definition has no kind"),
        }
    }

    async fn run_state(
        &self,
        definition: &Value,
        call: &CallArguments,
        instance: &Arc<dyn InstanceView>,
    ) -> Outcome {
        let spec = match StateSpec::parse(definition) {
            Ok(spec) => spec,
            Err(error) => return Outcome::failed("ValueError", error.to_string()),
        };
        let Some(files) = instance.files().databases.get(CURRENT).cloned() else {
            return Outcome::failed(
                "ValueError",
                "the environment has no main database for a state verifier to look at",
            );
        };
        let (answer, limit) = (call.final_answer().cloned(), self.config.time_limit);
        let evaluation = tokio::task::spawn_blocking(move || {
            let mut seed = open_seed(&files.seed).map_err(|error| error_chain(&error))?;
            let mut current =
                open_current_read_only(&files.current).map_err(|error| error_chain(&error))?;
            for connection in [&mut seed, &mut current] {
                limit_time(connection, limit).map_err(|error| error.to_string())?;
            }
            evaluate(&spec, &seed, &current, answer.as_ref()).map_err(|error| error_chain(&error))
        });
        match evaluation.await {
            Ok(Ok(evaluation)) => Outcome::returned(evaluation.score, evaluation.stdout),
            Ok(Err(error)) => Outcome::failed("VerifierError", error),
            Err(error) => Outcome::failed("VerifierCrash", error.to_string()),
        }
    }

    async fn run_command(
        &self,
        definition: &Value,
        body: &ExecuteVerifierBody,
        call: &CallArguments,
        instance: &Arc<dyn InstanceView>,
    ) -> Outcome {
        // Good until this returns.
        let pass = self.passes.issue(instance);
        let run = command::Run {
            programs: &self.programs,
            key: body.key.as_deref(),
            call,
            instance,
            usage: self.usage(),
            confinement: &self.confinement,
            data_dir: &self.config.data_dir,
            door: command::Door {
                address: &self.config.base_url,
                pass: pass.text(),
            },
        };
        command::run(definition, run).await
    }

    fn usage(&self) -> Usage {
        Usage {
            time_limit: self.config.time_limit,
            memory_limit: self.config.memory_limit.unwrap_or(MEMORY_LIMIT),
        }
    }
}

/// The same for every build of the same source.
fn verifier_id(bundle: &Bundle) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&bundle.content_hash[..16]);
    uuid::Builder::from_random_bytes(bytes)
        .into_uuid()
        .to_string()
}
