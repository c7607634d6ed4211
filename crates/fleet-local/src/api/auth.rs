//! Who may call the control plane. With a key configured, only those who send it; without one,
//! every caller on this machine.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::error::ApiError;
use super::login;
use super::state::App;
use crate::gateway::is_loopback_host;
use crate::identity;

/// The one path that is called without a credential: it gives one.
pub(in crate::api) const REFRESH: &str = "/v1/auth/refresh";

/// The key that callers must send, if any. Only its hash is kept.
#[derive(Debug)]
pub(crate) struct Credentials(Option<[u8; 32]>);

impl Credentials {
    pub(crate) fn new(key: Option<&SecretString>) -> Self {
        Self(key.map(|key| hash(key.expose_secret().as_bytes())))
    }

    fn admits(&self, headers: &HeaderMap) -> bool {
        if self.0.is_none() {
            return true;
        }
        if let Some(token) = bearer(headers) {
            return self.is_key(token);
        }
        let now = jiff::Timestamp::now().as_second();
        jwt(headers).is_some_and(|token| login::holds(&self.signing_key(), token, now))
    }

    /// Whether this is the key; without a key everything is.
    pub(super) fn is_key(&self, text: &str) -> bool {
        // Hashes are compared, so the time of the comparison says nothing about the key.
        self.0.is_none_or(|wanted| hash(text.as_bytes()) == wanted)
    }

    /// What tokens are signed with. Without a key nobody looks at signatures.
    pub(super) fn signing_key(&self) -> [u8; 32] {
        self.0.unwrap_or_default()
    }
}

/// Stands for the caller where request ids are remembered. Not reversible.
pub(crate) fn caller(headers: &HeaderMap) -> [u8; 32] {
    // Not the access token: a repeat may come with a fresh one.
    let team = headers.get("x-team-id").and_then(|team| team.to_str().ok());
    hash(bearer(headers).or(team).unwrap_or_default().as_bytes())
}

fn jwt(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-jwt-token")?.to_str().ok()
}

pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
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
    let is_refresh = request.uri().path() == REFRESH;
    if !is_refresh && !app.credentials.admits(request.headers()) {
        return ApiError::new(StatusCode::UNAUTHORIZED, "Invalid or missing API key")
            .into_response();
    }
    // Sent with an access token alone: an API key says its team.
    let team = request.headers().get("x-team-id");
    if jwt(request.headers()).is_some() && team.is_some_and(|team| team != identity::TEAM_ID) {
        return ApiError::team_not_found().into_response();
    }
    next.run(request).await
}
