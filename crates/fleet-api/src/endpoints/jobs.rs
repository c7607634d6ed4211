//! Jobs: batches of sessions.

use serde::de::IgnoredAny;

use super::judge::about_the_token;
use crate::client::Client;
use crate::error::Error;
use crate::request;
use crate::types::{
    CreateJobBody, CreatedJob, Job, JobId, JobList, JobLogBody, JobQuery, JobSummary,
    SummarizeJobBody, SummarizedJob, SummaryId,
};

impl Client {
    /// The jobs that match `query`.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), fleet_api::Error> {
    /// for job in fleet.jobs(&Default::default()).await?.jobs {
    ///     println!("{} {:?}", job.id, job.status);
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn jobs(&self, query: &JobQuery) -> Result<JobList, Error> {
        self.read(request::jobs(query)).await
    }

    /// One job.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), fleet_api::Error> {
    /// println!("{:?}", fleet.job(&"job-1".into(), None).await?.status);
    /// # Ok(()) }
    /// ```
    pub async fn job(&self, id: &JobId, team_id: Option<&str>) -> Result<Job, Error> {
        let request =
            request::job(id, team_id).map_err(|error| Error::invalid_id("get job", error))?;
        self.read(request).await
    }

    /// Has the service run models on tasks.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), fleet_api::Error> {
    /// use fleet_api::types::CreateJobBody;
    ///
    /// let body = CreateJobBody {
    ///     models: vec!["acme/agent-1".into()],
    ///     task_keys: Some(vec!["task_desk_0007".into()]),
    ///     ..CreateJobBody::default()
    /// };
    /// println!("{}", fleet.create_job(&body).await?.job_id);
    /// # Ok(()) }
    /// ```
    pub async fn create_job(&self, body: &CreateJobBody) -> Result<CreatedJob, Error> {
        // A refusal may quote what it refuses.
        for key in body.byok_keys.iter().flat_map(|keys| keys.values()) {
            self.shared().secrets.learn(key);
        }
        self.read(request::create_job(body)).await
    }

    /// Stores raw log entries of a job. What the service answers is not looked at.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), fleet_api::Error> {
    /// use fleet_api::types::JobLogBody;
    ///
    /// fleet.log_job(&JobLogBody { job_id: "job-1".into(), entries: Vec::new() }).await?;
    /// # Ok(()) }
    /// ```
    pub async fn log_job(&self, body: &JobLogBody) -> Result<(), Error> {
        let request =
            request::log_job(body).map_err(|error| Error::invalid_id("log job", error))?;
        self.read::<IgnoredAny>(request).await.map(drop)
    }

    /// Has a model read the sessions of a job and sum them up. The answer comes at once, the summary later:
    /// [`Client::job_summary`].
    ///
    /// The embedded server has its judge write it, and wants the judge's token where it wants it of gradings.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), fleet_api::Error> {
    /// use fleet_api::types::SummarizeJobBody;
    ///
    /// let body = SummarizeJobBody::new("job-1", "acme/reader-1");
    /// println!("{:?}", fleet.summarize_job(&body).await?.summary_id);
    /// # Ok(()) }
    /// ```
    pub async fn summarize_job(&self, body: &SummarizeJobBody) -> Result<SummarizedJob, Error> {
        let request = self.as_judged(request::summarize_job(body));
        self.read(request).await.map_err(about_the_token)
    }

    /// A summary, how far it is. The embedded server answers this; of the hosted service, which shows summaries on its
    /// dashboard alone, it is an error of a thing that does not exist ([`Error::is_gone`]).
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), fleet_api::Error> {
    /// println!("{:?}", fleet.job_summary(&"0c9d7a52".into()).await?.text);
    /// # Ok(()) }
    /// ```
    pub async fn job_summary(&self, id: &SummaryId) -> Result<JobSummary, Error> {
        let request =
            request::job_summary(id).map_err(|error| Error::invalid_id("get summary", error))?;
        self.read(request).await
    }
}
