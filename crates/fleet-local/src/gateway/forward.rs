//! Passing a request on to an app, and its answer back, both as they come.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::Upstreams;
use super::route::{manager_of, route};
use crate::api::error::ApiError;

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

pub(super) async fn forward(State(upstreams): State<Upstreams>, request: Request) -> Response {
    let path = request
        .uri()
        .path_and_query()
        .map_or("/", http::uri::PathAndQuery::as_str);
    // Passed on, it would be the main app's answer, and nobody would see that the name is wrong.
    if let Some(name) = manager_of(path) {
        let message = format!("This instance has no app {name:?}");
        return ApiError::new(StatusCode::BAD_REQUEST, message).into_response();
    }
    let route = route(&upstreams.apps, upstreams.has_computer, path);
    let (app, prefix) = (route.app, route.prefix);
    let Ok(url) = format!("http://127.0.0.1:{}{}", app.port, route.target).parse::<reqwest::Url>()
    else {
        return ApiError::new(
            StatusCode::BAD_REQUEST,
            "This path cannot be passed to the app",
        )
        .into_response();
    };
    let app = app.name.clone();
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
    fn headers_of_the_connection_stay_on_it() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONNECTION, "close, X-Mine".parse().unwrap());
        headers.insert("x-mine", "1".parse().unwrap());
        headers.insert("x-yours", "1".parse().unwrap());
        headers.insert(header::TRANSFER_ENCODING, "chunked".parse().unwrap());
        assert_eq!(end_to_end(&headers).keys().collect::<Vec<_>>(), ["x-yours"]);
    }
}
