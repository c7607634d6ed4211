//! An instance as people work with it: kept alive, looked at, verified, closed.

mod keep_alive;
mod make;
mod verifiable;

use std::fmt;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use tracing::debug;

use crate::client::Client;
use crate::error::{Error, ErrorKind};
use crate::manager::{Browser, Database, Files, Manager, McpServer};
use crate::session::Session;
use crate::types::{
    ExecuteResponse, GradeBody, GradeResponse, HeartbeatResponse, Instance, InstanceId,
    InstanceUrls,
};
use crate::verify::VerifyArgs;

pub use keep_alive::{KeepAlive, Lost};
pub use make::Make;
pub use verifiable::{HasVerifier, VerifyError};

const ADDRESSES: &str = "look up addresses";

/// An instance that one works in, with the client that made it.
///
/// (The entry of the catalogue from which instances are made is [`types::Environment`](crate::types::Environment).)
///
/// It is a handle: clones are cheap in meaning, and dropping one closes nothing. Close the instance with
/// [`Environment::close`], also after an error, or let its TTL or missed heartbeats end it.
///
/// ```no_run
/// # async fn example(fleet: fleet_api::Client, task: fleet_api::Task) -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
///
/// let env = task.make(&fleet).heartbeat_interval(Duration::from_secs(60)).await?;
/// let alive = env.keep_alive()?;
/// println!("an agent may work at {}", env.app_url(0)?);
/// let score = env.score(&task, "closed").await;
/// alive.stop().await;
/// env.close().await?;
/// println!("{}", score?);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Environment {
    client: Client,
    instance: Instance,
    manager: OnceLock<Manager>,
}

impl Environment {
    /// The handle for an instance that is known already. Nothing is sent.
    pub fn of(client: &Client, instance: Instance) -> Self {
        Self {
            client: client.clone(),
            instance,
            manager: OnceLock::new(),
        }
    }

    /// The instance's id.
    pub fn id(&self) -> &InstanceId {
        &self.instance.instance_id
    }

    /// The instance, as it was last seen: when it was made, or at the last [`Environment::refresh`] or change of its TTL.
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// The instance, given away.
    pub fn into_instance(self) -> Instance {
        self.instance
    }

    /// The client that it is worked with.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Looks at the instance again.
    pub async fn refresh(&mut self) -> Result<&Instance, Error> {
        let instance = self.client.instance(self.id()).await?;
        Ok(self.seen(instance))
    }

    /// Lets the instance live for `ttl` from now; see [`Client::set_ttl`].
    pub async fn set_ttl(&mut self, ttl: Duration) -> Result<&Instance, Error> {
        let instance = self.client.set_ttl(self.id(), ttl).await?;
        Ok(self.seen(instance))
    }

    /// Lets the instance live until `end`, later than it would have; see [`Client::extend_ttl`].
    pub async fn extend_ttl(&mut self, end: SystemTime) -> Result<&Instance, Error> {
        let instance = self.client.extend_ttl(self.id(), end).await?;
        Ok(self.seen(instance))
    }

    fn seen(&mut self, instance: Instance) -> &Instance {
        if instance.urls != self.instance.urls {
            self.manager = OnceLock::new();
        }
        self.instance = instance;
        &self.instance
    }

    /// Tells the service that the instance is in use. [`Environment::keep_alive`] does it again and again.
    pub async fn heartbeat(&self) -> Result<HeartbeatResponse, Error> {
        let region = self.instance.heartbeat_region.as_deref();
        self.client.heartbeat(self.id(), region).await
    }

    /// Beats by itself until the guard is dropped or stopped, three times in each interval.
    ///
    /// It is an error if the instance was made without a heartbeat interval (then its TTL alone decides, and nothing
    /// can be kept alive), or outside of a Tokio runtime.
    pub fn keep_alive(&self) -> Result<KeepAlive, Error> {
        KeepAlive::start(self)
    }

    /// Ends the instance and says how it was left. It may be called again after an error;
    /// [`Error::is_gone`] says that there was nothing to end.
    pub async fn close(&self) -> Result<Instance, Error> {
        self.client.close_instance(self.id()).await
    }

    /// Runs the verifier of a task, or a verifier itself, on the instance.
    ///
    /// The answer is no score yet: [`ExecuteResponse::score`] tells what it is worth, [`Environment::score`] does both.
    ///
    /// ```no_run
    /// # async fn example(env: fleet_api::Environment, task: fleet_api::Task) -> Result<(), fleet_api::Error> {
    /// let with_answer = env.verify(&task, "closed").await?;
    /// let without = env.verify(&task, ()).await?;
    /// println!("{:?} {:?}", with_answer.stdout, without.result);
    /// # Ok(()) }
    /// ```
    pub async fn verify(
        &self,
        verified: &impl HasVerifier,
        args: impl Into<VerifyArgs>,
    ) -> Result<ExecuteResponse, Error> {
        let verifier = verified.verifier_source().ok_or_else(|| {
            Error::invalid_argument("verify", "the task has no verifier whose source is known")
        })?;
        self.client.verify(verifier, self.id(), &args.into()).await
    }

    /// As [`Environment::verify`], and the score of it, 0.0–1.0.
    pub async fn score(
        &self,
        verified: &impl HasVerifier,
        args: impl Into<VerifyArgs>,
    ) -> Result<f64, VerifyError> {
        Ok(self.verify(verified, args).await?.score()?)
    }

    /// Has the judge grade what was done in the instance, which is named in `body` here.
    pub async fn grade(&self, body: GradeBody) -> Result<GradeResponse, Error> {
        let instance_id = self.id().clone();
        self.client
            .grade(&GradeBody {
                instance_id,
                ..body
            })
            .await
    }

    /// A session that says that it was in this instance. It exists at the service from its first log on.
    pub fn session(&self) -> Session {
        self.client.session().instance(self.id().clone())
    }

    /// The instance's addresses. It is an error while the service has not named them.
    pub fn urls(&self) -> Result<&InstanceUrls, Error> {
        self.instance.urls.as_ref().ok_or_else(|| {
            let reason =
                "the service has not named the instance's addresses yet; refresh it when it runs";
            Error::invalid_argument(ADDRESSES, reason)
        })
    }

    /// Where the `n`th app is, counted from 0.
    pub fn app_url(&self, n: usize) -> Result<&str, Error> {
        let apps = &self.urls()?.app;
        apps.get(n).map(String::as_str).ok_or_else(|| {
            let kind = ErrorKind::InvalidValue {
                what: "app",
                value: n.to_string(),
                reason: format!(
                    "does not exist: the instance has {}, counted from 0",
                    apps.len()
                ),
            };
            Error::new(ADDRESSES, kind)
        })
    }

    /// Where tools are offered by the Model Context Protocol.
    pub fn mcp_url(&self) -> Result<String, Error> {
        Ok(format!("{}/mcp", self.root()?))
    }

    /// The server of tools, as model providers' APIs want it described.
    pub fn mcp(&self) -> Result<McpServer, Error> {
        self.manager()?.mcp(None)
    }

    /// Where the app's own API is: the address that the service named, else `raw` below the root.
    pub fn api_url(&self) -> Result<String, Error> {
        Ok(match &self.urls()?.api {
            Some(api) => api.clone(),
            None => format!("{}/raw", self.root()?),
        })
    }

    /// The instance's manager, which looks into its data, files and browser. What follows are its parts.
    ///
    /// It is an error while the service has not named its address.
    pub fn manager(&self) -> Result<&Manager, Error> {
        if let Some(manager) = self.manager.get() {
            return Ok(manager);
        }
        // Kept, because a manager knows whether it ever answered.
        let manager = Manager::of(&self.client, &self.instance)?;
        Ok(self.manager.get_or_init(|| manager))
    }

    /// The manager of one app of an instance that has several.
    ///
    /// ```no_run
    /// # async fn example(env: fleet_api::Environment) -> Result<(), fleet_api::Error> {
    /// let open = env.app("mail")?.db("current").table("messages").is_null("read_at").count().await?;
    /// println!("{open} unread");
    /// # Ok(()) }
    /// ```
    pub fn app(&self, name: &str) -> Result<Manager, Error> {
        self.manager()?.app(name)
    }

    /// The database that the instance works with, `current`.
    ///
    /// ```no_run
    /// # async fn example(env: fleet_api::Environment) -> Result<(), Box<dyn std::error::Error>> {
    /// let ticket = env.db()?.table("tickets").eq("id", 2).one().await?;
    /// println!("{}", ticket.get::<String>("status")?);
    /// # Ok(()) }
    /// ```
    pub fn db(&self) -> Result<Database, Error> {
        self.db_named("current")
    }

    /// One of the instance's databases, for example `seed`: what it began with.
    pub fn db_named(&self, name: &str) -> Result<Database, Error> {
        Ok(self.manager()?.db(name))
    }

    /// The files of the instance.
    pub fn files(&self) -> Result<Files, Error> {
        Ok(self.manager()?.files())
    }

    /// The browser of the instance.
    pub fn browser(&self) -> Result<Browser, Error> {
        Ok(self.manager()?.browser())
    }

    /// Puts the instance's data back to where it began. [`Manager::reset`] can set its clock and chance as well.
    pub async fn reset(&self) -> Result<(), Error> {
        let said = self.manager()?.reset(None, None).await?;
        debug!(instance_id = %self.id(), said, "reset");
        Ok(())
    }

    fn root(&self) -> Result<&str, Error> {
        Ok(self.urls()?.root.trim_end_matches('/'))
    }
}

impl Client {
    /// The handle for an instance that exists already, made by whomever.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), fleet_api::Error> {
    /// let env = fleet.attach(&"bc8954c2".into()).await?;
    /// println!("{}", env.instance().status);
    /// # Ok(()) }
    /// ```
    pub async fn attach(&self, id: &InstanceId) -> Result<Environment, Error> {
        let instance = self.instance(id).await?;
        Ok(Environment::of(self, instance))
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("instance_id", self.id())
            .field("env_key", &self.instance.env_key)
            .field("version", &self.instance.version)
            .field("status", &self.instance.status)
            .finish_non_exhaustive()
    }
}
