//! What an instance has, whether it is well, and back to the beginning.

use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::address::Address;
use super::browser::Browser;
use super::call::{Caller, Request, check_success};
use super::database::Database;
use super::files::Files;
use super::mcp::McpServer;
use crate::call::CallLimits;
use crate::client::Client;
use crate::error::Error;
use crate::request::Repeat;
use crate::types::Instance;
use crate::types::manager::{
    Acknowledged, ExecuteFunctionBody, ExecuteFunctionResponse, ManagerHealth, ManagerTime,
    ResetBody, Resource,
};

/// The manager of one instance, or of one app of it. Clones are cheap.
#[derive(Debug, Clone)]
pub struct Manager {
    pub(super) caller: Caller,
}

/// The two forms in which resources are listed.
#[derive(Deserialize)]
#[serde(untagged)]
enum Listing {
    Plain(Vec<Resource>),
    Wrapped { resources: Vec<Resource> },
}

impl Manager {
    /// The manager of an instance. Nothing is sent.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) when the record has no address of a manager, as that of an
    /// instance that is still starting; [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) when it has one that is none.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), fleet_api::Error> {
    /// use fleet_api::manager::Manager;
    ///
    /// let instance = fleet.instance(&"bc8954c2".into()).await?;
    /// let manager = Manager::of(&fleet, &instance)?;
    /// println!("{}", manager.health().await?.status);
    /// # Ok(()) }
    /// ```
    pub fn of(client: &Client, instance: &Instance) -> Result<Self, Error> {
        let urls = instance
            .urls
            .as_ref()
            .filter(|urls| !urls.manager.api.trim().is_empty())
            .ok_or_else(|| {
                let reason = "the instance has no address of a manager yet";
                Error::invalid_argument("address instance", reason)
                    .with_instance(instance.instance_id.clone())
            })?;
        let address = Address::parse(&urls.manager.api, Some(&urls.root))?;
        Ok(Self {
            caller: Caller::new(client.clone(), address),
        })
    }

    /// The manager at an address, which is asked for nothing yet: for instances that no service
    /// knows of, and for a manager whose address is all there is.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) for what is no HTTP address.
    ///
    /// ```
    /// use fleet_api::{Client, manager::Manager};
    ///
    /// let client = Client::builder("unused".into()).base_url("http://127.0.0.1:8899").build()?;
    /// let manager = Manager::at(&client, "http://127.64.0.1:8899/web/api/v1/env")?;
    /// assert_eq!(manager.app("mail")?.url().as_str(), "http://127.64.0.1:8899/mail/api/v1/env");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn at(client: &Client, url: &str) -> Result<Self, Error> {
        let address = Address::parse(url, None)?;
        Ok(Self {
            caller: Caller::new(client.clone(), address),
        })
    }

    /// The same manager, shown this runner token whatever its host is.
    ///
    /// ```
    /// # let client = fleet_api::Client::builder("unused".into()).base_url("http://127.0.0.1:1").build()?;
    /// use fleet_api::manager::Manager;
    ///
    /// let manager = Manager::at(&client, "https://desk.example.org/api/v1/env")?
    ///     .with_runner_token("a token of that host".into());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_runner_token(self, token: SecretString) -> Self {
        Self {
            caller: self.caller.with_token(token),
        }
    }

    /// The same manager with other limits for its calls.
    ///
    /// ```no_run
    /// # async fn example(manager: fleet_api::manager::Manager) -> Result<(), fleet_api::Error> {
    /// use std::time::Duration;
    /// use fleet_api::CallLimits;
    ///
    /// let quick = CallLimits::attempts(1).within(Duration::from_secs(2));
    /// println!("{}", manager.limited(quick).health().await?.status);
    /// # Ok(()) }
    /// ```
    pub fn limited(&self, limits: CallLimits) -> Self {
        Self {
            caller: self.caller.limited(limits),
        }
    }

    /// Where the manager is, without a slash at the end.
    ///
    /// ```
    /// # let client = fleet_api::Client::builder("unused".into()).base_url("http://127.0.0.1:1").build()?;
    /// # use fleet_api::manager::Manager;
    /// let manager = Manager::at(&client, "http://127.0.0.1:8899/api/v1/env/")?;
    /// assert_eq!(manager.url().as_str(), "http://127.0.0.1:8899/api/v1/env");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn url(&self) -> &Url {
        &self.caller.address.manager
    }

    /// The manager of another app of the same instance.
    ///
    /// Its address is `{start of the instance}/{name}/api/v1/env`. A manager made of an instance's
    /// record knows where the instance begins. One made of an address alone takes the last segment
    /// before `/api/v1/env`, if there is one, for the name of its own app.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) for a name that cannot stand in an address.
    ///
    /// ```
    /// # let client = fleet_api::Client::builder("unused".into()).base_url("http://127.0.0.1:1").build()?;
    /// # use fleet_api::manager::Manager;
    /// let manager = Manager::at(&client, "https://a1b2.env.example.org/api/v1/env")?;
    /// let mail = manager.app("mail")?;
    /// assert_eq!(mail.url().as_str(), "https://a1b2.env.example.org/mail/api/v1/env");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn app(&self, name: &str) -> Result<Self, Error> {
        Ok(Self {
            caller: self.caller.at(self.caller.address.of_app(name)?),
        })
    }

    /// The instance's MCP server with the tools of its environment: `{start}/mcp`, or
    /// `{start}/{app}/mcp` where an app has its own.
    ///
    /// ```
    /// # let client = fleet_api::Client::builder("unused".into()).base_url("http://127.0.0.1:1").build()?;
    /// # use fleet_api::manager::Manager;
    /// let manager = Manager::at(&client, "http://127.0.0.1:8899/api/v1/env")?;
    /// assert_eq!(manager.mcp(None)?.url().as_str(), "http://127.0.0.1:8899/mcp");
    /// assert_eq!(manager.mcp(Some("mail"))?.url().as_str(), "http://127.0.0.1:8899/mail/mcp");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn mcp(&self, app: Option<&str>) -> Result<McpServer, Error> {
        self.caller.address.below(app, &["mcp"]).map(McpServer::new)
    }

    /// The MCP server by which an agent uses the instance as a computer: screen, mouse and keys.
    /// Instances of the image type `mcp` have one.
    ///
    /// ```
    /// # let client = fleet_api::Client::builder("unused".into()).base_url("http://127.0.0.1:1").build()?;
    /// # use fleet_api::manager::Manager;
    /// let manager = Manager::at(&client, "http://127.0.0.1:8899/api/v1/env")?;
    /// let server = manager.computer_use_mcp()?;
    /// assert_eq!(server.url().as_str(), "http://127.0.0.1:8899/api/v1/mcp");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn computer_use_mcp(&self) -> Result<McpServer, Error> {
        let address = &self.caller.address;
        address
            .below(None, &["api", "v1", "mcp"])
            .map(McpServer::new)
    }

    /// A database of the instance; by custom `current` is the app's, and `seed` what it began with.
    /// Nothing is sent.
    ///
    /// ```no_run
    /// # async fn example(manager: fleet_api::manager::Manager) -> Result<(), fleet_api::Error> {
    /// for table in manager.db("current").describe().await? {
    ///     println!("{}: {} columns", table.name, table.columns.len());
    /// }
    /// # Ok(()) }
    /// ```
    pub fn db(&self, name: impl Into<String>) -> Database {
        Database::new(self.caller.clone(), name.into())
    }

    /// The files of the instance. Nothing is sent.
    ///
    /// ```no_run
    /// # async fn example(manager: fleet_api::manager::Manager) -> Result<(), fleet_api::Error> {
    /// for file in manager.files().diff().await?.files {
    ///     println!("{} {} bytes", file.path, file.size);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn files(&self) -> Files {
        Files::new(self.caller.clone())
    }

    /// The browser of the instance. Nothing is sent.
    ///
    /// ```no_run
    /// # async fn example(manager: fleet_api::manager::Manager) -> Result<(), fleet_api::Error> {
    /// println!("{}", manager.browser().addresses().await?.cdp_browser_url);
    /// # Ok(()) }
    /// ```
    pub fn browser(&self) -> Browser {
        Browser::new(self.caller.clone())
    }

    /// What the instance has: databases and a browser.
    ///
    /// ```no_run
    /// # async fn example(manager: fleet_api::manager::Manager) -> Result<(), fleet_api::Error> {
    /// for resource in manager.resources().await? {
    ///     println!("{} {} {}", resource.name, resource.kind, resource.mode);
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn resources(&self) -> Result<Vec<Resource>, Error> {
        let request = Request::get("list resources", "/resources");
        Ok(match self.caller.json(request).await? {
            Listing::Plain(resources) | Listing::Wrapped { resources } => resources,
        })
    }

    /// Puts the instance's data back to the seed. `timestamp` sets its clock (Unix seconds), `seed`
    /// its chance, where the environment has them.
    ///
    /// # Errors
    /// [`ErrorKind::Operation`](crate::ErrorKind::Operation) when the manager says that it did not work.
    ///
    /// ```no_run
    /// # async fn example(manager: fleet_api::manager::Manager) -> Result<(), fleet_api::Error> {
    /// manager.reset(None, Some(7)).await?;
    /// # Ok(()) }
    /// ```
    pub async fn reset(&self, timestamp: Option<i64>, seed: Option<i64>) -> Result<String, Error> {
        let body = ResetBody { timestamp, seed };
        // Twice back to the beginning is the beginning.
        let request = Request::post("reset instance", "/reset", &body, Repeat::SameId).long();
        let operation = request.operation();
        let answer: Acknowledged = self.caller.json(request).await?;
        check_success(operation, answer.success, None, &answer.message)?;
        Ok(answer.message)
    }

    /// Whether the manager is well.
    ///
    /// ```no_run
    /// # async fn example(manager: fleet_api::manager::Manager) -> Result<(), fleet_api::Error> {
    /// assert_eq!(manager.health().await?.status, "healthy");
    /// # Ok(()) }
    /// ```
    pub async fn health(&self) -> Result<ManagerHealth, Error> {
        self.caller
            .json(Request::get("check manager", "/health"))
            .await
    }

    /// The instance's clock, ISO 8601.
    ///
    /// ```no_run
    /// # async fn example(manager: fleet_api::manager::Manager) -> Result<(), fleet_api::Error> {
    /// println!("{}", manager.timestamp().await?);
    /// # Ok(()) }
    /// ```
    pub async fn timestamp(&self) -> Result<String, Error> {
        let request = Request::get("read the instance's clock", "/timestamp");
        let answer: ManagerTime = self.caller.json(request).await?;
        Ok(answer.timestamp)
    }

    /// Runs a Python function `(before, after, transcript=None)` in the instance and returns what it
    /// returned. The function is not sent twice unless it certainly did not run.
    ///
    /// # Errors
    /// [`ErrorKind::Operation`](crate::ErrorKind::Operation) when the function did not come to its end.
    ///
    /// ```no_run
    /// # async fn example(manager: fleet_api::manager::Manager) -> Result<(), fleet_api::Error> {
    /// use fleet_api::manager::ExecuteFunctionBody;
    ///
    /// let function = ExecuteFunctionBody {
    ///     function_code: "def check(before, after, transcript=None):\n    return 1.0\n".into(),
    ///     function_name: "check".into(),
    ///     text_solution: None,
    /// };
    /// println!("{}", manager.execute_function(&function).await?);
    /// # Ok(()) }
    /// ```
    pub async fn execute_function(
        &self,
        function: &ExecuteFunctionBody,
    ) -> Result<serde_json::Value, Error> {
        let request = Request::post(
            "execute function",
            "/execute_verifier_function",
            function,
            Repeat::Unacted,
        )
        .long();
        let operation = request.operation();
        let answer: ExecuteFunctionResponse = self.caller.json(request).await?;
        check_success(
            operation,
            answer.success,
            answer.error.as_deref(),
            &answer.message,
        )?;
        Ok(answer.result.unwrap_or_default())
    }
}
