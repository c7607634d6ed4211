//! Makes an instance and stays with it until it runs.
//!
//! The service may answer before the instance is usable, or not at all although it made one. Both
//! end in looking at the instance until it runs, ends, or the time is up.

use std::time::Duration;

use serde_json::{Map, Value};
use tracing::debug;

use crate::builder::DEFAULT_BASE_URL;
use crate::client::{Call, Client};
use crate::error::{Awaited, Error, ErrorKind};
use crate::request;
use crate::task::Task;
use crate::types::{
    CREATED_FROM_SDK, CreateInstanceBody, EnvKey, Instance, InstanceId, InstanceStatus, Region,
    RequestId, RunId,
};

/// How long a create may take when nobody says otherwise.
pub const DEFAULT_CREATE_TIMEOUT: Duration = Duration::from_mins(15);

/// The longest time the service is asked to hold a create.
const MAX_WAIT_LIMIT: Duration = Duration::from_hours(1);

/// The service is asked to answer this much earlier than we stop waiting, so that a slow create
/// arrives as an answer and not as a timeout.
const WAIT_MARGIN: Duration = Duration::from_secs(30);

/// What a held request may take beyond the time the service was asked to hold it.
const HOLD_SLACK: Duration = Duration::from_secs(15);

/// A call with less than twice this left gives up: another look would not be answered in time.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);

const OPERATION: &str = "create instance";

/// What to create.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CreateInstance {
    /// The environment, as `key` or `key:version`.
    pub environment: String,
    /// The data set, as `key` or `key:version`.
    pub data: Option<String>,
    /// Where to run it.
    pub region: Option<String>,
    /// Variables for the environment.
    pub env_variables: Option<Map<String, Value>>,
    /// `mcp` for the computer-use image.
    pub image_type: Option<String>,
    /// Life without heartbeats; sent in seconds, rounded up.
    pub ttl: Option<Duration>,
    /// The run it belongs to.
    pub run_id: Option<RunId>,
    /// Heartbeat interval; the service takes 30 s to an hour.
    pub heartbeat_interval: Option<Duration>,
    /// How long the service may hold the request. Default: half a minute less than the timeout, at
    /// most an hour.
    pub max_wait: Option<Duration>,
    /// The whole call. Default: the client's limit, else [`DEFAULT_CREATE_TIMEOUT`].
    pub timeout: Option<Duration>,
    /// The identity of this create. Give one that is stored already, and repeating the call after a
    /// crash finds the same instance.
    pub request_id: Option<RequestId>,
}

impl CreateInstance {
    /// An instance of `environment`, given as `key` or `key:version`.
    pub fn new(environment: impl Into<String>) -> Self {
        Self {
            environment: environment.into(),
            ..Self::default()
        }
    }

    /// The instance that `task` plays in.
    pub fn for_task(task: &Task) -> Self {
        Self {
            environment: task.env_key(),
            data: task.data_key(),
            env_variables: (!task.env_variables.is_empty()).then(|| task.env_variables.clone()),
            ..Self::default()
        }
    }

    /// With the data set `key` or `key:version`.
    pub fn data(mut self, data: impl Into<String>) -> Self {
        self.data = Some(data.into());
        self
    }

    /// In a region: a [`Region`], or its name.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// With variables for the environment, in place of those said before.
    pub fn env_variables(mut self, variables: Map<String, Value>) -> Self {
        self.env_variables = Some(variables);
        self
    }

    /// With one variable more for the environment.
    pub fn env_variable(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        let variables = self.env_variables.get_or_insert_default();
        variables.insert(name.into(), value.into());
        self
    }

    /// On another image than the standard one: `mcp` for computer use.
    pub fn image_type(mut self, image_type: impl Into<String>) -> Self {
        self.image_type = Some(image_type.into());
        self
    }

    /// As part of a run.
    pub fn run_id(mut self, run_id: impl Into<RunId>) -> Self {
        self.run_id = Some(run_id.into());
        self
    }

    /// With a life of its own.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Monitored by heartbeats.
    pub fn heartbeat_interval(mut self, interval: Duration) -> Self {
        self.heartbeat_interval = Some(interval);
        self
    }

    /// Held by the service for at most this long; zero asks it to answer at once.
    pub fn max_wait(mut self, max_wait: Duration) -> Self {
        self.max_wait = Some(max_wait);
        self
    }

    /// Within this time, from the first queue to a running instance.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Under this identity.
    pub fn request_id(mut self, id: RequestId) -> Self {
        self.request_id = Some(id);
        self
    }

    /// The body of the request, when `timeout` is all there is.
    fn body(&self, max_wait: Duration) -> CreateInstanceBody {
        let (env_key, env_version) = split_version(&self.environment);
        let data = self.data.as_deref().map(split_version);
        CreateInstanceBody {
            env_key: EnvKey::from(env_key),
            env_version,
            data_key: data.as_ref().map(|(key, _)| (*key).to_owned()),
            data_version: data.and_then(|(_, version)| version),
            region: self.region.clone(),
            env_variables: self.env_variables.clone(),
            image_type: self.image_type.clone(),
            created_from: Some(CREATED_FROM_SDK.to_owned()),
            ttl_seconds: self.ttl.map(whole_seconds),
            run_id: self.run_id.clone(),
            heartbeat_interval: self.heartbeat_interval.map(whole_seconds),
            max_wait_seconds: Some(max_wait.as_secs()),
        }
    }
}

impl From<&str> for CreateInstance {
    fn from(environment: &str) -> Self {
        Self::new(environment)
    }
}

impl From<String> for CreateInstance {
    fn from(environment: String) -> Self {
        Self::new(environment)
    }
}

impl From<&Task> for CreateInstance {
    fn from(task: &Task) -> Self {
        Self::for_task(task)
    }
}

impl Client {
    /// Makes an instance and returns it when it runs.
    ///
    /// If the service made the instance but its answer was lost, repeating with the same id finds
    /// it. An instance that ends while being awaited is a conflict. Whatever the error, an instance
    /// that is known to exist is in [`Error::instance_id`], and [`Error::is_ambiguous`] says when
    /// one may exist unseen.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), fleet_api::Error> {
    /// use std::time::Duration;
    /// use fleet_api::CreateInstance;
    ///
    /// let create = CreateInstance::new("helpdesk:v1.2.0")
    ///     .data("desk-seed")
    ///     .run_id("run-42")
    ///     .heartbeat_interval(Duration::from_secs(30));
    /// let instance = fleet.create_instance(&create).await?;
    /// println!("{} is {}", instance.instance_id, instance.status);
    /// # Ok(()) }
    /// ```
    pub async fn create_instance(&self, create: &CreateInstance) -> Result<Instance, Error> {
        let timeout = create
            .timeout
            .or(self.deadline_limit())
            .unwrap_or(DEFAULT_CREATE_TIMEOUT);
        let timeout = self
            .deadline_limit()
            .map_or(timeout, |limit| limit.min(timeout));
        let max_wait = max_wait(create.max_wait, timeout);
        let call = self.begin_long(max_wait + HOLD_SLACK + self.timeouts().connect, timeout);
        let call = Call {
            deadline: call.begun + timeout,
            ..call
        };
        let request = request::create_instance(&create.body(max_wait));
        let request_id = create.request_id.unwrap_or_else(RequestId::new);
        let base = regional_base(self.base_url(), create.region.as_deref());
        let base = base.as_deref().unwrap_or(self.base_url());

        match self
            .run_at::<Instance>(base, &request, call, request_id)
            .await
        {
            Ok(instance) => {
                let usable = can_be_named(instance);
                let settled = match usable {
                    Ok(instance) => self.settle(instance, call).await,
                    Err(error) => Err(error),
                };
                settled.map_err(|error| error.with_request_id(request_id))
            }
            Err(error) => match error.kind() {
                ErrorKind::Conflict {
                    duplicate_request: true,
                    instance_id: Some(id),
                    ..
                } => {
                    let id = id.clone();
                    debug!(%request_id, instance_id = %id, "an earlier attempt made the instance");
                    self.look(&id, call)
                        .await
                        .map_err(|error| error.with_request_id(request_id))
                }
                _ => Err(error),
            },
        }
    }

    /// Waits for an instance that was answered in whatever state.
    async fn settle(&self, instance: Instance, call: Call) -> Result<Instance, Error> {
        let id = instance.instance_id.clone();
        let status = instance.status.clone();
        match judge(instance) {
            Progress::Done(outcome) => *outcome,
            Progress::Waiting => {
                self.pause_before_look(&id, status, call).await?;
                self.look(&id, call).await
            }
        }
    }

    /// Looks at the instance until it runs, ends, or the call's time is up.
    async fn look(&self, id: &InstanceId, call: Call) -> Result<Instance, Error> {
        let request = request::new_instance(id)
            .map_err(|error| Error::invalid_id(OPERATION, error).with_ambiguous(true))?;
        // Held requests are long; a look is not.
        let call = Call {
            attempt: self.timeouts().attempt,
            ..call
        };
        let mut status = InstanceStatus::Pending;
        loop {
            let instance: Instance = match self.run(&request, call, RequestId::new()).await {
                Ok(instance) => instance,
                // The time may be up in the middle of a look; what was missing is the instance.
                Err(_) if call.remaining().is_zero() => return Err(never_ran(id, status, call)),
                Err(error) => return Err(error.with_instance(id.clone()).with_ambiguous(true)),
            };
            status = instance.status.clone();
            match judge(instance) {
                Progress::Done(outcome) => return *outcome,
                Progress::Waiting => self.pause_before_look(id, status.clone(), call).await?,
            }
        }
    }

    async fn pause_before_look(
        &self,
        id: &InstanceId,
        status: InstanceStatus,
        call: Call,
    ) -> Result<(), Error> {
        // Half of what is left at most, so that a call of a few seconds looks as well.
        let poll = self.timeouts().poll;
        let pause = poll.min(call.remaining() / 2);
        if pause < poll.min(SHORTEST_PAUSE) {
            return Err(never_ran(id, status, call));
        }
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

/// An instance whose id cannot stand in a URL could be neither kept alive nor closed: the answer is none, and the
/// instance is to be looked for by its run.
fn can_be_named(instance: Instance) -> Result<Instance, Error> {
    let Err(invalid) = request::close_instance(&instance.instance_id) else {
        return Ok(instance);
    };
    let kind = ErrorKind::Undecodable {
        reason: invalid.to_string(),
        excerpt: String::new(),
    };
    Err(Error::new(OPERATION, kind).with_ambiguous(true))
}

/// The time is up, and the instance is left as it was last seen.
fn never_ran(id: &InstanceId, status: InstanceStatus, call: Call) -> Error {
    let kind = ErrorKind::Timeout {
        after: call.begun.elapsed(),
        awaited: Awaited::Instance(status),
    };
    Error::new(OPERATION, kind)
        .with_instance(id.clone())
        .with_ambiguous(true)
}

enum Progress {
    Done(Box<Result<Instance, Error>>),
    Waiting,
}

fn judge(instance: Instance) -> Progress {
    if instance.status.is_running() {
        return Progress::Done(Box::new(Ok(instance)));
    }
    if !instance.status.is_ended() {
        return Progress::Waiting;
    }
    let (id, status) = (instance.instance_id, instance.status);
    let kind = ErrorKind::Conflict {
        message: format!("instance {id} ended before it ran (its status is {status})"),
        instance_id: Some(id.clone()),
        duplicate_request: false,
        resource: None,
    };
    Progress::Done(Box::new(Err(Error::new(OPERATION, kind).with_instance(id))))
}

/// How long the service may hold the request.
fn max_wait(asked: Option<Duration>, timeout: Duration) -> Duration {
    asked
        .unwrap_or_else(|| timeout.saturating_sub(WAIT_MARGIN))
        .min(MAX_WAIT_LIMIT)
}

/// `key:version` → both, the version normalised. The first colon counts.
fn split_version(text: &str) -> (&str, Option<String>) {
    match text.split_once(':') {
        Some((key, version)) => (key, Some(normalize_version(version))),
        None => (text, None),
    }
}

/// Versions are named `v1.2.0`; people write `1.2.0` as well. Other names stay as they are.
fn normalize_version(version: &str) -> String {
    if version.starts_with(|c: char| c.is_ascii_digit()) {
        format!("v{version}")
    } else {
        version.to_owned()
    }
}

fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

/// Only creates at Fleet's global address go to a region's own; elsewhere the body tells it.
fn regional_base(base: &str, region: Option<&str>) -> Option<String> {
    let own = Region::from(region?).base_url()?;
    (base == DEFAULT_BASE_URL).then(|| own.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn versions_are_normalised() {
        for (text, key, version) in [
            ("helpdesk", "helpdesk", None),
            ("helpdesk:1.2.0", "helpdesk", Some("v1.2.0")),
            ("helpdesk:v1.2.0", "helpdesk", Some("v1.2.0")),
            ("helpdesk:Forge1.1.0", "helpdesk", Some("Forge1.1.0")),
            ("helpdesk:", "helpdesk", Some("")),
            ("helpdesk:1:2", "helpdesk", Some("v1:2")),
        ] {
            assert_eq!(
                split_version(text),
                (key, version.map(Into::into)),
                "{text}"
            );
        }
    }

    #[test]
    fn the_body_says_what_the_official_client_says() {
        let create = CreateInstance::new("helpdesk:1.2.0")
            .data("desk-seed:0.0.4")
            .run_id("run-42")
            .ttl(Duration::from_millis(7_199_500))
            .heartbeat_interval(Duration::from_secs(30));
        let create = CreateInstance {
            env_variables: Some(Map::from_iter([(
                "CURRENT_DATE".to_owned(),
                json!("2025-06-10"),
            )])),
            ..create
        };
        let body = create.body(max_wait(None, DEFAULT_CREATE_TIMEOUT));
        assert_eq!(
            serde_json::to_value(body).unwrap(),
            json!({"env_key": "helpdesk", "env_version": "v1.2.0", "data_key": "desk-seed",
                "data_version": "v0.0.4", "run_id": "run-42",
                "env_variables": {"CURRENT_DATE": "2025-06-10"}, "created_from": "sdk",
                "ttl_seconds": 7200, "heartbeat_interval": 30, "max_wait_seconds": 870})
        );
    }

    #[test]
    fn the_service_is_asked_to_answer_before_we_give_up() {
        let seconds = |asked: Option<u64>, timeout| {
            max_wait(asked.map(Duration::from_secs), Duration::from_secs(timeout)).as_secs()
        };
        assert_eq!(seconds(None, 900), 870);
        assert_eq!(seconds(None, 10), 0);
        assert_eq!(seconds(None, 100_000), 3600);
        assert_eq!(seconds(Some(7), 900), 7);
        assert_eq!(seconds(Some(7_000), 900), 3600);
    }

    #[test]
    fn only_the_global_address_has_regional_ones() {
        let base = |base, region| regional_base(base, Some(region));
        assert_eq!(
            base(DEFAULT_BASE_URL, "eu-west-2").as_deref(),
            Some("https://eu-west-2.fleetai.com")
        );
        assert_eq!(base(DEFAULT_BASE_URL, "mars-1"), None);
        assert_eq!(base("http://127.0.0.1:1", "eu-west-2"), None);
        assert_eq!(regional_base(DEFAULT_BASE_URL, None), None);
    }

    #[test]
    fn a_task_brings_its_environment_data_and_variables() {
        let task = Task {
            env_id: "helpdesk".into(),
            version: Some("1.2.0".into()),
            data_id: Some("busy".into()),
            ..Task::default()
        };
        let create = CreateInstance::for_task(&task);
        assert_eq!(
            (create.environment.as_str(), create.data.as_deref()),
            ("helpdesk:1.2.0", Some("busy"))
        );
        assert_eq!(create.env_variables, None);
    }
}
