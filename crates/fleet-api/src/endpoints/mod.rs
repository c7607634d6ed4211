//! The calls that are one request each (or, for tasks, one per batch of keys).

mod auth;
mod jobs;
mod judge;
mod leases;
mod repeat;
mod sessions;
mod tasks;

use std::collections::HashSet;

use tracing::debug;

use crate::client::Client;
use crate::error::Error;
use crate::request::{self, TaskQuery};
use crate::task::{CODE_UNAVAILABLE, Task};
use crate::types::{
    Account, EnvKey, Environment, HeartbeatBody, HeartbeatResponse, Instance, InstanceId,
    InstanceQuery, ProfileId, RequestId, Run, RunId, RunQuery, TaskKey, TaskList, TaskResponse,
    TaskVersionQuery, VerifierId, VerifierRecord,
};

impl Client {
    /// Every environment of the catalogue.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), fleet_api::Error> {
    /// for environment in fleet.environments().await? {
    ///     println!("{} {}", environment.env_key, environment.name);
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn environments(&self) -> Result<Vec<Environment>, Error> {
        self.read(request::environments()).await
    }

    /// One environment.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), fleet_api::Error> {
    /// let environment = fleet.environment(&"helpdesk".into()).await?;
    /// println!("{:?}", environment.default_version);
    /// # Ok(()) }
    /// ```
    pub async fn environment(&self, key: &EnvKey) -> Result<Environment, Error> {
        let request = request::environment(key);
        self.read(request.map_err(|error| Error::invalid_id("get environment", error))?)
            .await
    }

    /// The regions in which instances can run.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), fleet_api::Error> {
    /// println!("{}", fleet.regions().await?.join(", "));
    /// # Ok(()) }
    /// ```
    pub async fn regions(&self) -> Result<Vec<String>, Error> {
        self.read(request::regions()).await
    }

    /// The team behind the key and how many instances it may have.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), fleet_api::Error> {
    /// let account = fleet.account().await?;
    /// println!("{} of {} instances", account.instance_count, account.instance_limit);
    /// # Ok(()) }
    /// ```
    pub async fn account(&self) -> Result<Account, Error> {
        self.read(request::account()).await
    }

    /// One instance. Ended ones are answered too, for a while.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), fleet_api::Error> {
    /// println!("{}", fleet.instance(&"bc8954c2".into()).await?.status);
    /// # Ok(()) }
    /// ```
    pub async fn instance(&self, id: &InstanceId) -> Result<Instance, Error> {
        let request = request::instance(id);
        self.read(request.map_err(|error| Error::invalid_id("get instance", error))?)
            .await
    }

    /// The instances that match `query`.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), fleet_api::Error> {
    /// use fleet_api::types::InstanceQuery;
    ///
    /// for instance in fleet.instances(&InstanceQuery::of_run("run-42")).await? {
    ///     println!("{} {}", instance.instance_id, instance.status);
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn instances(&self, query: &InstanceQuery) -> Result<Vec<Instance>, Error> {
        self.read(request::instances(query)).await
    }

    /// Ends an instance. An error with [`Error::is_gone`] says that there was none to end.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), fleet_api::Error> {
    /// match fleet.close_instance(&"bc8954c2".into()).await {
    ///     Ok(instance) => println!("{}", instance.status),
    ///     Err(error) if error.is_gone() => println!("gone already"),
    ///     Err(error) => return Err(error),
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn close_instance(&self, id: &InstanceId) -> Result<Instance, Error> {
        let request = request::close_instance(id);
        self.read(request.map_err(|error| Error::invalid_id("close instance", error))?)
            .await
    }

    /// Ends the instances of a run, of an account, or of a run of an account. At least one must be
    /// named. Returns the ones it ended.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), fleet_api::Error> {
    /// let closed = fleet.close_instances(Some(&"run-42".into()), None).await?;
    /// println!("closed {}", closed.len());
    /// # Ok(()) }
    /// ```
    pub async fn close_instances(
        &self,
        run_id: Option<&RunId>,
        profile_id: Option<&ProfileId>,
    ) -> Result<Vec<Instance>, Error> {
        self.read(request::close_instances(run_id, profile_id)?)
            .await
    }

    /// Tells the service that the instance is in use. `region` is the instance's `heartbeat_region`.
    ///
    /// It waits in no queue, and no attempt takes longer than `Timeouts::heartbeat`; the whole call
    /// ends after twice that time.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), fleet_api::Error> {
    /// let beat = fleet.heartbeat(&"bc8954c2".into(), None).await?;
    /// println!("{:?}", beat.last_heartbeat);
    /// # Ok(()) }
    /// ```
    pub async fn heartbeat(
        &self,
        id: &InstanceId,
        region: Option<&str>,
    ) -> Result<HeartbeatResponse, Error> {
        let body = HeartbeatBody {
            region: region.map(str::to_owned),
        };
        let request = request::heartbeat(id, &body)
            .map_err(|error| Error::invalid_id("send heartbeat", error))?;
        let attempt = self.timeouts().heartbeat;
        self.run(
            &request,
            self.begin_long(attempt, attempt * 2),
            RequestId::new(),
        )
        .await
    }

    /// The runs that match `query`; by default those with live instances.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), fleet_api::Error> {
    /// use fleet_api::types::{RunActivity, RunQuery};
    ///
    /// let all = RunQuery { active: RunActivity::All, ..RunQuery::default() };
    /// for run in fleet.runs(&all).await? {
    ///     println!("{}: {} of {}", run.run_id, run.running_count, run.total_count);
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn runs(&self, query: &RunQuery) -> Result<Vec<Run>, Error> {
        self.read(request::runs(query)).await
    }

    /// The tasks that match `query`, each once, in the order answered.
    ///
    /// Keys that do not exist are no error: compare what came with what was asked for.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), fleet_api::Error> {
    /// use fleet_api::TaskQuery;
    ///
    /// for task in fleet.tasks(&TaskQuery::project("my-project")).await? {
    ///     println!("{} in {}", task.key, task.env_key());
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn tasks(&self, query: &TaskQuery) -> Result<Vec<Task>, Error> {
        let mut seen = HashSet::new();
        let mut tasks = Vec::new();
        for request in request::tasks(query) {
            let list: TaskList = self.read(request).await?;
            for answer in list.tasks {
                if query_matches(query, &answer) && seen.insert(answer.key.clone()) {
                    tasks.push(self.complete(answer).await);
                }
            }
        }
        Ok(tasks)
    }

    /// One task.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), fleet_api::Error> {
    /// println!("{}", fleet.task(&"task_desk_0007".into()).await?.prompt);
    /// # Ok(()) }
    /// ```
    pub async fn task(&self, key: &TaskKey) -> Result<Task, Error> {
        let request = request::task(key).map_err(|error| Error::invalid_id("get task", error))?;
        let answer = self.read(request).await?;
        Ok(self.complete(answer).await)
    }

    /// One task, in a version or of a team that is not the current one.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), fleet_api::Error> {
    /// use fleet_api::types::TaskVersionQuery;
    ///
    /// let query = TaskVersionQuery {
    ///     version_id: Some("9d2c".into()),
    ///     ..TaskVersionQuery::default()
    /// };
    /// println!("{}", fleet.task_version(&"task_desk_0007".into(), &query).await?.prompt);
    /// # Ok(()) }
    /// ```
    pub async fn task_version(
        &self,
        key: &TaskKey,
        query: &TaskVersionQuery,
    ) -> Result<Task, Error> {
        let request = request::task_version(key, query)
            .map_err(|error| Error::invalid_id("get task", error))?;
        let answer = self.read(request).await?;
        Ok(self.complete(answer).await)
    }

    /// A stored verifier's source.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), fleet_api::Error> {
    /// println!("{}", fleet.verifier(&"5e0f".into()).await?.code);
    /// # Ok(()) }
    /// ```
    pub async fn verifier(&self, id: &VerifierId) -> Result<VerifierRecord, Error> {
        let request =
            request::verifier(id).map_err(|error| Error::invalid_id("get verifier", error))?;
        self.read(request).await
    }

    /// Fetches the verifier's source where the listing has an excuse in its place. A task whose
    /// verifier cannot be had is a task without one, not a listing that failed.
    async fn complete(&self, mut answer: TaskResponse) -> Task {
        if let Some(stored) = &mut answer.verifier
            && stored.code.trim_start().starts_with(CODE_UNAVAILABLE)
        {
            match self.verifier(&stored.verifier_id).await {
                Ok(record) => stored.code = record.code,
                Err(error) => debug!(task = %answer.key, "no verifier source: {error}"),
            }
        }
        answer.into()
    }
}

/// The filters that services leave to their clients, or may.
fn query_matches(query: &TaskQuery, task: &TaskResponse) -> bool {
    let matches =
        |asked: &Option<String>, found: &Option<String>| asked.is_none() || asked == found;
    matches(&query.version, &task.version)
        && matches(&query.data_id, &task.data_id)
        && matches(&query.data_version, &task.data_version)
}
