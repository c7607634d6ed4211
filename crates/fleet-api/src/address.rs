//! Addresses of services: which ones can be used, and which are on this machine.

use url::{Host, Url};

use crate::build_error::BuildError;

/// An address that requests can be sent below.
pub(crate) fn base_url(text: &str) -> Result<Url, BuildError> {
    let refuse = |url: &str, reason: &str| BuildError::BaseUrl {
        url: url.to_owned(),
        reason: reason.to_owned(),
    };
    let url = Url::parse(text.trim()).map_err(|error| refuse(text, &error.to_string()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("…", "it contains credentials"));
    }
    match url.scheme() {
        "http" | "https" => {}
        _ => return Err(refuse(text, "it must start with http:// or https://")),
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse(text, "it has a query or a fragment"));
    }
    Ok(url)
}

pub(crate) fn without_slash(base: &Url) -> String {
    base.as_str().trim_end_matches('/').to_owned()
}

/// Proxies are for the network: asking one for this machine would reach its own.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s20_this_machine_is_never_asked_through_a_proxy() {
        for (url, expected) in [
            ("http://127.0.0.1:1", true),
            ("http://127.64.0.1", true),
            ("http://[::1]:1", true),
            ("http://localhost", true),
            ("http://localhost.example.com", false),
            ("https://10.0.0.1", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }
}
