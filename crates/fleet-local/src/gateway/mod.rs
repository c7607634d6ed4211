//! The address of one instance: a loopback listener of its own that serves the instance's manager
//! and passes everything else to its apps.
//!
//! The manager's calls carry no credential (the official client sends none), so there is nothing to
//! check here but that the caller means a loopback address: a page in a browser must not reach an
//! instance through a name that it lets point to 127.0.0.1.

mod forward;
mod headers;
mod managers;
mod route;
#[cfg(test)]
mod tests;
mod upgrade;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use http::uri::Authority;
use http::{HeaderMap, StatusCode, Uri, header};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

pub(crate) use self::managers::Equipment;

use self::forward::{AppClient, forward};
use self::managers::managers;
use self::route::Upstream;
use crate::api::error::ApiError;
use crate::api::tidied;
use crate::connections::Connections;
use crate::instance::Instance;
use crate::manager;
use crate::recorder::{Plane, Recorder};

/// The image type with computer use over MCP; every other one only is a word that the apps are told.
pub(crate) const COMPUTER_IMAGE: &str = "mcp";

/// Open connections of clients, each with a descriptor of ours and mostly another one to the app. A browser has six
/// to one address, and a WebSocket is a connection more.
const CONNECTIONS: usize = 512;

/// How many of them may be upgraded. Those have no end of their own, and some room must be left for the manager. It is
/// what Chromium allows itself.
const UPGRADED: usize = 255;

/// After the apps are gone no request can be waiting for one.
const PATIENCE: Duration = Duration::from_millis(500);

/// The open address of one instance.
#[derive(Debug)]
pub(crate) struct Gateway {
    port: u16,
    refusing: Arc<AtomicBool>,
    connections: Connections,
}

#[derive(Debug, Clone)]
struct Upstreams {
    apps: Arc<Vec<Upstream>>,
    /// Whether `/api/v1/mcp` is computer use, as for instances of image type `mcp`.
    has_computer: bool,
    http: AppClient,
    refusing: Arc<AtomicBool>,
    connections: Connections,
    /// Room for upgraded ones.
    upgraded: Arc<Semaphore>,
}

impl Gateway {
    pub(crate) async fn open(
        instance: &Arc<Instance>,
        ports: &[u16],
        equipment: &Equipment,
        recorder: Option<&Recorder>,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let refusing = Arc::new(AtomicBool::new(false));
        let connections = Connections::at_most(CONNECTIONS);
        let upstreams = Upstreams {
            apps: Arc::new(upstreams(instance, ports)),
            has_computer: instance.spec.image_type.as_deref() == Some(COMPUTER_IMAGE),
            http: forward::client(),
            refusing: Arc::clone(&refusing),
            connections: connections.clone(),
            upgraded: Arc::new(Semaphore::new(UPGRADED)),
        };

        let mut router = Router::new();
        let root = format!("http://127.0.0.1:{port}/");
        for (index, (name, manager)) in managers(instance, equipment, &root).into_iter().enumerate()
        {
            let mut manager = manager::router(manager);
            if let Some(recorder) = recorder {
                let instance = instance.id.to_string();
                manager = recorder.around(manager, Plane::Manager { instance });
            }
            let manager = tidied(manager);
            if index == 0 {
                router = router.nest_service("/api/v1/env", manager.clone());
            }
            router = router.nest_service(&format!("/{name}/api/v1/env"), manager);
        }
        connections.serve(listener, around(router, upstreams));
        Ok(Self {
            port,
            refusing,
            connections,
        })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// From now on every new request is answered with 503; those under way go on.
    pub(crate) fn refuse(&self) {
        self.refusing.store(true, Ordering::Release);
        self.connections.stop();
    }

    /// Returns when no connection is left.
    pub(crate) async fn close(self) {
        self.refuse();
        self.connections.clone().close(PATIENCE).await;
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // After a close nothing is left to cut. Without one its owner has gone wrong, and nobody else knows of the address.
        self.connections.cut();
    }
}

/// The routes of an address: those of the managers, and the apps for everything else.
fn around(managers: Router, upstreams: Upstreams) -> Router {
    managers
        .fallback_service(forward.with_state(upstreams.clone()))
        .layer(middleware::from_fn_with_state(upstreams, guard))
}

fn upstreams(instance: &Instance, ports: &[u16]) -> Vec<Upstream> {
    let apps = instance.spec.package.apps.iter().zip(ports);
    apps.map(|((name, app), port)| Upstream::new(name, app, *port))
        .collect()
}

async fn guard(State(upstreams): State<Upstreams>, request: Request, next: Next) -> Response {
    if !is_loopback_host(request.headers(), request.uri()) {
        return ApiError::foreign_host().into_response();
    }
    if upstreams.refusing.load(Ordering::Acquire) {
        return ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "This instance has ended")
            .into_response();
    }
    next.run(request).await
}

/// Whether the request names a loopback address as its host, and no other one.
pub(crate) fn is_loopback_host(headers: &HeaderMap, uri: &Uri) -> bool {
    let in_headers = headers.get_all(header::HOST).iter();
    let mut named = in_headers
        .map(|host| host.to_str().unwrap_or_default())
        .chain(uri.authority().map(Authority::as_str))
        .peekable();
    named.peek().is_some() && named.all(is_loopback)
}

fn is_loopback(named: &str) -> bool {
    let Ok(authority) = named.parse::<Authority>() else {
        return false;
    };
    // A user's name before the host is no part of `Host`, and readers differ in what they make of it.
    if named.contains('@') {
        return false;
    }
    let host = authority.host();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.to_ascii_lowercase().ends_with(".localhost")
        || bare
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod host_tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_hosts() {
        let check = |host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            is_loopback_host(&headers, &Uri::from_static("/"))
        };
        for host in [
            "127.0.0.1:80",
            "127.8.9.1",
            "localhost:1",
            "LOCALHOST",
            "a.localhost:3",
            "[::1]:5",
        ] {
            assert!(check(host), "{host}");
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example:80",
            "10.0.0.1",
            "localhost.evil.example",
            "[::2]:5",
            "127.0.0.1@evil.example",
            "evil.example@127.0.0.1",
            "",
        ] {
            assert!(!check(host), "{host}");
        }
        assert!(!is_loopback_host(&HeaderMap::new(), &Uri::from_static("/")));
        let foreign = Uri::from_static("http://evil.example/");
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "127.0.0.1".parse().unwrap());
        assert!(!is_loopback_host(&headers, &foreign), "both are looked at");
        headers.append(header::HOST, "evil.example".parse().unwrap());
        assert!(!is_loopback_host(&headers, &Uri::from_static("/")));
    }
}
