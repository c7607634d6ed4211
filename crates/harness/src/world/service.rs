//! The few calls of the Fleet API that a run is made of.

use fleet_api::types::{
    ExecuteResponse, HeartbeatResponse, IngestBody, IngestResponse, Instance, InstanceId,
    InstanceQuery, JobId, JobQuery, JobSessions, RequestId, RunId, SessionId, TraceJob,
    TraceLogBody, Transcript,
};
use fleet_api::{CallLimits, Client, CreateInstance, Error, VerifierSource, VerifyArgs};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use std::time::Duration;

/// A call under way.
pub(crate) type Answer<'a, T> = BoxFuture<'a, Result<T, Error>>;

/// The service as a run sees it. Every call retries below itself what is worth it and ends in a bounded time.
pub(crate) trait Service: Send + Sync {
    /// Where it is, for agents that may speak to it.
    fn base_url(&self) -> &str;

    /// Makes an instance and stays with it until it runs.
    fn create<'a>(&'a self, request: &'a CreateInstance) -> Answer<'a, Instance>;

    /// An instance as it is now.
    fn instance<'a>(&'a self, id: &'a InstanceId) -> Answer<'a, Instance>;

    /// Whatever the service lists for a run, ended instances included.
    fn instances<'a>(&'a self, run: &'a RunId) -> Answer<'a, Vec<Instance>>;

    /// Asks for the end of an instance.
    fn close<'a>(&'a self, id: &'a InstanceId) -> Answer<'a, Instance>;

    /// Runs a verifier on an instance.
    fn verify<'a>(
        &'a self,
        verifier: &'a VerifierSource,
        id: &'a InstanceId,
        args: &'a VerifyArgs,
    ) -> Answer<'a, ExecuteResponse>;

    /// Renews a lease. Waits for no rate limit.
    fn heartbeat<'a>(&'a self, id: &'a InstanceId) -> Answer<'a, HeartbeatResponse>;

    /// Makes a job that collects sessions.
    fn create_job<'a>(&'a self, name: &'a str, request: RequestId) -> Answer<'a, TraceJob>;

    /// The job of that name, if the service lists it.
    fn find_job<'a>(&'a self, name: &'a str) -> Answer<'a, Option<JobId>>;

    /// Adds messages to a session, or makes one of them.
    fn ingest<'a>(&'a self, body: &'a IngestBody, request: RequestId)
    -> Answer<'a, IngestResponse>;

    /// Says how a session ended that somebody else made.
    fn end_session<'a>(
        &'a self,
        body: &'a TraceLogBody,
        request: RequestId,
    ) -> Answer<'a, IngestResponse>;

    /// The sessions of a job.
    fn job_sessions<'a>(&'a self, job: &'a JobId) -> Answer<'a, JobSessions>;

    /// What a session has.
    fn transcript<'a>(&'a self, session: &'a SessionId) -> Answer<'a, Transcript>;
}

/// Calls of sessions are never worth a long wait: there is always a next sitting.
const SESSION_CALLS: CallLimits = CallLimits {
    attempts: None,
    deadline: Some(Duration::from_secs(60)),
};

impl Service for Client {
    fn base_url(&self) -> &str {
        Self::base_url(self)
    }

    fn create<'a>(&'a self, request: &'a CreateInstance) -> Answer<'a, Instance> {
        self.create_instance(request).boxed()
    }

    fn instance<'a>(&'a self, id: &'a InstanceId) -> Answer<'a, Instance> {
        Self::instance(self, id).boxed()
    }

    fn instances<'a>(&'a self, run: &'a RunId) -> Answer<'a, Vec<Instance>> {
        async move { Self::instances(self, &InstanceQuery::of_run(run.clone())).await }.boxed()
    }

    fn close<'a>(&'a self, id: &'a InstanceId) -> Answer<'a, Instance> {
        self.close_instance(id).boxed()
    }

    fn verify<'a>(
        &'a self,
        verifier: &'a VerifierSource,
        id: &'a InstanceId,
        args: &'a VerifyArgs,
    ) -> Answer<'a, ExecuteResponse> {
        Self::verify(self, verifier, id, args).boxed()
    }

    fn heartbeat<'a>(&'a self, id: &'a InstanceId) -> Answer<'a, HeartbeatResponse> {
        Self::heartbeat(self, id, None).boxed()
    }

    fn create_job<'a>(&'a self, name: &'a str, request: RequestId) -> Answer<'a, TraceJob> {
        let client = self.limited(SESSION_CALLS);
        async move { client.create_trace_job_as(Some(name), request).await }.boxed()
    }

    fn find_job<'a>(&'a self, name: &'a str) -> Answer<'a, Option<JobId>> {
        let client = self.limited(SESSION_CALLS);
        async move {
            let listed = client.jobs(&JobQuery::default()).await?;
            let mut named = listed.jobs.into_iter();
            let found = named.find(|job| job.name.as_deref() == Some(name));
            Ok(found.map(|job| job.id))
        }
        .boxed()
    }

    fn ingest<'a>(
        &'a self,
        body: &'a IngestBody,
        request: RequestId,
    ) -> Answer<'a, IngestResponse> {
        let client = self.limited(SESSION_CALLS);
        async move { client.ingest_session_as(body, request).await }.boxed()
    }

    fn end_session<'a>(
        &'a self,
        body: &'a TraceLogBody,
        request: RequestId,
    ) -> Answer<'a, IngestResponse> {
        let client = self.limited(SESSION_CALLS);
        async move { client.log_trace_as(body, request).await }.boxed()
    }

    fn job_sessions<'a>(&'a self, job: &'a JobId) -> Answer<'a, JobSessions> {
        let client = self.limited(SESSION_CALLS);
        async move { client.job_sessions(job).await }.boxed()
    }

    fn transcript<'a>(&'a self, session: &'a SessionId) -> Answer<'a, Transcript> {
        let client = self.limited(SESSION_CALLS);
        async move { client.transcript(session).await }.boxed()
    }
}
