//! Moving the end of an instance, and asking for a create by its request id.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use crate::client::Client;
use crate::error::Error;
use crate::request;
use crate::types::{CreateRequest, ExtendTtlBody, Instance, InstanceId, RequestId, TtlBody};

impl Client {
    /// Lets an instance live for `ttl` from now, longer or shorter than it would have: whole seconds, at least one.
    ///
    /// The official SDK has no such call, so a service may answer that it knows none. It is for instances without
    /// heartbeats; while heartbeats keep an instance alive a service refuses.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), fleet_api::Error> {
    /// let hour = std::time::Duration::from_secs(3600);
    /// println!("{:?}", fleet.set_ttl(&"bc8954c2".into(), hour).await?.expires_at);
    /// # Ok(()) }
    /// ```
    pub async fn set_ttl(&self, id: &InstanceId, ttl: Duration) -> Result<Instance, Error> {
        const OPERATION: &str = "set TTL";
        if ttl.as_secs() == 0 {
            return Err(Error::invalid_argument(
                OPERATION,
                "the TTL must be at least a second",
            ));
        }
        let body = TtlBody {
            ttl_seconds: ttl.as_secs(),
        };
        let request = request::set_ttl(id, &body);
        self.read(request.map_err(|error| Error::invalid_id(OPERATION, error))?)
            .await
    }

    /// Lets an instance live until `end`. To repeat it changes nothing; an end before the present one is refused.
    ///
    /// As with [`Client::set_ttl`], a service may not know the call.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), fleet_api::Error> {
    /// use std::time::{Duration, SystemTime};
    ///
    /// let end = SystemTime::now() + Duration::from_secs(3600);
    /// fleet.extend_ttl(&"bc8954c2".into(), end).await?;
    /// # Ok(()) }
    /// ```
    pub async fn extend_ttl(&self, id: &InstanceId, end: SystemTime) -> Result<Instance, Error> {
        const OPERATION: &str = "extend TTL";
        let end = Timestamp::try_from(end)
            .map_err(|_| Error::invalid_argument(OPERATION, "the end is out of all calendars"))?;
        let body = ExtendTtlBody {
            absolute_expires_at: end.to_string(),
        };
        let request = request::extend_ttl(id, &body);
        self.read(request.map_err(|error| Error::invalid_id(OPERATION, error))?)
            .await
    }

    /// What became of the create that was sent under this id: whoever lost its answer learns here what it made.
    ///
    /// The official SDK has no such call. An error with [`Error::is_gone`] says that the service remembers no such
    /// create, or knows no such call.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client, id: fleet_api::types::RequestId) -> Result<(), fleet_api::Error> {
    /// let create = fleet.create_request(id).await?;
    /// println!("{}: {:?}", create.state, create.instance_id);
    /// # Ok(()) }
    /// ```
    pub async fn create_request(&self, id: RequestId) -> Result<CreateRequest, Error> {
        self.read(request::create_request(id)).await
    }

    /// Ends what the create that was sent under this id made, or is about to make.
    ///
    /// As with [`Client::create_request`], a service may remember no such create.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client, id: fleet_api::types::RequestId) -> Result<(), fleet_api::Error> {
    /// println!("{}", fleet.cancel_create(id).await?.state);
    /// # Ok(()) }
    /// ```
    pub async fn cancel_create(&self, id: RequestId) -> Result<CreateRequest, Error> {
        self.read(request::cancel_create(id)).await
    }
}
