//! The desk's tools for agents that speak MCP, over streamable HTTP at `/mcp`: the same readings and changes as the API offers.
//!
//! Requests stand for themselves: there is no session that could be lost when the desk is started anew.

mod answer;
mod ask;
mod tools;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::map_request;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};

use crate::store::Store;
use tools::DeskTools;

/// The longest argument is a text of 20 kB.
const MAX_BODY: usize = 256 * 1024;

/// What the protocol wants a client to say that it takes.
const BOTH_FORMS: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");

/// The endpoint at its path.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>(store: Store) -> Router<S> {
    Router::new()
        .route_service("/mcp", service(store))
        .layer(map_request(spell_out))
}

fn service(store: Store) -> StreamableHttpService<DeskTools, NeverSessionManager> {
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

/// A client that takes anything takes both forms. The service looks for their names alone, and the official SDK's list of tools sends
/// `*/*`.
async fn spell_out(mut request: Request) -> Request {
    let headers = request.headers_mut();
    let named = headers.get(header::ACCEPT).map(HeaderValue::as_bytes);
    if matches!(named, None | Some(b"*/*")) {
        headers.insert(header::ACCEPT, BOTH_FORMS);
    }
    request
}
