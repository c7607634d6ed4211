//! Makes environments, one wish after the other.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use serde_json::{Map, Value};

use super::Environment;
use crate::client::Client;
use crate::create::CreateInstance;
use crate::error::Error;
use crate::task::Task;
use crate::types::{RequestId, RunId};

/// A create that has not been sent. Await it, and it is; [`CreateInstance`] says more of each wish.
#[derive(Debug, Clone)]
#[must_use = "nothing is made until this is awaited"]
pub struct Make {
    client: Client,
    create: CreateInstance,
}

impl Client {
    /// Makes an environment: by `key`, `key:version`, a task, or a whole [`CreateInstance`].
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), fleet_api::Error> {
    /// use std::time::Duration;
    ///
    /// let env = fleet
    ///     .make("helpdesk:v1.2.0")
    ///     .data("desk-seed")
    ///     .run_id("run-42")
    ///     .ttl(Duration::from_secs(3600))
    ///     .await?;
    /// env.close().await?;
    /// # Ok(()) }
    /// ```
    pub fn make(&self, what: impl Into<CreateInstance>) -> Make {
        Make {
            client: self.clone(),
            create: what.into(),
        }
    }
}

impl Task {
    /// Makes the environment that the task plays in, with its version, data and variables.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client, task: fleet_api::Task) -> Result<(), fleet_api::Error> {
    /// let env = task.make(&fleet).run_id("run-42").await?;
    /// env.close().await?;
    /// # Ok(()) }
    /// ```
    pub fn make(&self, fleet: &Client) -> Make {
        fleet.make(self)
    }
}

/// Every wish of [`CreateInstance`], passed on.
macro_rules! wishes {
    ($( $(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),+); )+) => {
        impl Make {
            $(
                $(#[$doc])*
                pub fn $name(mut self, $($arg: $type),+) -> Self {
                    self.create = self.create.$name($($arg),+);
                    self
                }
            )+
        }
    };
}

wishes! {
    /// With the data set `key` or `key:version`.
    data(data: impl Into<String>);
    /// In a region.
    region(region: impl Into<String>);
    /// With variables for the environment, in place of those said before.
    env_variables(variables: Map<String, Value>);
    /// With one variable more for the environment.
    env_variable(name: impl Into<String>, value: impl Into<Value>);
    /// On another image than the standard one: `mcp` for computer use.
    image_type(image_type: impl Into<String>);
    /// As part of a run.
    run_id(run_id: impl Into<RunId>);
    /// With a life of its own.
    ttl(ttl: Duration);
    /// Monitored by heartbeats; see [`Environment::keep_alive`].
    heartbeat_interval(interval: Duration);
    /// Held by the service for at most this long.
    max_wait(max_wait: Duration);
    /// Within this time, from the first queue to a running instance.
    timeout(timeout: Duration);
    /// Under this identity.
    request_id(id: RequestId);
}

impl Make {
    /// What will be asked for.
    pub fn create(&self) -> &CreateInstance {
        &self.create
    }
}

impl IntoFuture for Make {
    type Output = Result<Environment, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let instance = self.client.create_instance(&self.create).await?;
            Ok(Environment::of(&self.client, instance))
        })
    }
}
