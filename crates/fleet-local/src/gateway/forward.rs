//! Passing a request on to an app, and its answer back, both as they come.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode, Uri, Version, header};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::OwnedSemaphorePermit;

use super::route::{manager_of, route};
use super::upgrade::{self, Upgrade};
use super::{UPGRADED, Upstreams, headers};
use crate::api::error::ApiError;

/// Idle connections are given up early: some small servers serve one connection at a time.
const IDLE_CONNECTION: Duration = Duration::from_secs(5);

/// A client for apps, which changes nothing of a path and follows nothing.
pub(super) type AppClient = Client<HttpConnector, Body>;

pub(super) fn client() -> AppClient {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new())
        .pool_idle_timeout(IDLE_CONNECTION)
        .pool_timer(TokioTimer::new())
        .build(connector)
}

pub(super) async fn forward(State(upstreams): State<Upstreams>, request: Request) -> Response {
    match pass(&upstreams, request).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

async fn pass(upstreams: &Upstreams, mut request: Request) -> Result<Response, ApiError> {
    let path = target(request.uri(), request.method())?.to_owned();
    // Passed on, it would be the main app's answer, and nobody would see that the name is wrong.
    if let Some(name) = manager_of(&path) {
        let message = format!("This instance has no app {name:?}");
        return Err(ApiError::new(StatusCode::BAD_REQUEST, message));
    }
    let route = route(&upstreams.apps, upstreams.has_computer, &path);
    let (app, prefix) = (route.app, route.prefix.as_deref());
    let upgrade = Upgrade::take(&mut request).map(|upgrade| place(upstreams, upgrade));
    let upgrade = upgrade.transpose()?;

    let uri = format!("http://127.0.0.1:{}{}", app.port, route.target);
    let (mut parts, body) = request.into_parts();
    parts.headers = headers::of_request(&parts.headers, &parts.uri, prefix);
    let host = parts.headers.get(header::HOST).cloned();
    if let Some((upgrade, _)) = &upgrade {
        upgrade::mark(&mut parts.headers, upgrade.protocols.clone());
    }
    parts.uri = uri.parse().map_err(|error| {
        let message = format!("The path {path:?} cannot be passed to the app: {error}");
        ApiError::new(StatusCode::BAD_REQUEST, message)
    })?;
    parts.version = Version::HTTP_11;
    // They belong to the client's connection.
    parts.extensions.clear();

    let answer = upstreams
        .http
        .request(http::Request::from_parts(parts, body));
    let answer = answer.await.map_err(|error| {
        let reason = crate::error_chain(&error);
        bad_gateway(&app.name, &format!("did not answer: {reason}"))
    })?;
    let headers = headers::of_answer(answer.headers(), host.as_ref(), prefix);
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        let Some((upgrade, place)) = upgrade else {
            return Err(bad_gateway(
                &app.name,
                "answered 101 Switching Protocols to a request that asked for no upgrade",
            ));
        };
        return Ok(upgrade.switch(answer, headers, &upstreams.connections, place));
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status();
    *response.headers_mut() = headers;
    *response.body_mut() = Body::new(answer.into_body());
    Ok(response)
}

/// Path and query of a request, as they were sent.
fn target<'r>(uri: &'r Uri, method: &Method) -> Result<&'r str, ApiError> {
    let refused = |message| Err(ApiError::new(StatusCode::BAD_REQUEST, message));
    if method == Method::CONNECT {
        return refused("This is the address of an instance and no proxy: CONNECT leads nowhere");
    }
    match uri.path_and_query() {
        Some(path) if path.path().starts_with('/') => Ok(path.as_str()),
        _ => refused("A request to an app names a path that begins with a slash"),
    }
}

fn place(
    upstreams: &Upstreams,
    upgrade: Upgrade,
) -> Result<(Upgrade, OwnedSemaphorePermit), ApiError> {
    let Ok(place) = Arc::clone(&upstreams.upgraded).try_acquire_owned() else {
        let message = format!(
            "{UPGRADED} upgraded connections (WebSockets and the like) to this instance are open, and more are not taken: close some"
        );
        return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, message));
    };
    Ok((upgrade, place))
}

fn bad_gateway(app: &str, what: &str) -> ApiError {
    let message = format!("The app {app:?} of this instance {what}");
    ApiError::new(StatusCode::BAD_GATEWAY, message)
}
