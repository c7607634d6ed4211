//! The address of one instance: a loopback listener of its own that serves the instance's manager
//! and passes everything else to its apps.
//!
//! The manager's calls carry no credential (the official client sends none), so there is nothing to
//! check here but that the caller means a loopback address: a page in a browser must not reach an
//! instance through a name that it lets point to 127.0.0.1.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::api::error::ApiError;
use crate::instance::Instance;
use crate::manager::{self, InstanceManager};
use crate::recorder::{Plane, Recorder};
use crate::seam::ManagerHooks;

/// After the apps are gone no request can be waiting for one; what is left are clients that do not
/// read. They are cut off.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// Headers that speak of one connection and not of the message (RFC 9110 §7.6.1), and those that a
/// proxy sets anew.
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

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
    /// App name and port, in the order of the package; the first one gets what no other claims.
    apps: Arc<Vec<(String, u16)>>,
    http: reqwest::Client,
    refusing: Arc<AtomicBool>,
}

impl Gateway {
    pub(crate) async fn open(
        instance: &Arc<Instance>,
        apps: Vec<(String, u16)>,
        http: reqwest::Client,
        recorder: Option<&Recorder>,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let hooks: Arc<dyn ManagerHooks> = Arc::clone(instance) as _;
        let mut manager = manager::router(InstanceManager::new(instance.files.clone(), hooks));
        if let Some(recorder) = recorder {
            let instance = instance.id.to_string();
            manager = recorder.around(manager, Plane::Manager { instance });
        }
        let refusing = Arc::new(AtomicBool::new(false));
        let upstreams = Upstreams {
            apps: Arc::new(apps),
            http,
            refusing: Arc::clone(&refusing),
        };

        let mut router = Router::new().nest("/api/v1/env", manager.clone());
        for (name, _) in upstreams.apps.iter() {
            router = router.nest(&format!("/{name}/api/v1/env"), manager.clone());
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

async fn forward(State(upstreams): State<Upstreams>, request: Request) -> Response {
    let path = request
        .uri()
        .path_and_query()
        .map_or("/", http::uri::PathAndQuery::as_str);
    let ((app, port), target, prefix) = route(&upstreams.apps, path);
    let Ok(url) = format!("http://127.0.0.1:{port}{target}").parse::<reqwest::Url>() else {
        return ApiError::new(
            StatusCode::BAD_REQUEST,
            "This path cannot be passed to the app",
        )
        .into_response();
    };
    let app = app.clone();
    let (parts, body) = request.into_parts();
    let mut headers = end_to_end(&parts.headers);
    if let Some(host) = headers.remove(header::HOST) {
        headers.insert(FORWARDED_HOST, host);
    }
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static("http"));
    if let Some(prefix) = prefix.and_then(|prefix| HeaderValue::from_str(&prefix).ok()) {
        headers.insert(FORWARDED_PREFIX, prefix);
    }
    // A request without a body must not become one with an empty chunked body, which some small
    // servers refuse.
    let has_body = headers.contains_key(header::CONTENT_LENGTH)
        || parts.headers.contains_key(header::TRANSFER_ENCODING);
    let mut outgoing = upstreams.http.request(parts.method, url).headers(headers);
    if has_body {
        outgoing = outgoing.body(reqwest::Body::wrap_stream(body.into_data_stream()));
    }
    match outgoing.send().await {
        Ok(answer) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = answer.status();
            *response.headers_mut() = end_to_end(answer.headers());
            *response.body_mut() = Body::from_stream(answer.bytes_stream());
            response
        }
        Err(error) => {
            let message = format!(
                "The app {app:?} of this instance did not answer: {}",
                crate::error_chain(&error.without_url())
            );
            ApiError::new(StatusCode::BAD_GATEWAY, message).into_response()
        }
    }
}

/// Which app gets a path, the path that it sees, and the prefix that was taken off.
fn route<'a>(apps: &'a [(String, u16)], path: &str) -> (&'a (String, u16), String, Option<String>) {
    for app in &apps[1..] {
        let Some(rest) = path
            .strip_prefix('/')
            .and_then(|path| path.strip_prefix(app.0.as_str()))
        else {
            continue;
        };
        if rest.is_empty() || rest.starts_with(['/', '?']) {
            let target = if rest.starts_with('/') {
                rest.to_owned()
            } else {
                format!("/{rest}")
            };
            return (app, target, Some(format!("/{}", app.0)));
        }
    }
    (&apps[0], path.to_owned(), None)
}

fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let mut kept = headers.clone();
    // Names listed in `Connection` are hop-by-hop as well.
    let listed: Vec<String> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    for name in listed {
        if let Ok(name) = HeaderName::from_bytes(name.as_bytes()) {
            kept.remove(name);
        }
    }
    for name in HOP_BY_HOP {
        kept.remove(name);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_go_to_the_app_that_claims_them() {
        let apps = vec![("web".to_owned(), 1), ("mail".to_owned(), 2)];
        let check = |path: &str| {
            let (app, target, prefix) = route(&apps, path);
            (app.1, target, prefix)
        };
        assert_eq!(check("/"), (1, "/".to_owned(), None));
        assert_eq!(check("/web/x"), (1, "/web/x".to_owned(), None));
        assert_eq!(
            check("/mail"),
            (2, "/".to_owned(), Some("/mail".to_owned()))
        );
        assert_eq!(
            check("/mail/in?a=b"),
            (2, "/in?a=b".to_owned(), Some("/mail".to_owned()))
        );
        assert_eq!(
            check("/mail?a=b"),
            (2, "/?a=b".to_owned(), Some("/mail".to_owned()))
        );
        assert_eq!(check("/mailbox"), (1, "/mailbox".to_owned(), None));
    }

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

    #[test]
    fn headers_of_the_connection_stay_on_it() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONNECTION, "close, X-Mine".parse().unwrap());
        headers.insert("x-mine", "1".parse().unwrap());
        headers.insert("x-yours", "1".parse().unwrap());
        headers.insert(header::TRANSFER_ENCODING, "chunked".parse().unwrap());
        assert_eq!(end_to_end(&headers).keys().collect::<Vec<_>>(), ["x-yours"]);
    }
}
