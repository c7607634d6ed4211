//! Which headers go through the gateway, and how they are changed.

use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};

/// Headers that speak of one connection and not of the message (RFC 9110 §7.6.1), and those that a
/// proxy sets anew.
const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// Headers of a request as its app gets them.
///
/// `Host` stays what the client meant. Apps compare it with `Origin` before they let a page open a WebSocket or send
/// a form, and make the addresses of it that they redirect to; with a name of their own they would refuse the one
/// and lead away from the instance's address with the other.
pub(super) fn of_request(headers: &HeaderMap, uri: &Uri, prefix: Option<&str>) -> HeaderMap {
    let mut kept = end_to_end(headers);
    let named = uri
        .authority()
        .and_then(|named| named.as_str().parse().ok());
    if let Some(host) = named.or_else(|| kept.get(header::HOST).cloned()) {
        kept.insert(FORWARDED_HOST, host.clone());
        kept.insert(header::HOST, host);
    }
    kept.insert(FORWARDED_PROTO, HeaderValue::from_static("http"));
    kept.remove(FORWARDED_PREFIX);
    if let Some(prefix) = prefix.and_then(|prefix| prefix.parse().ok()) {
        kept.insert(FORWARDED_PREFIX, prefix);
    }
    kept
}

/// Headers of an app's answer as the client gets them.
pub(super) fn of_answer(
    headers: &HeaderMap,
    host: Option<&HeaderValue>,
    prefix: Option<&str>,
) -> HeaderMap {
    let mut kept = end_to_end(headers);
    // Beside an encoding a length says nothing (RFC 9112 §6.3), but written before pieces of another length it would break the answer.
    if headers.contains_key(header::TRANSFER_ENCODING) {
        kept.remove(header::CONTENT_LENGTH);
    }
    if let (Some(place), Some(prefix)) = (kept.get(header::LOCATION), prefix)
        && let Some(place) = below_prefix(place, host, prefix)
    {
        kept.insert(header::LOCATION, place);
    }
    kept
}

/// Where a redirect leads if its app does not know of the prefix at which it is reached. None: it stays as it is.
fn below_prefix(
    place: &HeaderValue,
    host: Option<&HeaderValue>,
    prefix: &str,
) -> Option<HeaderValue> {
    let place = place.to_str().ok()?;
    let own = host.and_then(|host| {
        place
            .strip_prefix("http://")?
            .strip_prefix(host.to_str().ok()?)
    });
    let path = own.unwrap_or(place);
    let elsewhere = !path.starts_with('/') || path.starts_with("//");
    let knows = path
        .strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']));
    if elsewhere || knows {
        return None;
    }
    format!("{prefix}{path}").parse().ok()
}

/// The elements of a header that is a list, whole and in order; those that are no text are left out.
pub(super) fn elements(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let mut kept = headers.clone();
    // Names listed in `Connection` are hop-by-hop as well.
    for name in elements(headers, header::CONNECTION) {
        kept.remove(name);
    }
    for name in HOP_BY_HOP {
        kept.remove(name);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn headers_of_the_connection_stay_on_it() {
        let sent = headers(&[
            ("connection", "close, X-Mine"),
            ("x-mine", "1"),
            ("x-yours", "1"),
            ("transfer-encoding", "chunked"),
            ("proxy-connection", "keep-alive"),
        ]);
        assert_eq!(end_to_end(&sent).keys().collect::<Vec<_>>(), ["x-yours"]);
    }

    #[test]
    fn an_app_sees_the_host_that_the_client_meant() {
        let sent = headers(&[
            ("host", "a.localhost:1"),
            ("origin", "http://a.localhost:1"),
            ("x-forwarded-host", "spoofed"),
            ("x-forwarded-prefix", "/spoofed"),
        ]);
        let got = of_request(&sent, &Uri::from_static("/"), None);
        assert_eq!(got["host"], "a.localhost:1");
        assert_eq!(got["origin"], "http://a.localhost:1");
        assert_eq!(got["x-forwarded-host"], "a.localhost:1");
        assert!(!got.contains_key("x-forwarded-prefix"));
        // The absolute form of a request outweighs its header (RFC 9112 §3.2.2).
        let got = of_request(
            &sent,
            &Uri::from_static("http://127.0.0.1:2/"),
            Some("/mail"),
        );
        assert_eq!(got["host"], "127.0.0.1:2");
        assert_eq!(got["x-forwarded-prefix"], "/mail");
    }

    #[test]
    fn a_redirect_stays_within_its_app() {
        let host = HeaderValue::from_static("127.0.0.1:5");
        let check = |place: &str, prefix| {
            let answer = headers(&[("location", place)]);
            let kept = of_answer(&answer, Some(&host), prefix);
            kept["location"].to_str().unwrap().to_owned()
        };
        for (place, expected) in [
            ("/in?a=b", "/mail/in?a=b"),
            ("http://127.0.0.1:5/in", "/mail/in"),
            ("/mail/in", "/mail/in"),
            ("/mailbox", "/mail/mailbox"),
            ("in", "in"),
            ("//other.example/in", "//other.example/in"),
            ("http://127.0.0.1:50/in", "http://127.0.0.1:50/in"),
            ("https://other.example/in", "https://other.example/in"),
        ] {
            assert_eq!(check(place, Some("/mail")), expected, "{place}");
            assert_eq!(check(place, None), place);
        }
    }

    #[test]
    fn a_length_beside_an_encoding_is_left_out() {
        let answer = headers(&[("content-length", "3"), ("transfer-encoding", "chunked")]);
        assert_eq!(of_answer(&answer, None, None), HeaderMap::new());
        let answer = headers(&[("content-length", "3")]);
        assert_eq!(of_answer(&answer, None, None)["content-length"], "3");
    }
}
