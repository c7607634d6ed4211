//! The login behind a token.

use http::Method;
use secrecy::{ExposeSecret, SecretString};

use super::ApiRequest;
use crate::types::RefreshBody;

/// `POST /v1/auth/refresh`: the token itself is the credential, so no other is sent.
pub fn refresh_token(token: &SecretString) -> ApiRequest {
    let body = RefreshBody {
        refresh_token: token.expose_secret().to_owned(),
    };
    ApiRequest {
        anonymous: true,
        ..ApiRequest::new("refresh token", Method::POST, "/v1/auth/refresh").json(&body)
    }
}
