//! Which app gets a path.

use crate::package::AppManifest;

/// An app as the gateway sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Upstream {
    pub(super) name: String,
    pub(super) port: u16,
    /// Where its MCP endpoint is, if it says so.
    pub(super) mcp: Option<String>,
    /// Where its MCP endpoint for computer use is.
    pub(super) computer_mcp: Option<String>,
}

impl Upstream {
    pub(super) fn new(name: &str, app: &AppManifest, port: u16) -> Self {
        Self {
            name: name.to_owned(),
            port,
            mcp: app.mcp.clone(),
            computer_mcp: app.computer_mcp.clone(),
        }
    }
}

/// Where a request goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Route<'a> {
    pub(super) app: &'a Upstream,
    /// Path and query as the app sees them.
    pub(super) target: String,
    /// The prefix that was taken off.
    pub(super) prefix: Option<String>,
}

impl<'a> Route<'a> {
    fn unchanged(app: &'a Upstream, path: &str) -> Self {
        Self {
            app,
            target: path.to_owned(),
            prefix: None,
        }
    }
}

/// Sends a path to the app that claims it, or to the first one. `apps` is never empty.
pub(super) fn route<'a>(apps: &'a [Upstream], has_computer: bool, path: &str) -> Route<'a> {
    let main = &apps[0];
    if let Some(rest) = below(path, "/mcp") {
        let app = apps.iter().find(|app| app.mcp.is_some()).unwrap_or(main);
        return mcp(app, app.mcp.as_deref(), rest, None)
            .unwrap_or_else(|| Route::unchanged(app, path));
    }
    if let Some(rest) = below(path, "/api/v1/mcp").filter(|_| has_computer) {
        let found = apps.iter().find_map(|app| {
            let declared = app.computer_mcp.as_deref()?;
            mcp(app, Some(declared), rest, None)
        });
        return found.unwrap_or_else(|| Route::unchanged(main, path));
    }
    for (index, app) in apps.iter().enumerate() {
        let prefix = format!("/{}", app.name);
        let Some(rest) = below(path, &prefix) else {
            continue;
        };
        if let Some(tail) = below(rest, "/mcp") {
            return mcp(app, app.mcp.as_deref().or(Some("/mcp")), tail, Some(prefix))
                .unwrap_or_else(|| Route::unchanged(app, path));
        }
        // The first app has the whole address, so a path with its own name is a path like any other.
        if index > 0 {
            let target = if rest.starts_with('/') {
                rest.to_owned()
            } else {
                format!("/{rest}")
            };
            return Route {
                app,
                target,
                prefix: Some(prefix),
            };
        }
    }
    Route::unchanged(main, path)
}

/// The app whose manager a path asks for. The managers that there are have routes of their own, so where this is asked there is no such app.
pub(super) fn manager_of(path: &str) -> Option<&str> {
    let (name, rest) = path.strip_prefix('/')?.split_once('/')?;
    below(rest, "api/v1/env").map(|_| name)
}

/// To an MCP endpoint at its declared path. A slash at the end does not matter: agents write `…/mcp` and `…/mcp/`.
fn mcp<'a>(
    app: &'a Upstream,
    declared: Option<&str>,
    rest: &str,
    prefix: Option<String>,
) -> Option<Route<'a>> {
    let declared = declared?;
    let target = match rest.strip_prefix('/') {
        Some(below) if below.is_empty() || below.starts_with('?') => format!("{declared}{below}"),
        Some(below) => format!("{}/{below}", declared.trim_end_matches('/')),
        None => format!("{declared}{rest}"),
    };
    Some(Route {
        app,
        target,
        prefix,
    })
}

/// What follows `prefix`, if `path` is that path or one below it.
fn below<'p>(path: &'p str, prefix: &str) -> Option<&'p str> {
    path.strip_prefix(prefix)
        .filter(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_to_a_manager_names_its_app() {
        assert_eq!(manager_of("/calendar/api/v1/env"), Some("calendar"));
        assert_eq!(
            manager_of("/calendar/api/v1/env/resources?a"),
            Some("calendar")
        );
        for path in [
            "/",
            "/calendar",
            "/api/v1/env",
            "/a/b/api/v1/env",
            "/a/api/v1/environment",
        ] {
            assert_eq!(manager_of(path), None, "{path}");
        }
    }

    fn app(name: &str, port: u16, mcp: Option<&str>) -> Upstream {
        Upstream {
            name: name.to_owned(),
            port,
            mcp: mcp.map(str::to_owned),
            computer_mcp: (name == "screen").then(|| "/computer".to_owned()),
        }
    }

    fn check(apps: &[Upstream], path: &str) -> (u16, String, Option<String>) {
        let route = route(apps, true, path);
        (route.app.port, route.target, route.prefix)
    }

    fn to(port: u16, target: &str, prefix: Option<&str>) -> (u16, String, Option<String>) {
        (port, target.to_owned(), prefix.map(str::to_owned))
    }

    #[test]
    fn paths_go_to_the_app_that_claims_them() {
        let apps = [app("web", 1, None), app("mail", 2, None)];
        for (path, expected) in [
            ("/", to(1, "/", None)),
            ("/web/x", to(1, "/web/x", None)),
            ("/mail", to(2, "/", Some("/mail"))),
            ("/mail/in?a=b", to(2, "/in?a=b", Some("/mail"))),
            ("/mail?a=b", to(2, "/?a=b", Some("/mail"))),
            ("/mailbox", to(1, "/mailbox", None)),
        ] {
            assert_eq!(check(&apps, path), expected, "{path}");
        }
    }

    #[test]
    fn mcp_is_found_at_the_root_and_below_each_app() {
        let apps = [app("web", 1, None), app("mail", 2, Some("/tools/mcp/"))];
        for (path, expected) in [
            ("/mcp", to(2, "/tools/mcp/", None)),
            ("/mcp/", to(2, "/tools/mcp/", None)),
            ("/mcp?x=1", to(2, "/tools/mcp/?x=1", None)),
            ("/mcp/messages?x=1", to(2, "/tools/mcp/messages?x=1", None)),
            ("/mail/mcp", to(2, "/tools/mcp/", Some("/mail"))),
            ("/web/mcp", to(1, "/mcp", Some("/web"))),
            ("/web/mcp/", to(1, "/mcp", Some("/web"))),
            ("/mcps", to(1, "/mcps", None)),
        ] {
            assert_eq!(check(&apps, path), expected, "{path}");
        }
        // Nobody says where: the first app is asked, at the path as it came.
        let apps = [app("web", 1, None)];
        assert_eq!(check(&apps, "/mcp/"), to(1, "/mcp/", None));
    }

    #[test]
    fn computer_use_is_only_there_for_its_image_type() {
        let apps = [app("web", 1, None), app("screen", 2, None)];
        assert_eq!(check(&apps, "/api/v1/mcp"), to(2, "/computer", None));
        let plain = route(&apps, false, "/api/v1/mcp");
        assert_eq!((plain.app.port, plain.target.as_str()), (1, "/api/v1/mcp"));
    }
}
