//! Every endpoint as a pure function from arguments to a request. Nothing here sends anything.

mod auth;
mod jobs;
mod judge;
mod leases;
mod sessions;

use std::fmt;

use http::{HeaderMap, Method};
use serde::Serialize;
use serde_json::Value;

use crate::error::Error;
use crate::rate::Lane;
use crate::types::{
    CreateInstanceBody, EnvKey, ExecuteVerifierBody, HeartbeatBody, InstanceId, InstanceQuery,
    InvalidId, ProfileId, ProjectKey, RunId, RunQuery, TaskKey, TaskVersionQuery, UpdateTaskBody,
    VerifierId,
};

pub use auth::refresh_token;
pub use jobs::{create_job, job, job_summary, jobs, log_job, summarize_job};
pub use judge::grade;
pub use leases::{cancel_create, create_request, extend_ttl, set_ttl};
pub use sessions::{create_trace_job, ingest, job_sessions, log_trace, transcript};

/// Keys per task request. The official client puts all of them into one URL.
const KEYS_PER_REQUEST: usize = 100;

/// Bytes of keys per task request, escaped: servers and proxies commonly refuse URLs above 8 KiB.
const KEY_BYTES_PER_REQUEST: usize = 6 * 1024;

/// In place of an instance id: the instances that match a filter.
const BATCH: &str = "batch";

/// A request that has not been sent.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiRequest {
    /// What it does, as it reads in errors: `create instance`.
    pub operation: &'static str,
    /// The HTTP method.
    pub method: Method,
    /// The path below the base URL, starting with a slash.
    pub path: String,
    /// Query pairs, not yet escaped; a name may repeat.
    pub query: Vec<(&'static str, String)>,
    /// Headers of this request alone, besides those of every request.
    pub headers: HeaderMap,
    /// Whether it is sent without the client's credential.
    pub anonymous: bool,
    /// The JSON body.
    pub body: Option<Vec<u8>>,
    /// Whether it may be sent again.
    pub repeat: Repeat,
    /// Whether 404 means "not yet" and is tried again.
    pub retry_not_found: bool,
    /// Which queue it waits in.
    pub lane: Lane,
}

/// Bodies may hold secrets (a refresh token, keys lent to a job), so only their size is shown.
impl fmt::Debug for ApiRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiRequest")
            .field("operation", &self.operation)
            .field("method", &self.method)
            .field("path", &self.path)
            .field("query", &self.query)
            .field("body_bytes", &self.body.as_ref().map(Vec::len))
            .field("repeat", &self.repeat)
            .field("lane", &self.lane)
            .finish_non_exhaustive()
    }
}

/// What sending a request twice does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Repeat {
    /// Nothing: it only reads.
    Harmless,
    /// The same as sending it once, or nothing that matters, as long as the request id is the same.
    SameId,
    /// It acts once more: only an attempt that certainly had no effect is repeated.
    Unacted,
    /// It may undo somebody else's change.
    Never,
}

impl ApiRequest {
    pub(crate) fn new(operation: &'static str, method: Method, path: impl Into<String>) -> Self {
        let repeat = match method {
            Method::GET => Repeat::Harmless,
            Method::PUT => Repeat::Never,
            _ => Repeat::SameId,
        };
        Self {
            operation,
            method,
            path: path.into(),
            query: Vec::new(),
            headers: HeaderMap::new(),
            anonymous: false,
            body: None,
            repeat,
            retry_not_found: false,
            lane: Lane::Request,
        }
    }

    pub(crate) fn get(operation: &'static str, path: impl Into<String>) -> Self {
        Self::new(operation, Method::GET, path)
    }

    pub(crate) fn with(mut self, name: &'static str, value: Option<impl ToString>) -> Self {
        self.query
            .extend(value.map(|value| (name, value.to_string())));
        self
    }

    pub(crate) fn json(mut self, body: &impl Serialize) -> Self {
        self.body =
            Some(serde_json::to_vec(body).expect("wire types have text keys and finite numbers"));
        self
    }
}

/// Filter of a task listing; the default asks for every task the credential can see.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskQuery {
    /// Only these. An empty list selects no task.
    pub keys: Option<Vec<TaskKey>>,
    /// Only of this environment.
    pub env_key: Option<String>,
    /// Only of this team.
    pub team_id: Option<String>,
    /// Only of this project.
    pub project_key: Option<String>,
    /// Only of this task project.
    pub task_project_key: Option<String>,
    /// Only with this data set.
    pub data_id: Option<String>,
    /// Only with this version of the data set.
    pub data_version: Option<String>,
    /// Only with this environment version. The service has no such filter; the client applies it.
    pub version: Option<String>,
}

impl TaskQuery {
    /// The tasks with these keys.
    pub fn keys<K: Into<TaskKey>>(keys: impl IntoIterator<Item = K>) -> Self {
        Self {
            keys: Some(keys.into_iter().map(Into::into).collect()),
            ..Self::default()
        }
    }

    /// The tasks of a project.
    pub fn project(key: impl Into<String>) -> Self {
        Self {
            project_key: Some(key.into()),
            ..Self::default()
        }
    }

    /// The tasks of an environment.
    pub fn environment(key: impl Into<String>) -> Self {
        Self {
            env_key: Some(key.into()),
            ..Self::default()
        }
    }
}

/// `GET /v1/env/`
pub fn environments() -> ApiRequest {
    // The slash at the end belongs to the path: the service does not redirect.
    ApiRequest::get("list environments", "/v1/env/")
}

/// `GET /v1/env/{env_key}`
pub fn environment(key: &EnvKey) -> Result<ApiRequest, InvalidId> {
    Ok(ApiRequest::get(
        "get environment",
        format!("/v1/env/{}", key.path_segment()?),
    ))
}

/// `GET /v1/regions`
pub fn regions() -> ApiRequest {
    ApiRequest::get("list regions", "/v1/regions")
}

/// `GET /v1/account`
pub fn account() -> ApiRequest {
    ApiRequest::get("get account", "/v1/account")
}

/// `POST /v1/env/instances`
pub fn create_instance(body: &CreateInstanceBody) -> ApiRequest {
    let request = ApiRequest::new("create instance", Method::POST, "/v1/env/instances").json(body);
    ApiRequest {
        lane: Lane::Create,
        ..request
    }
}

/// `GET /v1/env/instances/{id}`
pub fn instance(id: &InstanceId) -> Result<ApiRequest, InvalidId> {
    Ok(ApiRequest::get(
        "get instance",
        format!("/v1/env/instances/{}", id.path_segment()?),
    ))
}

/// As [`instance`], for one that was just made and may not be known everywhere yet.
pub fn new_instance(id: &InstanceId) -> Result<ApiRequest, InvalidId> {
    Ok(ApiRequest {
        operation: "create instance",
        retry_not_found: true,
        ..instance(id)?
    })
}

/// `GET /v1/env/instances`
pub fn instances(query: &InstanceQuery) -> ApiRequest {
    ApiRequest::get("list instances", "/v1/env/instances")
        .with("status", query.status.as_ref())
        .with("region", query.region.as_ref())
        .with("run_id", query.run_id.as_ref())
        .with("profile_id", query.profile_id.as_ref())
}

/// `DELETE /v1/env/instances/{id}`
pub fn close_instance(id: &InstanceId) -> Result<ApiRequest, InvalidId> {
    let segment = id.path_segment()?;
    if segment == BATCH {
        let (kind, id) = ("instance id", id.to_string());
        return Err(InvalidId {
            kind,
            id,
            reason: "it would close instances by filter",
        });
    }
    let path = format!("/v1/env/instances/{segment}");
    Ok(ApiRequest::new("close instance", Method::DELETE, path))
}

/// `DELETE /v1/env/instances/batch`; the filters are combined with "and", and one must be there.
pub fn close_instances(
    run_id: Option<&RunId>,
    profile_id: Option<&ProfileId>,
) -> Result<ApiRequest, Error> {
    const OPERATION: &str = "close instances";
    let is_empty = |id: Option<&str>| id.is_some_and(|id| id.trim().is_empty());
    // An empty filter could be dropped on the way and would then close everybody's instances.
    if is_empty(run_id.map(RunId::as_str)) || is_empty(profile_id.map(ProfileId::as_str)) {
        return Err(Error::invalid_argument(
            OPERATION,
            "the run id or profile id is empty",
        ));
    }
    if run_id.is_none() && profile_id.is_none() {
        return Err(Error::invalid_argument(
            OPERATION,
            "a run id or a profile id is needed",
        ));
    }
    Ok(
        ApiRequest::new(OPERATION, Method::DELETE, "/v1/env/instances/batch")
            .with("run_id", run_id)
            .with("profile_id", profile_id),
    )
}

/// `POST /v1/env/instances/{id}/heartbeat`
pub fn heartbeat(id: &InstanceId, body: &HeartbeatBody) -> Result<ApiRequest, InvalidId> {
    let path = format!("/v1/env/instances/{}/heartbeat", id.path_segment()?);
    let request = ApiRequest::new("send heartbeat", Method::POST, path).json(body);
    Ok(ApiRequest {
        lane: Lane::Heartbeat,
        ..request
    })
}

/// `GET /v1/env/runs`
pub fn runs(query: &RunQuery) -> ApiRequest {
    ApiRequest::get("list runs", "/v1/env/runs")
        .with("profile_id", query.profile_id.as_ref())
        .with("active", Some(query.active))
}

/// `GET /v1/tasks`, as many times as the keys need.
pub fn tasks(query: &TaskQuery) -> Vec<ApiRequest> {
    let with_keys = |keys: &[TaskKey]| {
        let mut request =
            ApiRequest::get("list tasks", "/v1/tasks").with("env_key", query.env_key.as_ref());
        request
            .query
            .extend(keys.iter().map(|key| ("task_keys", key.to_string())));
        request
            .with("team_id", query.team_id.as_ref())
            .with("project_key", query.project_key.as_ref())
            .with("task_project_key", query.task_project_key.as_ref())
            .with("data_id", query.data_id.as_ref())
            .with("data_version", query.data_version.as_ref())
    };
    match &query.keys {
        None => vec![with_keys(&[])],
        Some(keys) => batches(keys).into_iter().map(with_keys).collect(),
    }
}

/// `GET /v1/tasks/{key}`
pub fn task(key: &TaskKey) -> Result<ApiRequest, InvalidId> {
    Ok(ApiRequest::get(
        "get task",
        format!("/v1/tasks/{}", key.path_segment()?),
    ))
}

/// `GET /v1/tasks/{key}`, of a version or a team that is not the current one.
pub fn task_version(key: &TaskKey, query: &TaskVersionQuery) -> Result<ApiRequest, InvalidId> {
    let request = task(key)?
        .with("version_id", query.version_id.as_ref())
        .with("team_id", query.team_id.as_ref());
    Ok(request)
}

/// `PUT /v1/tasks/{key}`; never sent twice, as a second time could undo somebody else's change.
pub fn update_task(key: &TaskKey, body: &UpdateTaskBody) -> Result<ApiRequest, InvalidId> {
    let path = format!("/v1/tasks/{}", key.path_segment()?);
    Ok(ApiRequest::new("update task", Method::PUT, path).json(body))
}

/// `POST /v1/tasks`: the task in the form of an export, filed under a project if one is named.
pub fn import_task(task: &Value, project: Option<&ProjectKey>) -> ApiRequest {
    ApiRequest::new("import task", Method::POST, "/v1/tasks")
        .with("project_key", project)
        .json(task)
}

/// `GET /v1/tasks/projects`
pub fn projects() -> ApiRequest {
    ApiRequest::get("list projects", "/v1/tasks/projects")
}

/// `GET /v1/verifiers/{verifier_id}`
pub fn verifier(id: &VerifierId) -> Result<ApiRequest, InvalidId> {
    Ok(ApiRequest::get(
        "get verifier",
        format!("/v1/verifiers/{}", id.path_segment()?),
    ))
}

/// `GET /v1/verifiers/check`
pub fn check_verifier(sha256: &str) -> ApiRequest {
    ApiRequest::get("check verifier", "/v1/verifiers/check").with("sha256", Some(sha256))
}

/// `POST /v1/verifiers/execute`
pub fn execute_verifier(body: &ExecuteVerifierBody) -> ApiRequest {
    ApiRequest::new("execute verifier", Method::POST, "/v1/verifiers/execute").json(body)
}

/// Splits keys by number and by bytes, in order.
fn batches(keys: &[TaskKey]) -> Vec<&[TaskKey]> {
    let mut batches = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (at, key) in keys.iter().enumerate() {
        // The name is repeated with each key, and every byte may need three when escaped.
        let size = "&task_keys=".len() + key.as_str().len() * 3;
        if at > start && (at - start == KEYS_PER_REQUEST || bytes + size > KEY_BYTES_PER_REQUEST) {
            batches.push(&keys[start..at]);
            (start, bytes) = (at, 0);
        }
        bytes += size;
    }
    if start < keys.len() {
        batches.push(&keys[start..]);
    }
    batches
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::types::InstanceStatus;

    fn shown(request: &ApiRequest) -> String {
        let query: Vec<_> = request
            .query
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mark = if query.is_empty() { "" } else { "?" };
        format!(
            "{} {}{mark}{}",
            request.method,
            request.path,
            query.join("&")
        )
    }

    #[test]
    fn every_endpoint_has_its_method_path_and_query() {
        let id = InstanceId::from("a1");
        let query = InstanceQuery {
            status: Some(InstanceStatus::Running),
            region: Some("r".into()),
            ..InstanceQuery::of_run("x y")
        };
        let all = TaskQuery {
            team_id: Some("tm".into()),
            project_key: Some("p".into()),
            task_project_key: Some("tp".into()),
            data_id: Some("d".into()),
            data_version: Some("v2".into()),
            version: Some("v1".into()),
            env_key: Some("e".into()),
            keys: Some(vec!["a".into(), "b".into()]),
        };
        for (request, expected) in [
            (environments(), "GET /v1/env/"),
            (
                environment(&"desk:v1".into()).unwrap(),
                "GET /v1/env/desk:v1",
            ),
            (regions(), "GET /v1/regions"),
            (account(), "GET /v1/account"),
            (
                create_instance(&CreateInstanceBody::default()),
                "POST /v1/env/instances",
            ),
            (instance(&id).unwrap(), "GET /v1/env/instances/a1"),
            (
                instances(&InstanceQuery::default()),
                "GET /v1/env/instances",
            ),
            (
                instances(&query),
                "GET /v1/env/instances?status=running&region=r&run_id=x y",
            ),
            (
                instances(&InstanceQuery::of_profile("self")),
                "GET /v1/env/instances?profile_id=self",
            ),
            (close_instance(&id).unwrap(), "DELETE /v1/env/instances/a1"),
            (
                close_instances(Some(&"r".into()), None).unwrap(),
                "DELETE /v1/env/instances/batch?run_id=r",
            ),
            (
                heartbeat(&id, &HeartbeatBody::default()).unwrap(),
                "POST /v1/env/instances/a1/heartbeat",
            ),
            (runs(&RunQuery::default()), "GET /v1/env/runs?active=active"),
            (tasks(&TaskQuery::default()).remove(0), "GET /v1/tasks"),
            (
                tasks(&all).remove(0),
                "GET /v1/tasks?env_key=e&task_keys=a&task_keys=b&team_id=tm&project_key=p&task_project_key=tp&data_id=d&data_version=v2",
            ),
            (task(&"t".into()).unwrap(), "GET /v1/tasks/t"),
            (verifier(&"v".into()).unwrap(), "GET /v1/verifiers/v"),
            (check_verifier("ab"), "GET /v1/verifiers/check?sha256=ab"),
            (
                execute_verifier(&ExecuteVerifierBody::default()),
                "POST /v1/verifiers/execute",
            ),
        ] {
            assert_eq!(shown(&request), expected);
            let reads = request.method == Method::GET;
            assert_eq!(request.repeat == Repeat::Harmless, reads);
            assert_eq!(request.body.is_some(), request.method == Method::POST);
        }
    }

    #[test]
    fn hostile_ids_never_become_a_path() {
        for id in ["", "..", "a/b", "a?b", "a#b", "a b", "batch/../x"] {
            assert!(instance(&id.into()).is_err(), "{id}");
            assert!(close_instance(&id.into()).is_err(), "{id}");
            assert!(
                heartbeat(&id.into(), &HeartbeatBody::default()).is_err(),
                "{id}"
            );
            assert!(
                task(&id.into()).is_err() && environment(&id.into()).is_err(),
                "{id}"
            );
        }
    }

    #[test]
    fn an_instance_called_batch_closes_nobody_else() {
        assert!(close_instance(&BATCH.into()).is_err());
        assert!(close_instance(&"batch1".into()).is_ok());
    }

    #[test]
    fn a_batch_close_names_whose_instances_it_closes() {
        let (run, profile, blank) = (RunId::from("r"), ProfileId::myself(), RunId::from(" "));
        assert!(close_instances(None, None).is_err());
        assert!(close_instances(Some(&blank), None).is_err());
        assert!(close_instances(Some(&blank), Some(&profile)).is_err());
        let both = close_instances(Some(&run), Some(&profile)).unwrap();
        assert_eq!(
            shown(&both),
            "DELETE /v1/env/instances/batch?run_id=r&profile_id=self"
        );
    }

    #[test]
    fn many_keys_are_split_and_none_is_lost() {
        let keys: Vec<TaskKey> = (0..250).map(|n| TaskKey::new(format!("t{n}"))).collect();
        let requests = tasks(&TaskQuery::keys(keys.clone()));
        assert_eq!(requests.len(), 3);
        let sent: Vec<_> = requests
            .iter()
            .flat_map(|request| &request.query)
            .map(|(_, key)| key.as_str())
            .collect();
        assert_eq!(sent, keys.iter().map(TaskKey::as_str).collect::<Vec<_>>());

        let long: Vec<TaskKey> = (0..9)
            .map(|n| TaskKey::new(format!("{n}{}", "ä".repeat(600))))
            .collect();
        let requests = tasks(&TaskQuery::keys(long));
        assert_eq!(
            requests
                .iter()
                .map(|request| request.query.len())
                .sum::<usize>(),
            9
        );
        assert!(requests.iter().all(|request| request.query.len() <= 2));
        assert!(tasks(&TaskQuery::keys(Vec::<TaskKey>::new())).is_empty());
    }

    #[test]
    fn lanes_and_repetition_are_as_their_effects_demand() {
        let id = InstanceId::from("a1");
        assert_eq!(
            create_instance(&CreateInstanceBody::default()).lane,
            Lane::Create
        );
        assert_eq!(
            heartbeat(&id, &HeartbeatBody::default()).unwrap().lane,
            Lane::Heartbeat
        );
        assert_eq!(close_instance(&id).unwrap().lane, Lane::Request);
        assert_eq!(close_instance(&id).unwrap().repeat, Repeat::SameId);
        assert_eq!(ApiRequest::new("", Method::PUT, "").repeat, Repeat::Never);
        assert!(
            new_instance(&id).unwrap().retry_not_found && !instance(&id).unwrap().retry_not_found
        );
        let body = HeartbeatBody {
            region: Some("eu".into()),
        };
        let sent: Value =
            serde_json::from_slice(&heartbeat(&id, &body).unwrap().body.unwrap()).unwrap();
        assert_eq!(sent, json!({"region": "eu"}));
    }
}
