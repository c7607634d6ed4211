//! Which service is asked, and as whom: what the official SDK would choose.

use fleet_api::{Credentials, DEFAULT_BASE_URL, Login, RateLimits, SecretString};

use super::failed::API_KEY;
use crate::failure::Failure;
use crate::service::Service;

/// The service at `endpoint`, else the hosted one; with `FLEET_API_KEY`, else with the login of `flt login`.
pub(crate) fn by_environment(endpoint: Option<&str>) -> Result<Service, Failure> {
    let url = endpoint.unwrap_or(DEFAULT_BASE_URL);
    let key = std::env::var(API_KEY).unwrap_or_default();
    Service::remote_as(
        url,
        credentials(url, &key, Login::in_home())?,
        RateLimits::default(),
    )
}

fn credentials(url: &str, key: &str, login: Option<Login>) -> Result<Credentials, Failure> {
    if !key.trim().is_empty() {
        return Ok(Credentials::ApiKey(key.to_owned().into()));
    }
    if !Login::is_for(url) {
        // A server without a key takes any; the header must have something in it.
        return Ok(Credentials::ApiKey(SecretString::from("none".to_owned())));
    }
    match login.filter(Login::exists) {
        Some(login) => Ok(Credentials::Login(login)),
        None => Err(Failure::usage(format!(
            "error: {API_KEY} is not set, and there is no login of `flt login`"
        ))
        .hint("set it, or name another service with --endpoint (`harness local` serves one here)")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_wins_over_a_login_and_without_either_the_hosted_service_is_not_asked() {
        let file = tempfile::NamedTempFile::new().map(tempfile::NamedTempFile::into_temp_path);
        let login = || file.as_ref().ok().map(Login::at);
        let kind = |url: &str, key: &str, login| credentials(url, key, login).ok();
        let hosted = DEFAULT_BASE_URL;
        assert!(matches!(
            kind(hosted, "k", login()),
            Some(Credentials::ApiKey(_))
        ));
        assert!(matches!(
            kind(hosted, " ", login()),
            Some(Credentials::Login(_))
        ));
        assert!(kind(hosted, "", None).is_none());
        assert!(matches!(
            kind("http://127.0.0.1:1", "", login()),
            Some(Credentials::ApiKey(_))
        ));
    }
}
