//! The address of one instance: a loopback listener of its own that serves the instance's manager
//! and passes everything else to its apps.
//!
//! The manager's calls carry no credential (the official client sends none), so there is nothing to
//! check here but that the caller means a loopback address: a page in a browser must not reach an
//! instance through a name that it lets point to 127.0.0.1.

mod forward;
mod managers;
mod route;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, Uri, header};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) use self::managers::Equipment;

use self::forward::forward;
use self::managers::managers;
use self::route::Upstream;
use crate::api::error::ApiError;
use crate::instance::Instance;
use crate::manager;
use crate::recorder::{Plane, Recorder};

/// The image type with computer use over MCP; every other one only is a word that the apps are told.
pub(crate) const COMPUTER_IMAGE: &str = "mcp";

/// After the apps are gone no request can be waiting for one; what is left are clients that do not
/// read. They are cut off.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// The open address of one instance.
#[derive(Debug)]
pub(crate) struct Gateway {
    port: u16,
    refusing: Arc<AtomicBool>,
    stop: CancellationToken,
    server: JoinHandle<()>,
}

#[derive(Debug, Clone)]
struct Upstreams {
    apps: Arc<Vec<Upstream>>,
    /// Whether `/api/v1/mcp` is computer use, as for instances of image type `mcp`.
    has_computer: bool,
    http: reqwest::Client,
    refusing: Arc<AtomicBool>,
}

impl Gateway {
    pub(crate) async fn open(
        instance: &Arc<Instance>,
        ports: &[u16],
        http: reqwest::Client,
        equipment: &Equipment,
        recorder: Option<&Recorder>,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let refusing = Arc::new(AtomicBool::new(false));
        let upstreams = Upstreams {
            apps: Arc::new(upstreams(instance, ports)),
            has_computer: instance.spec.image_type.as_deref() == Some(COMPUTER_IMAGE),
            http,
            refusing: Arc::clone(&refusing),
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
            if index == 0 {
                router = router.nest("/api/v1/env", manager.clone());
            }
            router = router.nest(&format!("/{name}/api/v1/env"), manager);
        }
        let router = router
            .fallback_service(forward.with_state(upstreams.clone()))
            .layer(middleware::from_fn_with_state(upstreams, guard));

        let stop = CancellationToken::new();
        let signal = stop.clone().cancelled_owned();
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router)
                .with_graceful_shutdown(signal)
                .await
            {
                tracing::warn!("an instance's address failed: {error}");
            }
        });
        Ok(Self {
            port,
            refusing,
            stop,
            server,
        })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// From now on every new request is answered with 503; those under way go on.
    pub(crate) fn refuse(&self) {
        self.refusing.store(true, Ordering::Release);
        self.stop.cancel();
    }

    pub(crate) async fn close(mut self) {
        self.refuse();
        if tokio::time::timeout(CLOSE_TIMEOUT, &mut self.server)
            .await
            .is_err()
        {
            self.server.abort();
        }
    }
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

/// Whether the request names a loopback address as its host.
pub(crate) fn is_loopback_host(headers: &HeaderMap, uri: &Uri) -> bool {
    let named = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .or_else(|| uri.authority().map(http::uri::Authority::as_str));
    let Some(authority) = named.and_then(|host| host.parse::<http::uri::Authority>().ok()) else {
        return false;
    };
    let host = authority.host();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.to_ascii_lowercase().ends_with(".localhost")
        || bare
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
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
            "",
        ] {
            assert!(!check(host), "{host}");
        }
        assert!(!is_loopback_host(&HeaderMap::new(), &Uri::from_static("/")));
    }
}
