//! The desk's tools for agents that speak MCP, over streamable HTTP at `/mcp`: the same readings and changes as the API offers.
//!
//! Requests stand for themselves: there is no session that could be lost when the desk is started anew.

mod answer;
mod ask;
mod tools;

use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};

use crate::store::Store;
use tools::DeskTools;

/// The longest argument is a text of 20 kB.
const MAX_BODY: usize = 256 * 1024;

/// The endpoint, to be mounted at its path.
pub(crate) fn service(store: Store) -> StreamableHttpService<DeskTools, NeverSessionManager> {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(MAX_BODY);
    StreamableHttpService::new(
        move || Ok(DeskTools::new(store.clone())),
        NeverSessionManager::default().into(),
        config,
    )
}
