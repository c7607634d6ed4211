//! The addresses of MCP servers, in the forms in which model APIs take them.

use serde_json::{Value, json};
use url::Url;

/// An MCP server of an instance (streamable HTTP).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct McpServer {
    url: Url,
}

impl McpServer {
    pub(super) fn new(url: Url) -> Self {
        Self { url }
    }

    /// Where it is.
    ///
    /// ```no_run
    /// # fn example(server: fleet_api::manager::McpServer) {
    /// println!("FLEET_MCP_URL={}", server.url());
    /// # }
    /// ```
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// As a tool of `OpenAI`'s Responses API. `label` names it; the environment's key is the custom.
    ///
    /// ```
    /// # let client = fleet_api::Client::builder("unused".into()).base_url("http://127.0.0.1:1").build()?;
    /// # let manager = fleet_api::manager::Manager::at(&client, "http://127.0.0.1:8899/api/v1/env")?;
    /// let tool = manager.mcp(None)?.openai("helpdesk");
    /// assert_eq!(tool["server_url"], "http://127.0.0.1:8899/mcp");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn openai(&self, label: &str) -> Value {
        json!({
            "type": "mcp",
            "server_label": label,
            "server_url": self.url.as_str(),
            "require_approval": "never",
        })
    }

    /// As a server of Anthropic's Messages API.
    ///
    /// ```
    /// # let client = fleet_api::Client::builder("unused".into()).base_url("http://127.0.0.1:1").build()?;
    /// # let manager = fleet_api::manager::Manager::at(&client, "http://127.0.0.1:8899/api/v1/env")?;
    /// let server = manager.mcp(None)?.anthropic("helpdesk");
    /// assert_eq!(server["url"], "http://127.0.0.1:8899/mcp");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn anthropic(&self, name: &str) -> Value {
        json!({"type": "url", "url": self.url.as_str(), "name": name})
    }
}
