//! Who may call the control plane. With a key configured, only those who send it; without one,
//! every caller on this machine.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::error::ApiError;
use super::state::App;
use crate::gateway::is_loopback_host;

/// The key that callers must send, if any. Only its hash is kept.
#[derive(Debug)]
pub(crate) struct Credentials(Option<[u8; 32]>);

impl Credentials {
    pub(crate) fn new(key: Option<&SecretString>) -> Self {
        Self(key.map(|key| hash(key.expose_secret().as_bytes())))
    }

    fn admits(&self, headers: &HeaderMap) -> bool {
        // Hashes are compared, so the time of the comparison says nothing about the key.
        self.0.is_none_or(|wanted| {
            bearer(headers).is_some_and(|token| hash(token.as_bytes()) == wanted)
        })
    }
}

/// Stands for the caller where request ids are remembered. Not reversible.
pub(crate) fn caller(headers: &HeaderMap) -> [u8; 32] {
    let token = headers
        .get("x-jwt-token")
        .and_then(|token| token.to_str().ok());
    hash(bearer(headers).or(token).unwrap_or_default().as_bytes())
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Lets a request pass, or answers for it.
pub(super) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    if !is_loopback_host(request.headers(), request.uri()) {
        return ApiError::foreign_host().into_response();
    }
    if !app.credentials.admits(request.headers()) {
        return ApiError::new(StatusCode::UNAUTHORIZED, "Invalid or missing API key")
            .into_response();
    }
    next.run(request).await
}
