//! Credentials of a browser login: the refresh of an access token, and what such a token says.
//!
//! Tokens have the form of a JWT, because the official client reads their end from it. They are signed with the server's key
//! and remembered nowhere, so they hold over restarts.

use axum::extract::State;
use axum::response::Json;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::body::Body;
use super::error::ApiError;
use super::state::App;
use crate::identity;

/// Seconds that an access token holds. The client refreshes it a minute before.
const HOLDS: i64 = 3600;

#[derive(Deserialize)]
struct Refresh {
    refresh_token: String,
}

/// The refresh token of a server with a key is that key; a server without one takes any.
pub(super) async fn refresh(State(app): State<App>, body: Body) -> Result<Json<Value>, ApiError> {
    let Refresh { refresh_token } = body.json()?;
    if refresh_token.is_empty() || !app.credentials.is_key(&refresh_token) {
        let text = "Invalid refresh token";
        return Err(ApiError::new(StatusCode::UNAUTHORIZED, text));
    }
    // Of the wall, not of leases: other programs read it.
    let end = jiff::Timestamp::now().as_second() + HOLDS;
    let token = issue(&app.credentials.signing_key(), end);
    Ok(Json(json!({
        "access_token": token,
        "refresh_token": refresh_token,
        "team_id": identity::TEAM_ID,
        "team_name": identity::TEAM_NAME,
        "expires_at": end,
    })))
}

fn issue(key: &[u8; 32], end: i64) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let head = part(json!({"alg": "local", "typ": "JWT"}));
    let claims = json!({"sub": identity::PROFILE_ID, "team_id": identity::TEAM_ID, "exp": end});
    let signed = format!("{head}.{}", part(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(key, &signed));
    format!("{signed}.{signature}")
}

/// Whether the server made the token and it has not ended.
pub(super) fn holds(key: &[u8; 32], token: &str, now: i64) -> bool {
    let Some((signed, signature)) = token.rsplit_once('.') else {
        return false;
    };
    // Hashes of both are compared, so the time of the comparison says nothing about the right one.
    let right = URL_SAFE_NO_PAD.encode(sign(key, signed));
    if Sha256::digest(signature) != Sha256::digest(right) {
        return false;
    }
    let end = || {
        let claims = URL_SAFE_NO_PAD.decode(signed.split_once('.')?.1).ok()?;
        let claims: Value = serde_json::from_slice(&claims).ok()?;
        claims.get("exp")?.as_i64()
    };
    end().is_some_and(|end| now < end)
}

/// Hashed twice with the key in front: the outer hash keeps anybody from adding to what the inner one signed.
fn sign(key: &[u8; 32], text: &str) -> [u8; 32] {
    let inner = Sha256::new()
        .chain_update(key)
        .chain_update(text)
        .finalize();
    Sha256::new()
        .chain_update(key)
        .chain_update(inner)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_holds_until_its_end_and_only_as_it_was_made() {
        let token = issue(&[1; 32], 1000);
        assert!(holds(&[1; 32], &token, 999));
        assert!(!holds(&[1; 32], &token, 1000));
        assert!(!holds(&[2; 32], &token, 999));
        let (head, _) = token.split_once('.').unwrap();
        let forged = URL_SAFE_NO_PAD.encode(r#"{"exp": 99999}"#);
        let signature = token.rsplit_once('.').unwrap().1;
        assert!(!holds(
            &[1; 32],
            &format!("{head}.{forged}.{signature}"),
            999
        ));
        assert!(!holds(&[1; 32], "no token", 0));
    }
}
