//! `fleet`: which service, with which credential, how fast, and what the embedded one offers.

use std::num::NonZeroU32;
use std::path::PathBuf;

use serde_json::Value as Json;
use serde_yaml::Value;
use url::Url;

use super::diagnostic::Diagnostic;
use super::judge::{self, JudgeSpec};
use super::reader::{Context, Field};
use super::schema::{self, Keys};
use super::text::SpecString;
use super::{files, resolved};

pub(super) const KEYS: [&str; 6] = [
    "endpoint",
    "api_key",
    "region",
    "rate_limit",
    "sessions",
    "local",
];
pub(super) const RATE_LIMIT_KEYS: [&str; 2] = ["requests_per_second", "creates_per_second"];
pub(super) const LOCAL_KEYS: [&str; 6] = [
    "environments",
    "tasks",
    "instance_limit",
    "verifier_sandbox",
    "verifier_read",
    "judge",
];

/// Where the service is when neither the spec nor `FLEET_BASE_URL` says so.
pub const DEFAULT_ENDPOINT: &str = "https://orchestrator.fleetai.com";
const DEFAULT_API_KEY: &str = "${FLEET_API_KEY}";
const DEFAULT_REQUESTS_PER_SECOND: f64 = 50.0;
const DEFAULT_CREATES_PER_SECOND: f64 = 10.0;
/// No account may ask faster; a larger number is a slip of the finger.
const MAX_PER_SECOND: f64 = 10_000.0;
const MIN_PER_SECOND: f64 = 0.01;
const MAX_INSTANCE_LIMIT: u32 = 100_000;

/// The two words of a switch. Written without quotes they are words in YAML 1.2, and not the booleans of its past.
const SWITCH: [(&str, bool); 2] = [("off", false), ("on", true)];

/// The service that runs environments.
#[derive(Clone, Debug, PartialEq)]
pub struct FleetSpec {
    /// The embedded server or a URL.
    pub endpoint: Endpoint,
    /// The credential. `None` only for the embedded server, which then asks for none.
    pub api_key: Option<SpecString>,
    /// Where instances are made; `None` leaves it to the service.
    pub region: Option<String>,
    /// How fast the service may be asked.
    pub rate_limit: RateLimit,
    /// Whether the service gets a session of each attempt: what the agent said, its end and its verification.
    pub sessions: bool,
    /// What the embedded server offers; empty for any other endpoint.
    pub local: LocalSpec,
}

/// Which server is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// The server inside this program, started for the run.
    Local,
    /// A server somewhere.
    Url(Url),
}

/// Rates that hold for the whole run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateLimit {
    /// All requests.
    pub requests_per_second: f64,
    /// Requests that create an instance.
    pub creates_per_second: f64,
}

/// What the embedded server offers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LocalSpec {
    /// Folders with environment packages. Absolute; they exist.
    pub environments: Vec<PathBuf>,
    /// Task files; the stem of each is a project. Absolute; they exist.
    pub tasks: Vec<PathBuf>,
    /// The account's limit of running instances; `None` is no limit.
    pub instance_limit: Option<NonZeroU32>,
    /// How strictly verifiers that are programs are confined.
    pub verifier_sandbox: VerifierSandbox,
    /// Folders that such verifiers may read beside their own. Absolute; they exist.
    pub verifier_read: Vec<PathBuf>,
    /// Who grades for verifiers; nobody unless the spec says so.
    pub judge: Option<JudgeSpec>,
}

/// How strictly the embedded server confines verifiers that are programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VerifierSandbox {
    /// Without the layers that matter no verifier is run.
    #[default]
    Require,
    /// With the layers that this machine gives.
    Best,
    /// Not at all.
    Off,
}

impl VerifierSandbox {
    /// Every choice by its name in a spec, the default first.
    pub const ALL: [(&'static str, Self); 3] = [
        ("require", Self::Require),
        ("best", Self::Best),
        ("off", Self::Off),
    ];
}

impl FleetSpec {
    /// `sessions_by_default` says whether the agent expects a job of the service where the spec does not say it.
    pub(super) fn read(
        ctx: &mut Context<'_>,
        field: Option<&Field<'_>>,
        sessions_by_default: bool,
    ) -> Self {
        let section = field.and_then(|field| ctx.section(field, &KEYS));
        let get = |key: &str| section.as_ref().and_then(|section| section.get(key));
        let endpoint_field = get("endpoint");
        let endpoint = match &endpoint_field {
            Some(field) => read_endpoint(ctx, field),
            None => default_endpoint(ctx),
        };
        // A wrong endpoint must not be followed by complaints about what only one kind of endpoint needs.
        let is_local = endpoint
            .as_ref()
            .map(|endpoint| *endpoint == Endpoint::Local);
        let api_key = read_api_key(ctx, get("api_key").as_ref(), is_local);
        let region = get("region").and_then(|field| ctx.name(&field));
        let rate_limit = RateLimit::read(ctx, get("rate_limit").as_ref());
        let sessions = get("sessions").and_then(|field| ctx.choice(&field, &SWITCH));
        let local = get("local");
        if let Some(field) = &local
            && is_local == Some(false)
        {
            let diagnostic = field.error("`fleet.local` is only for the embedded server");
            ctx.report(diagnostic.hint("write `endpoint: local`, or remove this key"));
        }
        let local_spec = LocalSpec::read(ctx, local.as_ref());
        if is_local == Some(true)
            && local_spec.environments.is_empty()
            && !reported(ctx, "fleet.local.environments")
        {
            let at = local.as_ref().or(endpoint_field.as_ref());
            let diagnostic = Diagnostic::error(
                "fleet.local.environments",
                at.map(|field| field.at),
                "the embedded server has no environments",
            );
            ctx.report(
                diagnostic.hint("name their folders: `local: {environments: [environments]}`"),
            );
        }
        Self {
            endpoint: endpoint.unwrap_or(Endpoint::Local),
            api_key,
            region,
            rate_limit,
            sessions: sessions.unwrap_or(sessions_by_default),
            local: local_spec,
        }
    }

    pub(super) fn resolved(&self, sessions_by_default: bool) -> Value {
        let endpoint = match &self.endpoint {
            Endpoint::Local => Value::from("local"),
            Endpoint::Url(url) => resolved::text(url.as_str()),
        };
        let mut out = resolved::map([("endpoint", endpoint)]);
        let api_key = self.api_key.as_ref().map(|key| Value::from(key.origin()));
        resolved::set(&mut out, "api_key", api_key);
        resolved::set(
            &mut out,
            "region",
            self.region.as_deref().map(resolved::text),
        );
        let rate_limit = resolved::map([
            (
                "requests_per_second",
                Value::from(self.rate_limit.requests_per_second),
            ),
            (
                "creates_per_second",
                Value::from(self.rate_limit.creates_per_second),
            ),
        ]);
        resolved::set(&mut out, "rate_limit", Some(rate_limit));
        // Written only where it is not the default: the digest of a run without sessions stays what it was.
        let sessions = SWITCH
            .iter()
            .find(|(_, on)| *on == self.sessions && *on != sessions_by_default);
        resolved::set(
            &mut out,
            "sessions",
            sessions.map(|(word, _)| Value::from(*word)),
        );
        if self.endpoint == Endpoint::Local {
            let mut local = resolved::map([
                ("environments", resolved::paths(&self.local.environments)),
                ("tasks", resolved::paths(&self.local.tasks)),
            ]);
            let limit = self
                .local
                .instance_limit
                .map(|limit| Value::from(limit.get()));
            resolved::set(&mut local, "instance_limit", limit);
            let mode = VerifierSandbox::ALL
                .iter()
                .find(|(_, mode)| *mode == self.local.verifier_sandbox)
                .map(|(name, _)| Value::from(*name));
            resolved::set(&mut local, "verifier_sandbox", mode);
            let read = &self.local.verifier_read;
            let read = (!read.is_empty()).then(|| resolved::paths(read));
            resolved::set(&mut local, "verifier_read", read);
            let judge = self.local.judge.as_ref().map(JudgeSpec::resolved);
            resolved::set(&mut local, "judge", judge);
            resolved::set(&mut out, "local", Some(local));
        }
        out
    }
}

/// True when something is wrong with a key already, so that a follow-up would only be noise.
fn reported(ctx: &Context<'_>, path: &str) -> bool {
    ctx.diagnostics
        .iter()
        .any(|diagnostic| diagnostic.path.starts_with(path))
}

fn read_endpoint(ctx: &mut Context<'_>, field: &Field<'_>) -> Option<Endpoint> {
    let text = ctx.name(field)?;
    if text == "local" {
        return Some(Endpoint::Local);
    }
    match parse_url(&text) {
        Ok(url) => Some(Endpoint::Url(url)),
        Err((message, hint)) => {
            ctx.report(field.error(message).hint(hint));
            None
        }
    }
}

fn default_endpoint(ctx: &mut Context<'_>) -> Option<Endpoint> {
    let text = (ctx.lookup)("FLEET_BASE_URL").filter(|text| !text.is_empty());
    if let Ok(url) = parse_url(text.as_deref().unwrap_or(DEFAULT_ENDPOINT)) {
        return Some(Endpoint::Url(url));
    }
    let message = "the environment variable `FLEET_BASE_URL` is not an http or https URL";
    let hint = "correct or unset it, or write `fleet: {endpoint: …}`";
    ctx.report(Diagnostic::error("fleet.endpoint", None, message).hint(hint));
    None
}

pub(super) fn parse_url(text: &str) -> Result<Url, (&'static str, &'static str)> {
    let not_a_url = (
        "`fleet.endpoint` must be `local` or an http or https URL",
        "for example `https://orchestrator.fleetai.com`",
    );
    let url = Url::parse(text).map_err(|_| not_a_url)?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(not_a_url);
    }
    // Errors and logs show the endpoint, so that it must not carry what they may not show.
    if !url.username().is_empty() || url.password().is_some() {
        return Err((
            "`fleet.endpoint` must not contain a user or a password",
            "the credential belongs into `fleet.api_key`",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err((
            "`fleet.endpoint` must not contain `?` or `#`",
            "paths of the API are added to it",
        ));
    }
    Ok(url)
}

fn read_api_key(
    ctx: &mut Context<'_>,
    field: Option<&Field<'_>>,
    is_local: Option<bool>,
) -> Option<SpecString> {
    let written_default =
        field.is_none_or(|field| ctx.sources.slice(field.node.span).contains(DEFAULT_API_KEY));
    let environment_key = (ctx.lookup)("FLEET_API_KEY").filter(|key| !key.is_empty());
    if let Some(key) = &environment_key {
        // Whether this run needs it or not, nothing of it is to be written.
        ctx.note_secret("FLEET_API_KEY", key.clone());
    }
    let mut key = match (field, written_default, environment_key) {
        // The embedded server makes a key of its own, and writing out the default must not change that: the key of
        // the hosted service has no business with verifiers and agents that know the embedded server's.
        (_, true, _) if is_local == Some(true) => return None,
        (_, true, None) if is_local.is_none() => return None,
        (None, _, None) => {
            let message =
                "there is no API key: the environment variable `FLEET_API_KEY` is not set";
            let hint = "set it, or use the embedded server with `fleet: {endpoint: local}`";
            ctx.report(Diagnostic::error("fleet.api_key", None, message).hint(hint));
            return None;
        }
        (None, _, Some(value)) => {
            let segments = [super::text::Segment::Variable {
                name: "FLEET_API_KEY".to_owned(),
                value,
            }];
            SpecString::from_segments(&segments, DEFAULT_API_KEY)
        }
        (Some(field), ..) => ctx.spec_string(field)?,
    };
    if let Some(field) = field {
        if key.text().is_empty() {
            ctx.report(field.error("the API key is empty"));
            return None;
        }
        if !key.text().chars().all(|c| c.is_ascii_graphic()) {
            let message = "the API key has characters that no HTTP header may carry";
            // Without the place, because the place would print a key that stands in the spec.
            let place = key.from_env().then_some(field.at);
            let diagnostic = Diagnostic::error("fleet.api_key", place, message);
            ctx.report(diagnostic.hint("is there a space or a line end in it?"));
            return None;
        }
        if !key.from_env() {
            let message = "`fleet.api_key` stands in the spec itself, where anybody who gets the file reads it";
            ctx.report(
                Diagnostic::warning("fleet.api_key", None, message)
                    .hint("write `${FLEET_API_KEY}`"),
            );
            key = SpecString::hidden(key.text().to_owned(), DEFAULT_API_KEY);
        }
    }
    ctx.note_secret("FLEET_API_KEY", key.text().to_owned());
    Some(key)
}

impl RateLimit {
    fn read(ctx: &mut Context<'_>, field: Option<&Field<'_>>) -> Self {
        let section = field.and_then(|field| ctx.section(field, &RATE_LIMIT_KEYS));
        let mut rate = |key: &str, default: f64| {
            section
                .as_ref()
                .and_then(|section| section.get(key))
                .and_then(|field| ctx.number(&field, MIN_PER_SECOND..=MAX_PER_SECOND))
                .unwrap_or(default)
        };
        Self {
            requests_per_second: rate("requests_per_second", DEFAULT_REQUESTS_PER_SECOND),
            creates_per_second: rate("creates_per_second", DEFAULT_CREATES_PER_SECOND),
        }
    }
}

impl LocalSpec {
    fn read(ctx: &mut Context<'_>, field: Option<&Field<'_>>) -> Self {
        let Some(section) = field.and_then(|field| ctx.section(field, &LOCAL_KEYS)) else {
            return Self::default();
        };
        let mut list = |key: &str, wanted| {
            let items = section
                .get(key)
                .and_then(|field| ctx.list(&field))
                .unwrap_or_default();
            items
                .iter()
                .filter_map(|item| files::existing(ctx, item, wanted))
                .collect()
        };
        let environments = list("environments", files::Wanted::Folder);
        let tasks = list("tasks", files::Wanted::File);
        let verifier_read = list("verifier_read", files::Wanted::Folder);
        let instance_limit = section
            .get("instance_limit")
            .and_then(|field| ctx.integer(&field, 1..=MAX_INSTANCE_LIMIT))
            .and_then(NonZeroU32::new);
        let verifier_sandbox = section
            .get("verifier_sandbox")
            .and_then(|field| ctx.choice(&field, &VerifierSandbox::ALL))
            .unwrap_or_default();
        let judge = section
            .get("judge")
            .and_then(|field| JudgeSpec::read(ctx, &field));
        Self {
            environments,
            tasks,
            instance_limit,
            verifier_sandbox,
            verifier_read,
            judge,
        }
    }
}

pub(super) fn json_schema() -> Json {
    let rate_limit: Keys = vec![
        (
            "requests_per_second",
            schema::number(MIN_PER_SECOND, MAX_PER_SECOND, "All requests. Default 50."),
        ),
        (
            "creates_per_second",
            schema::number(
                MIN_PER_SECOND,
                MAX_PER_SECOND,
                "Requests that create an instance. Default 10.",
            ),
        ),
    ];
    let local: Keys = vec![
        (
            "environments",
            schema::list(
                &schema::text("A folder with environment packages."),
                "Folders with environment packages.",
            ),
        ),
        (
            "tasks",
            schema::list(
                &schema::text("A task file."),
                "Task files that the embedded server offers; the stem of each file is a project.",
            ),
        ),
        (
            "instance_limit",
            schema::integer(
                1,
                MAX_INSTANCE_LIMIT,
                "How many instances the embedded account may run. Default: no limit.",
            ),
        ),
        (
            "verifier_sandbox",
            schema::choice(
                &VerifierSandbox::ALL.map(|(name, _)| name),
                "How strictly Python and command verifiers are confined. Default: require, so that without a sandbox there is no score.",
            ),
        ),
        (
            "verifier_read",
            schema::list(
                &schema::text("A folder."),
                "Folders that Python and command verifiers may read, beside programs, libraries and the folders of packages and task files.",
            ),
        ),
        ("judge", judge::json_schema()),
    ];
    schema::object(
        "The service that runs environments.",
        vec![
            (
                "endpoint",
                schema::text(
                    "`local` for the embedded server, or a URL. Default: $FLEET_BASE_URL, else Fleet's orchestrator.",
                ),
            ),
            (
                "api_key",
                schema::text("The credential. Default: ${FLEET_API_KEY}. Never written anywhere."),
            ),
            (
                "region",
                schema::text("Where instances are made. Default: the service decides."),
            ),
            (
                "rate_limit",
                schema::object("How fast the service may be asked.", rate_limit, &[]),
            ),
            (
                "sessions",
                schema::choice(
                    &SWITCH.map(|(word, _)| word),
                    "Whether the service gets a session of each attempt. Default: off; on for an agent of `agent.flt`.",
                ),
            ),
            (
                "local",
                schema::object(
                    "What the embedded server offers; only for `endpoint: local`.",
                    local,
                    &[],
                ),
            ),
        ],
        &[],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::testing::{errors, spec, spec_with};

    #[test]
    fn the_endpoint_falls_back_to_the_variable_and_then_to_the_orchestrator() {
        let plain = "version: 1\ntasks: {keys: [a]}\nagent: {command: [x]}\n";
        let with = spec_with(
            plain,
            &[
                ("FLEET_API_KEY", "sk_test"),
                ("FLEET_BASE_URL", "http://127.0.0.1:9/x"),
            ],
        );
        assert_eq!(
            with.fleet.endpoint,
            Endpoint::Url(Url::parse("http://127.0.0.1:9/x").unwrap())
        );
        let without = spec_with(plain, &[("FLEET_API_KEY", "sk_test")]);
        assert_eq!(
            without.fleet.endpoint,
            Endpoint::Url(Url::parse(DEFAULT_ENDPOINT).unwrap())
        );
        assert_eq!(without.fleet.api_key.unwrap().text(), "sk_test");
    }

    #[test]
    fn a_remote_endpoint_needs_a_key_and_the_embedded_one_does_not() {
        let plain = "version: 1\ntasks: {keys: [a]}\nagent: {command: [x]}\n";
        assert!(errors(plain)[0].contains("there is no API key"));
        let local = spec(
            "fleet: {endpoint: local, api_key: '${FLEET_API_KEY}', local: {environments: [.], tasks: [spec.yaml]}}",
        );
        assert_eq!(local.fleet.api_key, None);
    }

    #[test]
    fn a_literal_key_is_neither_shown_nor_written() {
        let text = "version: 1\nfleet: {endpoint: 'https://fleet.test', api_key: sk_literal_key}\ntasks: {keys: [a]}\nagent: {command: [x]}\n";
        let spec = spec_with(text, &[]);
        assert_eq!(spec.warnings.len(), 1);
        assert!(
            !spec
                .render_warnings(crate::spec::Color::Never)
                .contains("sk_literal")
        );
        assert!(!spec.to_resolved_yaml().contains("sk_literal"));
        assert!(spec.to_resolved_yaml().contains("${FLEET_API_KEY}"));
        assert_eq!(spec.secrets().collect::<Vec<_>>(), ["sk_literal_key"]);
        assert!(!format!("{spec:?}").contains("sk_literal"));
    }

    #[test]
    fn endpoints_that_cannot_be_used_are_refused() {
        for endpoint in [
            "locl",
            "ftp://a",
            "https://u:p@a",
            "https://a?x=1",
            "file:///x",
            "''",
        ] {
            let text = format!(
                "version: 1\nfleet: {{endpoint: \"{endpoint}\"}}\ntasks: {{keys: [a]}}\nagent: {{command: [x]}}\n"
            );
            assert_eq!(errors(&text).len(), 1, "{endpoint}: {:?}", errors(&text));
        }
    }
}
