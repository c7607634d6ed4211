//! The service a command speaks to: the embedded server, started for it, or one that runs somewhere.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use fleet_api::{BuildError, Client, Credentials, RateLimits, SecretString};
use fleet_local::verify::{PythonConfig, SandboxMode};
use fleet_local::{JudgeConfig, JudgeEngine, Server, ServerConfig};
use harness::spec::{Endpoint, FleetSpec, JudgeSpec, RunSpec, TaskSource, VerifierSandbox};
use secrecy::ExposeSecret as _;
use tempfile::TempDir;

use crate::commands::demo_package;
use crate::failure::{Failure, chain};
use crate::secrets;

/// Names a Python that has `fleet-python`, for Python verifiers; without it the server makes one.
const VERIFIER_PYTHON: &str = "HARNESS_VERIFIER_PYTHON";

/// Variables of the official SDK: what the judge asks for beside the credential, the team that pays for gradings, and
/// where the token of a login is refreshed.
const JUDGE_TOKEN: &str = "FLEET_JUDGE_TOKEN";
const COST_TEAM: &str = "FLEET_COST_TEAM_ID";
const LOGIN_SERVICE: &str = "FLEET_AUTH_BASE_URL";

/// The embedded server's room when the spec does not limit it.
const LOCAL_INSTANCE_LIMIT: usize = 256;

/// Makes clients of the service.
pub(crate) type Connect = Arc<dyn Fn() -> Result<Client, BuildError> + Send + Sync>;

/// A service that can be spoken to.
pub(crate) struct Service {
    pub(crate) connect: Connect,
    pub(crate) client: Client,
    /// `local`, or the URL.
    pub(crate) endpoint: String,
    /// The credential, for agents that are given access.
    pub(crate) api_key: SecretString,
    embedded: Option<Embedded>,
}

struct Embedded {
    server: Server,
    // Holds the demo's package while the server reads from it.
    _package: Option<TempDir>,
}

impl Service {
    /// Starts or finds the service that a spec names.
    pub(crate) async fn of(spec: &RunSpec) -> Result<Self, Failure> {
        let fleet = &spec.fleet;
        let rates = RateLimits {
            requests_per_second: Some(fleet.rate_limit.requests_per_second),
            creates_per_second: Some(fleet.rate_limit.creates_per_second),
        };
        match &fleet.endpoint {
            Endpoint::Local => {
                let at_once = spec.concurrency.environments as usize;
                let folders = task_folders(&spec.tasks.source);
                Self::embedded(fleet, folders, at_once, rates).await
            }
            Endpoint::Url(url) => {
                let key = fleet.api_key.as_ref().map_or("", |key| key.text());
                Self::remote(url.as_str(), key.to_owned().into(), rates)
            }
        }
    }

    /// A service at a URL.
    pub(crate) fn remote(
        url: &str,
        api_key: SecretString,
        rates: RateLimits,
    ) -> Result<Self, Failure> {
        Self::remote_as(url, Credentials::ApiKey(api_key), rates)
    }

    /// A service at a URL, spoken to with whatever credential there is.
    pub(crate) fn remote_as(
        url: &str,
        credentials: Credentials,
        rates: RateLimits,
    ) -> Result<Self, Failure> {
        let api_key = match &credentials {
            Credentials::ApiKey(key) => key.clone(),
            // Agents are given keys, never a person's login.
            _ => SecretString::default(),
        };
        let connect = connect(url.to_owned(), credentials, rates);
        let client = connect().map_err(|error| Failure::usage(chain(&error)))?;
        Ok(Self {
            connect,
            client,
            endpoint: url.to_owned(),
            api_key,
            embedded: None,
        })
    }

    /// `task_folders` is where the verifiers of the run's own task files lie.
    async fn embedded(
        fleet: &FleetSpec,
        task_folders: Vec<PathBuf>,
        at_once: usize,
        rates: RateLimits,
    ) -> Result<Self, Failure> {
        // A key that nobody else knows: an agent without access cannot steer the service it is scored by.
        let api_key = match &fleet.api_key {
            Some(key) => SecretString::from(key.text().to_owned()),
            None => SecretString::from(uuid::Uuid::new_v4().simple().to_string()),
        };
        let limit = fleet.local.instance_limit.map_or_else(
            || LOCAL_INSTANCE_LIMIT.max(at_once),
            |limit| limit.get() as usize,
        );
        let (mut config, package) = local_config(
            fleet.local.environments.clone(),
            fleet.local.tasks.clone(),
            Some(api_key.clone()),
            limit,
        )?;
        config.verifier_sandbox = sandbox_mode(fleet.local.verifier_sandbox);
        config.verifier_read.extend(
            fleet
                .local
                .verifier_read
                .iter()
                .cloned()
                .chain(task_folders),
        );
        config.judge = fleet.local.judge.as_ref().map(judge);
        let server = Server::start(config)
            .await
            .map_err(|error| Failure::usage(chain(&error)))?;
        let credentials = Credentials::ApiKey(api_key.clone());
        let connect = connect(server.base_url(), credentials, rates);
        let client = connect().map_err(|error| Failure::usage(chain(&error)))?;
        Ok(Self {
            connect,
            client,
            endpoint: "local".to_owned(),
            api_key,
            embedded: Some(Embedded {
                server,
                _package: package,
            }),
        })
    }

    /// Ends what was started for the command. Says what could not be ended, one line each.
    pub(crate) async fn stop(self) -> Vec<String> {
        match self.embedded {
            Some(embedded) => embedded.server.shutdown().await.leftovers,
            None => Vec::new(),
        }
    }
}

fn task_folders(source: &TaskSource) -> Vec<PathBuf> {
    let TaskSource::Files(files) = source else {
        return Vec::new();
    };
    let folders = files.iter().filter_map(|file| file.parent());
    folders.map(Path::to_owned).collect()
}

/// The same choice in the server's words.
pub(crate) fn sandbox_mode(mode: VerifierSandbox) -> SandboxMode {
    match mode {
        VerifierSandbox::Require => SandboxMode::Require,
        VerifierSandbox::Best => SandboxMode::Best,
        VerifierSandbox::Off => SandboxMode::Off,
    }
}

/// The same judge in the server's words.
fn judge(spec: &JudgeSpec) -> JudgeConfig {
    JudgeConfig::new(match spec {
        JudgeSpec::Command(words) => JudgeEngine::Command(words.clone()),
        JudgeSpec::Model { url, model, key } => JudgeEngine::Model {
            url: url.clone(),
            model: model.clone(),
            key: key.as_ref().map(|(_, key)| key.text().to_owned().into()),
        },
    })
}

fn connect(url: String, credentials: Credentials, rates: RateLimits) -> Connect {
    if let Credentials::ApiKey(key) = &credentials {
        secrets::hide([key.expose_secret()]);
    }
    let user_agent = concat!("harness/", env!("CARGO_PKG_VERSION"));
    Arc::new(move || {
        let builder = Client::builder_with(credentials.clone())
            .base_url(url.clone())
            .user_agent(user_agent)
            .rate_limits(rates);
        let builder = match set(JUDGE_TOKEN) {
            Some(token) => builder.judge_token(token.into()),
            None => builder,
        };
        let builder = match set(COST_TEAM) {
            Some(team) => builder.cost_team_id(team),
            None => builder,
        };
        match set(LOGIN_SERVICE) {
            Some(url) => builder.auth_base_url(url),
            None => builder,
        }
        .build()
    })
}

/// A variable of the environment that has something in it.
fn set(name: &str) -> Option<String> {
    std::env::var(name)
        .ok()
        .filter(|value| !value.trim().is_empty())
}

/// The configuration of an embedded server. Without environments it serves the demo, from a folder that must live
/// as long as the server.
pub(crate) fn local_config(
    environments: Vec<PathBuf>,
    tasks: Vec<PathBuf>,
    api_key: Option<SecretString>,
    instance_limit: usize,
) -> Result<(ServerConfig, Option<TempDir>), Failure> {
    let mut tasks = tasks;
    let (environments, package) = if environments.is_empty() {
        let folder = demo_package::unpack_to_temp()?;
        if tasks.is_empty() {
            tasks = demo_package::task_files(folder.path());
        }
        (
            vec![demo_package::environments(folder.path())],
            Some(folder),
        )
    } else {
        (environments, None)
    };
    let mut config = ServerConfig::new(environments);
    config.tasks = tasks;
    config.api_key = api_key;
    config.instance_limit = instance_limit;
    if let Some(python) = std::env::var_os(VERIFIER_PYTHON) {
        config.python = PythonConfig::Existing(python.into());
    }
    Ok((config, package))
}
