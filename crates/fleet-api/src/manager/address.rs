//! The addresses of an instance: its manager's, those of its other apps, and its MCP servers'.
//!
//! Pure: text in, addresses out.

use url::Url;

use crate::error::{Error, ErrorKind};

/// How every manager's address ends.
const MANAGER: [&str; 3] = ["api", "v1", "env"];

/// Where a manager is, and where the instance begins that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// The manager's own address, without a slash at the end.
    pub(super) manager: Url,
    /// The start of the instance, with a slash at the end; none when the manager's address does
    /// not tell.
    root: Option<Url>,
}

impl Address {
    /// `manager` as a service or a person names it; `root` where the instance is said to begin.
    pub(super) fn parse(manager: &str, root: Option<&str>) -> Result<Self, Error> {
        let mut manager = parse("address of the manager", manager)?;
        // `/env/` and `/env` are the same manager, and paths are appended to it.
        let path = manager.path().trim_end_matches('/').to_owned();
        manager.set_path(&path);
        let root = match root.map(str::trim).filter(|root| !root.is_empty()) {
            None => None,
            Some(root) => {
                let mut root = parse("address of the instance", root)?;
                if !root.path().ends_with('/') {
                    root.set_path(&format!("{}/", root.path()));
                }
                Some(root)
            }
        };
        // An instance that begins elsewhere than its manager says nothing about the manager.
        let is_inside = |root: &Url| {
            root.origin() == manager.origin() && manager.path().starts_with(root.path())
        };
        Ok(Self {
            root: root.filter(is_inside),
            manager,
        })
    }

    /// The manager of another app of the same instance: `{start of the instance}/{app}/api/v1/env`.
    ///
    /// Where nobody said where the instance begins, the last segment before `/api/v1/env` is taken
    /// for the name of this manager's own app, and what is before that for the instance's path.
    pub(super) fn of_app(&self, app: &str) -> Result<Self, Error> {
        let mut address = self.clone();
        let start = self.start()?;
        segments(&mut address.manager, &start, &[app], &MANAGER)?;
        Ok(address)
    }

    /// `{start of the instance}/{inner}`, for the instance's own servers.
    pub(super) fn below(&self, app: Option<&str>, path: &[&'static str]) -> Result<Url, Error> {
        let mut url = self.manager.clone();
        let app: Vec<&str> = app.into_iter().collect();
        segments(&mut url, &self.start()?, &app, path)?;
        Ok(url)
    }

    /// The segments of the instance's start.
    fn start(&self) -> Result<Vec<String>, Error> {
        let root = self.root.as_ref();
        if let Some(root) = root {
            return Ok(parts(root));
        }
        let mut own = parts(&self.manager);
        if own.len() < MANAGER.len() || own[own.len() - MANAGER.len()..] != MANAGER {
            return Err(refuse(
                "address of the manager",
                self.manager.as_str(),
                "does not end in /api/v1/env, so where its instance begins is not known",
            ));
        }
        own.truncate(own.len() - MANAGER.len());
        own.pop();
        Ok(own)
    }
}

fn parse(what: &'static str, text: &str) -> Result<Url, Error> {
    let mut url = Url::parse(text.trim())
        .map_err(|error| refuse(what, text, &format!("is none: {error}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse(what, "…", "contains credentials"));
    }
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refuse(what, text, "must start with http:// or https://"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse(what, text, "has a query or a fragment"));
    }
    // Two slashes in a row are the seam of "root + path", not an empty name.
    let path = format!("/{}", parts(&url).join("/"));
    let slash = if url.path().ends_with('/') && path != "/" {
        "/"
    } else {
        ""
    };
    url.set_path(&format!("{path}{slash}"));
    Ok(url)
}

/// The segments of a path as they stand in the address, empty ones left out.
fn parts(url: &Url) -> Vec<String> {
    url.path_segments()
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Gives `url` the path of `start` (already escaped), `names` (to be escaped) and `path`.
fn segments(url: &mut Url, start: &[String], names: &[&str], path: &[&str]) -> Result<(), Error> {
    let mut text = format!("/{}", start.join("/"));
    for name in names {
        text = format!("{}/{}", text.trim_end_matches('/'), segment("app", name)?);
    }
    for part in path {
        text = format!("{}/{part}", text.trim_end_matches('/'));
    }
    url.set_path(&text);
    Ok(())
}

/// A name as one segment of a path.
pub(super) fn segment(what: &'static str, name: &str) -> Result<String, Error> {
    let wrong = match name {
        "" => Some("is empty"),
        "." | ".." => Some("is no name"),
        _ if name.len() > crate::types::MAX_ID_BYTES => Some("is too long"),
        _ if name.contains('/') || name.chars().any(char::is_control) => {
            Some("has characters that no name has")
        }
        _ => None,
    };
    if let Some(wrong) = wrong {
        return Err(refuse(what, name, wrong));
    }
    let mut scratch = Url::parse("http://x/").expect("a constant address");
    scratch
        .path_segments_mut()
        .expect("http addresses have segments")
        .pop_if_empty()
        .push(name);
    Ok(scratch.path().trim_start_matches('/').to_owned())
}

fn refuse(what: &'static str, value: &str, reason: &str) -> Error {
    let kind = ErrorKind::InvalidValue {
        what,
        value: value.to_owned(),
        reason: reason.to_owned(),
    };
    Error::new("address instance", kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(manager: &str, root: Option<&str>, name: &str) -> String {
        let address = Address::parse(manager, root).unwrap();
        String::from(address.of_app(name).unwrap().manager)
    }

    #[test]
    fn every_layout_that_services_use_leads_to_the_other_app() {
        for (manager, root, expected) in [
            ("https://h/api/v1/env", None, "https://h/mail/api/v1/env"),
            (
                "https://h/web/api/v1/env",
                None,
                "https://h/mail/api/v1/env",
            ),
            (
                "http://127.0.0.1:8899/api/v1/env",
                None,
                "http://127.0.0.1:8899/mail/api/v1/env",
            ),
            (
                "http://127.64.0.1:8899/web/api/v1/env",
                None,
                "http://127.64.0.1:8899/mail/api/v1/env",
            ),
            (
                "http://127.0.0.1:8899/i/a1b2c3d4/web/api/v1/env",
                None,
                "http://127.0.0.1:8899/i/a1b2c3d4/mail/api/v1/env",
            ),
            // What the path alone cannot tell, the record of the instance does.
            (
                "http://127.0.0.1:8899/i/a1b2c3d4/api/v1/env",
                Some("http://127.0.0.1:8899/i/a1b2c3d4/"),
                "http://127.0.0.1:8899/i/a1b2c3d4/mail/api/v1/env",
            ),
            (
                "http://127.0.0.1:8899/i/a1b2c3d4/web/api/v1/env/",
                Some("http://127.0.0.1:8899/i/a1b2c3d4"),
                "http://127.0.0.1:8899/i/a1b2c3d4/mail/api/v1/env",
            ),
            (
                "https://h//api/v1/env",
                Some("https://h/"),
                "https://h/mail/api/v1/env",
            ),
            // A start at another host is not this manager's.
            (
                "http://127.0.0.1:1/web/api/v1/env",
                Some("http://127.0.0.1:2/i/x/"),
                "http://127.0.0.1:1/mail/api/v1/env",
            ),
        ] {
            assert_eq!(app(manager, root, "mail"), expected, "{manager} {root:?}");
        }
    }

    #[test]
    fn an_app_of_an_app_is_its_sibling() {
        let address = Address::parse("http://h/i/a1/web/api/v1/env", None).unwrap();
        let twice = address.of_app("mail").unwrap().of_app("web").unwrap();
        assert_eq!(twice, address);
    }

    #[test]
    fn mcp_addresses_stand_below_the_instance() {
        let address = Address::parse("http://h:1/api/v1/env", Some("http://h:1/")).unwrap();
        let url = |app, path: &[&'static str]| String::from(address.below(app, path).unwrap());
        assert_eq!(url(None, &["mcp"]), "http://h:1/mcp");
        assert_eq!(url(None, &["api", "v1", "mcp"]), "http://h:1/api/v1/mcp");
        assert_eq!(url(Some("mail"), &["mcp"]), "http://h:1/mail/mcp");
    }

    #[test]
    fn names_that_would_leave_their_place_are_refused() {
        let address = Address::parse("http://h/api/v1/env", None).unwrap();
        for name in ["", ".", "..", "a/b", "a\nb", &"x".repeat(5000)] {
            assert!(address.of_app(name).is_err(), "{name:?}");
        }
        assert_eq!(
            app("http://h/api/v1/env", None, "ä b?#"),
            "http://h/%C3%A4%20b%3F%23/api/v1/env"
        );
        for manager in [
            "",
            "h/api/v1/env",
            "ftp://h/",
            "http://h/?x",
            "http://u:p@h/",
        ] {
            let error = Address::parse(manager, None).unwrap_err();
            assert!(!error.to_string().contains("u:p"), "{error}");
        }
        let odd = Address::parse("http://h/manager", None).unwrap();
        assert!(odd.of_app("mail").is_err());
    }
}
