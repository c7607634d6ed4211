//! When a token expires. Nothing is verified here: the service does that, and only it can.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;

/// A token is refreshed when it has less than this left, so that it does not expire on the way.
const MARGIN: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
struct Claims {
    exp: f64,
}

/// Whether `token` has expired, or will within the minute. One that is not a JWT counts as expired.
pub(super) fn is_stale(token: &str, now: Timestamp) -> bool {
    expires_in(token, now).is_none_or(|seconds| seconds < MARGIN.as_secs_f64())
}

/// Whether `token` can still be used, if nothing better is to be had.
pub(super) fn is_alive(token: &str, now: Timestamp) -> bool {
    expires_in(token, now).is_some_and(|seconds| seconds > 0.0)
}

fn expires_in(token: &str, now: Timestamp) -> Option<f64> {
    let payload = token.split('.').nth(1)?.trim_end_matches('=');
    let bytes = URL_SAFE_NO_PAD.decode(payload).ok()?;
    let claims: Claims = serde_json::from_slice(&bytes).ok()?;
    Some(claims.exp - now.as_millisecond() as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn a_token_is_stale_a_minute_before_it_dies() {
        let now = Timestamp::from_second(1_000).unwrap();
        for (exp, stale, alive) in [
            (1_061, false, true),
            (1_059, true, true),
            (999, true, false),
        ] {
            let token = token(&format!("{{\"exp\": {exp}}}"));
            assert_eq!(
                (is_stale(&token, now), is_alive(&token, now)),
                (stale, alive),
                "{exp}"
            );
        }
    }

    #[test]
    fn what_is_no_token_counts_as_expired() {
        let now = Timestamp::from_second(0).unwrap();
        for text in ["", "abc", "a.b.c", "a.e30.c", &token("{\"exp\": \"soon\"}")] {
            assert!(is_stale(text, now) && !is_alive(text, now), "{text}");
        }
    }
}
