//! The runner token: what the managers of hosted instances ask for in place of the API key.
//!
//! One for all instances of a client, fetched when the first manager call needs it.

use std::env;
use std::fmt;
use std::time::Duration;

use http::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tracing::debug;
use url::{Host, Url};

use crate::attempts::decode_json;
use crate::call::Call;
use crate::client::Client;
use crate::error::Error;
use crate::request::ApiRequest;
use crate::transport::Stamp;

/// Where the token comes from when nobody gave one to the client.
const VARIABLE: &str = "RUNNER_AUTH_TOKEN";

/// How long the service may take to answer.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a failure that may pass (a timeout, an overload) stands in for an answer. Short enough
/// that one bad moment does not lock a night's run out of every instance, long enough that a
/// service in trouble is not asked before each call.
const FAILURE_LASTS: Duration = Duration::from_secs(60);

/// The domain under which Fleet's own service and the instances it names are.
const FLEET_DOMAIN: &str = "fleetai.com";

/// The token of one client.
pub(crate) struct RunnerToken {
    given: Option<SecretString>,
    found: Mutex<Found>,
}

#[derive(Clone)]
enum Found {
    /// Nobody has asked.
    Nothing,
    /// The service's answer, which is "none" where it has no such gate.
    Answer(Option<HeaderValue>),
    /// Asked without success; to be asked again at that time.
    Later(Instant),
}

impl RunnerToken {
    pub(crate) fn new(given: Option<SecretString>) -> Self {
        let from_variable = || env::var(VARIABLE).ok().map(SecretString::from);
        Self {
            given: given.or_else(from_variable),
            found: Mutex::new(Found::Nothing),
        }
    }
}

impl fmt::Debug for RunnerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunnerToken").finish_non_exhaustive()
    }
}

/// The header's value for a call to `manager`; none where there is no token or it is not for that
/// host. Takes ten seconds at most, and no longer than `call` has left.
pub(super) async fn token_for(client: &Client, manager: &Url, call: &Call) -> Option<HeaderValue> {
    if !is_at_home(client.base_url(), manager) {
        return None;
    }
    let runner_token = &client.shared().runner_token;
    if let Some(given) = runner_token.given.as_ref().and_then(header_value) {
        return Some(given);
    }
    // Held while the service is asked: a hundred first calls at once ask it once.
    let mut found = runner_token.found.lock().await;
    match &*found {
        Found::Answer(token) => return token.clone(),
        Found::Later(when) if Instant::now() < *when => return None,
        Found::Later(_) | Found::Nothing => {}
    }
    *found = match fetch(client, call).await {
        Ok(answer) => Found::Answer(read(&answer)),
        Err(error) if error.is_retryable() => Found::Later(Instant::now() + FAILURE_LASTS),
        Err(error) => {
            debug!("no runner token: {error}");
            Found::Answer(None)
        }
    };
    match &*found {
        Found::Answer(token) => token.clone(),
        Found::Later(_) | Found::Nothing => None,
    }
}

/// Asks once, as the official client does, and without a request id, which is for what is repeated.
async fn fetch(client: &Client, call: &Call) -> Result<Value, Error> {
    let begun = Instant::now();
    let once = Call {
        begun,
        deadline: begun + FETCH_TIMEOUT.min(call.remaining()),
        attempt: FETCH_TIMEOUT,
        attempts: 1,
    };
    let request = ApiRequest::get("get runner token", "/v1/runner-auth/token");
    client
        .run_as(
            client.base_url(),
            &request,
            once,
            &Stamp::account(None),
            decode_json,
        )
        .await
}

fn read(answer: &Value) -> Option<HeaderValue> {
    header_value(&SecretString::from(answer.get("token")?.as_str()?))
}

/// The token as a header; a blank one, or one that cannot be sent, is none.
pub(super) fn header_value(token: &SecretString) -> Option<HeaderValue> {
    let token = token.expose_secret().trim();
    if token.is_empty() {
        return None;
    }
    let mut value = HeaderValue::from_str(token).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Whether the token of the service at `base` may be shown to `manager`: the same host or one below
/// it, two hosts of Fleet's own domain, or two addresses of this machine; and never unencrypted to
/// another machine when the service itself is reached encrypted.
fn is_at_home(base: &str, manager: &Url) -> bool {
    let Ok(base) = Url::parse(base) else {
        return false;
    };
    let (Some(ours), Some(theirs)) = (base.host(), manager.host()) else {
        return false;
    };
    if is_loopback(&ours) && is_loopback(&theirs) {
        return true;
    }
    if base.scheme() == "https" && manager.scheme() != "https" {
        return false;
    }
    match (&ours, &theirs) {
        (Host::Domain(ours), Host::Domain(theirs)) => {
            is_within(theirs, ours)
                || is_within(ours, FLEET_DOMAIN) && is_within(theirs, FLEET_DOMAIN)
        }
        _ => ours == theirs,
    }
}

fn is_within(host: &str, domain: &str) -> bool {
    host == domain
        || host
            .strip_suffix(domain)
            .is_some_and(|rest| rest.ends_with('.'))
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
        Host::Domain(name) => is_within(name, "localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_to_its_service_s_instances_and_nowhere_else() {
        for (base, manager, expected) in [
            (
                "https://orchestrator.fleetai.com",
                "https://a1b2.env.us-west-1.fleetai.com/api/v1/env",
                true,
            ),
            (
                "https://orchestrator.fleetai.com",
                "http://a1b2.env.us-west-1.fleetai.com/api/v1/env",
                false,
            ),
            (
                "https://orchestrator.fleetai.com",
                "https://fleetai.com.example.org/",
                false,
            ),
            (
                "https://orchestrator.fleetai.com",
                "https://notfleetai.com/",
                false,
            ),
            (
                "https://orchestrator.fleetai.com",
                "http://127.0.0.1:1/",
                false,
            ),
            (
                "https://fleet.example.co.uk",
                "https://other.example.co.uk/",
                false,
            ),
            (
                "https://fleet.example.co.uk",
                "https://a1.fleet.example.co.uk/",
                true,
            ),
            ("http://127.0.0.1:8899", "http://127.64.0.7:8899/", true),
            ("http://localhost:8899", "http://127.0.0.1:1/", true),
            ("http://127.0.0.1:8899", "https://example.org/", false),
            ("http://10.0.0.5:80", "http://10.0.0.5:9/", true),
            ("http://10.0.0.5:80", "http://10.0.0.6:80/", false),
        ] {
            let manager = Url::parse(manager).unwrap();
            assert_eq!(is_at_home(base, &manager), expected, "{base} {manager}");
        }
    }

    #[test]
    fn a_token_that_cannot_be_sent_is_none_and_none_is_shown() {
        for token in ["", "  ", "a\nb"] {
            assert!(header_value(&token.into()).is_none(), "{token:?}");
        }
        let value = header_value(&" hunter2 ".into()).unwrap();
        assert_eq!(value, "hunter2");
        let shown = format!("{value:?} {:?}", RunnerToken::new(Some("hunter2".into())));
        assert!(!shown.contains("hunter2"));
    }
}
