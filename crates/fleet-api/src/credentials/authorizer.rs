//! The headers that name the caller, for each attempt of a request. A login's token is refreshed on the way.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tracing::{debug, warn};

use super::login::{Login, Stored};
use super::{Credentials, jwt};
use crate::build_error::BuildError;
use crate::error::ErrorKind;
use crate::request;
use crate::secrets::Secrets;
use crate::text::{excerpt, one_line};
use crate::transport::{Stamp, Transport};
use crate::types::{RefreshResponse, RequestId};

const TOKEN: HeaderName = HeaderName::from_static("x-jwt-token");
const TEAM: HeaderName = HeaderName::from_static("x-team-id");

/// A refresh is one small request; the call that needs it waits no longer.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(10);

/// Makes the headers that name the caller.
#[derive(Debug)]
pub(crate) enum Authorizer {
    /// Always the same ones.
    Fixed(HeaderMap),
    /// Those of a login.
    Login(Box<LoggedIn>),
}

#[derive(Debug)]
pub(crate) struct LoggedIn {
    login: Login,
    /// Where tokens are refreshed.
    base: String,
    /// Held over a refresh: a refresh token may be good for one use only.
    refreshing: Mutex<()>,
    warned: AtomicBool,
}

impl Authorizer {
    /// Checks what can be checked without reading a file or asking anybody.
    pub(crate) fn new(credentials: &Credentials, auth_base: String) -> Result<Self, BuildError> {
        Ok(match credentials {
            Credentials::ApiKey(key) => {
                let value = format!("Bearer {}", key.expose_secret().trim());
                let reason = reason_against(key.expose_secret());
                let reason = reason.map(|reason| BuildError::ApiKey { reason });
                reason.map_or(Ok(()), Err)?;
                let mut headers = HeaderMap::new();
                headers.insert(AUTHORIZATION, secret(&value));
                Self::Fixed(headers)
            }
            Credentials::Jwt { token, team_id } => {
                let headers = pair(token, team_id.as_str());
                Self::Fixed(headers.map_err(|reason| BuildError::Token { reason })?)
            }
            Credentials::Login(login) => Self::Login(Box::new(LoggedIn {
                login: login.clone(),
                base: auth_base,
                refreshing: Mutex::new(()),
                warned: AtomicBool::new(false),
            })),
        })
    }

    /// The headers for an attempt that is sent now.
    pub(crate) async fn headers(
        &self,
        transport: &Transport,
        secrets: &Secrets,
        deadline: Instant,
    ) -> Result<HeaderMap, ErrorKind> {
        match self {
            Self::Fixed(headers) => Ok(headers.clone()),
            Self::Login(logged_in) => {
                let stored = logged_in.valid(transport, secrets, deadline).await?;
                pair(&stored.access_token, &stored.team_id).map_err(|reason| {
                    logged_in.useless(&format!("its token cannot be used: {reason}"))
                })
            }
        }
    }
}

impl LoggedIn {
    /// The stored token, refreshed if it expires within the minute.
    async fn valid(
        &self,
        transport: &Transport,
        secrets: &Secrets,
        deadline: Instant,
    ) -> Result<Stored, ErrorKind> {
        let stored = self.read(secrets).await?;
        if !is_stale(&stored) {
            return Ok(stored);
        }
        let _one_at_a_time = self.refreshing.lock().await;
        // Whoever held the lock, or another process, may have done it meanwhile.
        let stored = self.read(secrets).await?;
        if !is_stale(&stored) {
            return Ok(stored);
        }
        match self.refresh(&stored, transport, secrets, deadline).await {
            Ok(refreshed) => Ok(refreshed),
            Err(problem) => {
                let stored = self.read(secrets).await?;
                if jwt::is_alive(stored.access_token.expose_secret(), Timestamp::now()) {
                    debug!("a token that could not be refreshed is used to its end");
                    return Ok(stored);
                }
                Err(problem)
            }
        }
    }

    async fn refresh(
        &self,
        stored: &Stored,
        transport: &Transport,
        secrets: &Secrets,
        deadline: Instant,
    ) -> Result<Stored, ErrorKind> {
        let Some(refresh_token) = &stored.refresh_token else {
            return Err(self.useless("its token has expired and it has none to refresh it by"));
        };
        let request = request::refresh_token(refresh_token);
        let stamp = Stamp::account(Some(RequestId::new()));
        let deadline = deadline.min(Instant::now() + REFRESH_TIMEOUT);
        let nobody = HeaderMap::new();
        let sent = transport.send(&request, &self.base, &nobody, &stamp, deadline);
        let answer = sent.await.map_err(|failure| failure.kind)?;
        if !(200..300).contains(&answer.status) {
            let text = secrets.mask(&String::from_utf8_lossy(&answer.body));
            if answer.status >= 500 || answer.status == 429 {
                let (status, excerpt) = (answer.status, excerpt(&text));
                return Err(ErrorKind::Api { status, excerpt });
            }
            let said = one_line(&excerpt(&text));
            let status = answer.status;
            return Err(self.useless(&format!("it was not refreshed: {status} {said}")));
        }
        let answer: RefreshResponse = serde_json::from_slice(&answer.body)
            .map_err(|_| self.useless("the answer to its refresh has no access_token"))?;
        if answer.access_token.trim().is_empty() {
            return Err(self.useless("the answer to its refresh has no access_token"));
        }
        secrets.learn(&answer.access_token);
        answer
            .refresh_token
            .iter()
            .for_each(|token| secrets.learn(token));
        let refresh_token = answer.refresh_token.map(SecretString::from);
        let stored = stored
            .clone()
            .refreshed(&answer.access_token.into(), refresh_token.as_ref());
        self.write(stored).await
    }

    async fn read(&self, secrets: &Secrets) -> Result<Stored, ErrorKind> {
        let login = self.login.clone();
        let (read, is_open) = blocking(move || (login.read(), login.is_open_to_others())).await;
        let stored = read.map_err(|reason| self.useless(&reason))?;
        if is_open && !self.warned.swap(true, Ordering::Relaxed) {
            let path = self.login.path().display();
            warn!("others can read {path}; `chmod 600` it");
        }
        secrets.learn(stored.access_token.expose_secret());
        if let Some(token) = &stored.refresh_token {
            secrets.learn(token.expose_secret());
        }
        Ok(stored)
    }

    /// Stores what a refresh gave. The token is good even if it cannot be stored; the next process then has to log in
    /// again, so somebody must hear of it.
    async fn write(&self, stored: Stored) -> Result<Stored, ErrorKind> {
        let (login, written) = (self.login.clone(), stored.clone());
        if let Err(error) = blocking(move || login.write(&written)).await {
            let path = self.login.path().display();
            warn!("the refreshed login could not be stored in {path}: {error}");
        }
        Ok(stored)
    }

    fn useless(&self, reason: &str) -> ErrorKind {
        let path = self.login.path().display();
        ErrorKind::Credentials {
            message: format!(
                "the login in {path} cannot be used: {reason}; run `flt login` again, or set FLEET_API_KEY"
            ),
        }
    }
}

fn is_stale(stored: &Stored) -> bool {
    jwt::is_stale(stored.access_token.expose_secret(), Timestamp::now())
}

/// Files are read off the runtime's threads: home folders may be far away.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Blocking work is only cancelled with the runtime, and this future with it.
            Err(_) => std::future::pending().await,
        },
    }
}

fn pair(token: &SecretString, team_id: &str) -> Result<HeaderMap, &'static str> {
    let token = token.expose_secret();
    if let Some(reason) = reason_against(token).or(reason_against(team_id)) {
        return Err(reason);
    }
    let mut headers = HeaderMap::new();
    headers.insert(TOKEN, secret(token.trim()));
    let team = HeaderValue::from_str(team_id.trim());
    headers.insert(TEAM, team.map_err(|_| "its team id cannot be sent")?);
    Ok(headers)
}

/// Why a credential cannot be sent; never the credential.
pub(crate) fn reason_against(secret: &str) -> Option<&'static str> {
    let secret = secret.trim();
    if secret.is_empty() {
        return Some("it is empty");
    }
    let can_be_sent = HeaderValue::from_str(secret).is_ok();
    (!can_be_sent).then_some("it contains a line break or another control character")
}

/// A value that no log shows. Only called with what [`reason_against`] has nothing against.
fn secret(text: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(text).expect("it was looked at before");
    value.set_sensitive(true);
    value
}
