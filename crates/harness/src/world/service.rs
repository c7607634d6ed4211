//! The few calls of the Fleet API that a run is made of.

use fleet_api::types::{
    ExecuteResponse, HeartbeatResponse, Instance, InstanceId, InstanceQuery, RunId,
};
use fleet_api::{Client, CreateInstance, Error, VerifierSource, VerifyArgs};
use futures::FutureExt as _;
use futures::future::BoxFuture;

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
}

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
}
