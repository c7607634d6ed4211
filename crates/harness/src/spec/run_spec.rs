//! The run spec as a whole: from a file to a checked, typed value, and back to the YAML that reads as the same run.
//! The elements are read by their own files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value as Json, json};
use serde_yaml::Value;
use sha2::{Digest, Sha256};

use super::agent::{self, AgentSpec};
use super::concurrency::{self, ConcurrencySpec};
use super::diagnostic::{self, Color, Diagnostic, Severity, Sources, Span, SpecError};
use super::environment::{self, EnvironmentSpec};
use super::fleet::{self, Endpoint, FleetSpec};
use super::gate::{self, GateSpec};
use super::limits::{self, LimitsSpec};
use super::matrix::{self, MatrixSpec};
use super::reader::{Context, Field, Section, tidy};
use super::report::{self, ReportSpec};
use super::retry::{self, RetrySpec};
use super::tasks::{self, TaskSource, TasksSpec};
use super::text::Lookup;
use super::tree::{self, Kind};
use super::{overrides, resolved, schema};

pub(super) const KEYS: [&str; 14] = [
    "version",
    "name",
    "fleet",
    "tasks",
    "agent",
    "matrix",
    "trials",
    "environment",
    "concurrency",
    "retry",
    "limits",
    "pass_threshold",
    "gate",
    "report",
];

/// The only version of the format.
const VERSION: u32 = 1;
const MAX_TRIALS: u32 = 10_000;
/// The name is the first part of the run's id, of its folder and of what the service stores.
const MAX_NAME: usize = 40;

/// A run spec that was read and checked: everything is filled in, every path is absolute.
#[derive(Clone, Debug)]
pub struct RunSpec {
    /// `[a-z0-9-]{1,40}`; the first part of the run's id. Default: from the name of the file.
    pub name: String,
    /// The service.
    pub fleet: FleetSpec,
    /// The tasks.
    pub tasks: TasksSpec,
    /// The agent.
    pub agent: AgentSpec,
    /// The values to combine.
    pub matrix: MatrixSpec,
    /// Trials per task and variant, at least 1.
    pub trials: u32,
    /// The lease of an instance.
    pub environment: EnvironmentSpec,
    /// How many of each at the same time.
    pub concurrency: ConcurrencySpec,
    /// Attempts after faults of the infrastructure.
    pub retry: RetrySpec,
    /// When the run stops by itself.
    pub limits: LimitsSpec,
    /// A trial has passed when its score is at least this; above 0, at most 1.
    pub pass_threshold: f64,
    /// What the run must reach.
    pub gate: GateSpec,
    /// The files of the run.
    pub report: ReportSpec,
    /// The file it was read from. Absolute.
    pub path: PathBuf,
    /// The folder of that file: `{spec_dir}`.
    pub spec_dir: PathBuf,
    /// What is allowed but probably not meant.
    pub warnings: Vec<Diagnostic>,
    secrets: Vec<SecretString>,
    sources: Sources,
    spans: BTreeMap<String, Span>,
}

/// What reading a spec needs of the world.
pub struct LoadOptions<'a> {
    /// `key.path=value`, in order; later ones win.
    pub overrides: &'a [String],
    /// The environment variables.
    pub lookup: &'a Lookup<'a>,
    /// Where the command was given; absolute.
    pub current_dir: &'a Path,
}

impl RunSpec {
    /// Reads and checks a spec file.
    ///
    /// # Errors
    /// Everything that is wrong with it, at once.
    pub fn load(path: &Path, options: &LoadOptions<'_>) -> Result<Self, SpecError> {
        let absolute = tidy(&options.current_dir.join(path));
        match read_capped(&absolute) {
            Ok(bytes) => Self::parse(&path.to_string_lossy(), &absolute, &bytes, options),
            Err(error) => {
                let what = if error.kind() == std::io::ErrorKind::NotFound {
                    format!("there is no file `{}`", path.display())
                } else {
                    format!("cannot read `{}`: {error}", path.display())
                };
                let diagnostic = Diagnostic::error("", None, what);
                Err(SpecError::new(
                    vec![diagnostic.hint("`harness init` writes a spec to start from")],
                    Sources::default(),
                ))
            }
        }
    }

    /// Reads and checks the bytes of a spec. Messages call the file `shown`; relative paths start at the folder of
    /// `path`, which is absolute.
    ///
    /// # Errors
    /// Everything that is wrong with it, at once.
    pub fn parse(
        shown: &str,
        path: &Path,
        bytes: &[u8],
        options: &LoadOptions<'_>,
    ) -> Result<Self, SpecError> {
        let mut sources = Sources::default();
        let text = match tree::decode(bytes) {
            Ok(text) => text,
            Err(mut diagnostic) => {
                diagnostic.message = format!("cannot read `{shown}`: {}", diagnostic.message);
                return Err(SpecError::new(vec![*diagnostic], sources));
            }
        };
        let source = sources.add(shown, text);
        let mut diagnostics = Vec::new();
        let Some(mut root) = tree::parse(&sources, source, 0, &mut diagnostics) else {
            return Err(SpecError::new(diagnostics, sources));
        };
        overrides::apply(&mut root, options.overrides, &mut sources, &mut diagnostics);
        let spec_dir = path.parent().unwrap_or(path);
        let mut ctx = Context {
            sources: &sources,
            lookup: options.lookup,
            spec_dir,
            current_dir: options.current_dir,
            diagnostics,
            spans: BTreeMap::new(),
            secrets: Vec::new(),
        };
        let elements = Elements::read(&mut ctx, &Field::root(&root), path);
        let Context {
            diagnostics,
            spans,
            mut secrets,
            ..
        } = ctx;
        let elements = match elements {
            Some(elements) if diagnostics.iter().all(|d| d.severity == Severity::Warning) => {
                elements
            }
            _ => return Err(SpecError::new(diagnostics, sources)),
        };
        // The longest first, so that a secret that is a part of another one does not leave the rest of it readable.
        secrets.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        secrets.dedup();
        let Elements {
            name,
            fleet,
            tasks,
            agent,
            matrix,
            trials,
            environment,
            concurrency,
            retry,
            limits,
            pass_threshold,
            gate,
            report,
        } = elements;
        Ok(Self {
            name,
            fleet,
            tasks,
            agent,
            matrix,
            trials,
            environment,
            concurrency,
            retry,
            limits,
            pass_threshold,
            gate,
            report,
            path: path.to_owned(),
            spec_dir: spec_dir.to_owned(),
            warnings: diagnostics,
            secrets: secrets.into_iter().map(SecretString::from).collect(),
            sources,
            spans,
        })
    }

    /// The values to hide in everything that is written, the longest first.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().map(ExposeSecret::expose_secret)
    }

    /// The complete spec as YAML: defaults filled in, paths absolute, secrets as `${NAME}`. Reads as the same run.
    pub fn to_resolved_yaml(&self) -> String {
        let mut out = resolved::map([
            ("version", Value::from(VERSION)),
            ("name", resolved::text(&self.name)),
            ("fleet", self.fleet.resolved(self.agent.flt.is_some())),
            ("tasks", self.tasks.resolved()),
            ("agent", self.agent.resolved()),
        ]);
        resolved::set(&mut out, "matrix", self.matrix.resolved());
        resolved::set(&mut out, "trials", Some(Value::from(self.trials)));
        resolved::set(&mut out, "environment", Some(self.environment.resolved()));
        resolved::set(&mut out, "concurrency", Some(self.concurrency.resolved()));
        resolved::set(&mut out, "retry", Some(self.retry.resolved()));
        resolved::set(&mut out, "limits", self.limits.resolved());
        resolved::set(
            &mut out,
            "pass_threshold",
            Some(Value::from(self.pass_threshold)),
        );
        resolved::set(&mut out, "gate", Some(self.gate.resolved()));
        resolved::set(&mut out, "report", Some(self.report.resolved()));
        serde_yaml::to_string(&out).expect("a tree of maps with text keys can always be written")
    }

    /// The same spec as if it were read from `path`: a resolved copy means the places that the original means.
    pub fn standing_for(mut self, path: &Path) -> Self {
        path.clone_into(&mut self.path);
        let folder = path.parent().unwrap_or(path);
        folder.clone_into(&mut self.spec_dir);
        self
    }

    /// SHA-256 of the resolved spec in hex: the same run has the same digest, whatever its comments and layout.
    pub fn digest(&self) -> String {
        hex::encode(Sha256::digest(self.to_resolved_yaml()))
    }

    /// The place of a key (`agent.command[0]`), or of the nearest one above it that was written.
    pub fn span(&self, path: &str) -> Option<Span> {
        let mut path = path;
        loop {
            if let Some(span) = self.spans.get(path) {
                return Some(*span);
            }
            path = &path[..path.rfind(['.', '['])?];
        }
    }

    /// `file:line:column` of a key, for a message outside of a snippet.
    pub fn place(&self, path: &str) -> Option<String> {
        self.span(path).map(|span| self.sources.place(span))
    }

    /// An error about a key that only shows when the spec meets the world: no such project, no such program.
    pub fn error_at(&self, path: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(path, self.span(path), message)
    }

    /// Problems that were found later, with the texts they point into.
    pub fn error_of(&self, diagnostics: Vec<Diagnostic>) -> SpecError {
        SpecError::new(diagnostics, self.sources.clone())
    }

    /// The warnings as a person reads them; empty if there are none.
    pub fn render_warnings(&self, color: Color) -> String {
        diagnostic::render(&self.warnings, &self.sources, color)
    }
}

/// Reads at most one byte more than is allowed, so that a wrong path never fills the memory.
fn read_capped(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let cap = u64::try_from(tree::MAX_FILE_BYTES)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    std::fs::File::open(path)?
        .take(cap)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

struct Elements {
    name: String,
    fleet: FleetSpec,
    tasks: TasksSpec,
    agent: AgentSpec,
    matrix: MatrixSpec,
    trials: u32,
    environment: EnvironmentSpec,
    concurrency: ConcurrencySpec,
    retry: RetrySpec,
    limits: LimitsSpec,
    pass_threshold: f64,
    gate: GateSpec,
    report: ReportSpec,
}

impl Elements {
    fn read(ctx: &mut Context<'_>, root: &Field<'_>, path: &Path) -> Option<Self> {
        let section = ctx.section(root, &KEYS)?;
        let get = |key: &str| section.get(key);
        check_version(ctx, &section);
        for (key, example) in [
            ("tasks", "tasks: {project: my-project}"),
            ("agent", "agent: {command: [python3, agent.py]}"),
        ] {
            if get(key).is_none() {
                let message = format!("the run spec needs `{key}`");
                ctx.report(
                    Diagnostic::error(key, None, message).hint(format!("for example `{example}`")),
                );
            }
        }
        let name = match get("name") {
            Some(field) => read_name(ctx, &field),
            None => None,
        };
        let expects_job = agent::expects_job(ctx, get("agent").as_ref());
        let fleet = FleetSpec::read(ctx, get("fleet").as_ref(), expects_job);
        let tasks = TasksSpec::read(ctx, get("tasks").as_ref());
        check_local_tasks(ctx, &section, &fleet, &tasks);
        let matrix = MatrixSpec::read(ctx, get("matrix").as_ref());
        let agent = AgentSpec::read(ctx, get("agent").as_ref(), &matrix.keys());
        let environment = EnvironmentSpec::read(ctx, get("environment").as_ref(), &agent);
        let trials = get("trials").and_then(|field| ctx.integer(&field, 1..=MAX_TRIALS));
        let concurrency = ConcurrencySpec::read(ctx, get("concurrency").as_ref());
        let retry = RetrySpec::read(ctx, get("retry").as_ref());
        let limits = LimitsSpec::read(ctx, get("limits").as_ref());
        let pass_threshold =
            get("pass_threshold").and_then(|field| read_pass_threshold(ctx, &field));
        let gate = GateSpec::read(ctx, get("gate").as_ref());
        let report = ReportSpec::read(ctx, get("report").as_ref());
        Some(Self {
            name: name.unwrap_or_else(|| default_name(path)),
            fleet,
            tasks,
            agent,
            matrix,
            trials: trials.unwrap_or(1),
            environment,
            concurrency,
            retry,
            limits,
            pass_threshold: pass_threshold.unwrap_or(1.0),
            gate,
            report,
        })
    }
}

fn check_version(ctx: &mut Context<'_>, section: &Section<'_>) {
    let Some(field) = section.get("version") else {
        let message = "the run spec needs `version`";
        ctx.report(
            Diagnostic::error("version", None, message)
                .hint("write `version: 1` as its first line"),
        );
        return;
    };
    if let Kind::Int(version) = field.node.kind
        && version != i128::from(VERSION)
    {
        let message = format!("version {version} of the run spec is not known");
        ctx.report(field.error(message).hint("this harness reads `version: 1`"));
        return;
    }
    ctx.integer(&field, VERSION..=VERSION);
}

fn read_name(ctx: &mut Context<'_>, field: &Field<'_>) -> Option<String> {
    let name = ctx.name(field)?;
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.chars().all(allowed) && name.len() <= MAX_NAME {
        return Some(name);
    }
    let slug = slug(&name);
    let diagnostic = field.error(format!("{} cannot be the name of a run", ctx.shown(field)));
    let diagnostic = diagnostic.note("a name has 1 to 40 of the characters a-z, 0-9 and `-`");
    let from_variable = matches!(&field.node.kind, Kind::String(text) if text.contains("${"));
    ctx.report(if slug.is_empty() || from_variable {
        diagnostic
    } else {
        diagnostic.hint(format!("write `{slug}`"))
    });
    None
}

fn default_name(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let slug = slug(&stem);
    if slug.is_empty() {
        "run".to_owned()
    } else {
        slug
    }
}

/// What a name becomes when everything but `[a-z0-9]` is a hyphen.
fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(MAX_NAME);
    slug.trim_end_matches('-').to_owned()
}

fn read_pass_threshold(ctx: &mut Context<'_>, field: &Field<'_>) -> Option<f64> {
    let value = ctx.number(field, 0.0..=1.0)?;
    if value <= 0.0 {
        ctx.report(
            field
                .error("with a `pass_threshold` of 0 every score passes")
                .hint("scores are from 0.0 to 1.0"),
        );
        return None;
    }
    Some(value)
}

/// The embedded server has only the tasks that it is given.
fn check_local_tasks(
    ctx: &mut Context<'_>,
    section: &Section<'_>,
    fleet: &FleetSpec,
    tasks: &TasksSpec,
) {
    let asks_service = !matches!(tasks.source, TaskSource::Files(_));
    let Some(field) = section.get("tasks") else {
        return;
    };
    let Some(fleet_field) = section.get("fleet") else {
        return;
    };
    // A spec whose endpoint or task source is wrong already gets no advice that rests on it.
    let broken = ctx.diagnostics.iter().any(|d| {
        d.severity == Severity::Error
            && ["fleet.endpoint", "fleet.local", "tasks"]
                .iter()
                .any(|p| d.path.starts_with(p))
    });
    if fleet.endpoint == Endpoint::Local && asks_service && fleet.local.tasks.is_empty() && !broken
    {
        let message = "the embedded server has no tasks";
        let diagnostic = Diagnostic::error("tasks", Some(field.at), message)
            .related(fleet_field.at, "it is chosen here");
        ctx.report(diagnostic.hint(
            "write `tasks: {file: …}`, or give the server files with `fleet.local.tasks: […]`",
        ));
    }
}

/// Every section with its keys, for hints on keys that stand in the wrong one.
pub(super) fn sections() -> Vec<(&'static str, &'static [&'static str])> {
    vec![
        ("", &KEYS),
        ("fleet", &fleet::KEYS),
        ("fleet.rate_limit", &fleet::RATE_LIMIT_KEYS),
        ("fleet.local", &fleet::LOCAL_KEYS),
        ("tasks", &tasks::KEYS),
        ("tasks.sample", &tasks::SAMPLE_KEYS),
        ("agent", &agent::KEYS),
        ("environment", &environment::KEYS),
        ("concurrency", &concurrency::KEYS),
        ("retry", &retry::KEYS),
        ("limits", &limits::KEYS),
        ("gate", &gate::KEYS),
        ("report", &report::KEYS),
    ]
}

pub(super) fn json_schema() -> Json {
    let name = json!({
        "description": "The first part of the run's id. Default: from the name of the file.",
        "type": "string",
        "pattern": r"^[a-z0-9-]{1,40}$|\$\{",
    });
    schema::object(
        "What `harness run` runs.",
        vec![
            (
                "version",
                json!({"description": "The version of this format.", "const": VERSION}),
            ),
            ("name", name),
            ("fleet", fleet::json_schema()),
            ("tasks", tasks::json_schema()),
            ("agent", agent::json_schema()),
            ("matrix", matrix::json_schema()),
            (
                "trials",
                schema::integer(1, MAX_TRIALS, "Trials per task and variant. Default: 1."),
            ),
            ("environment", environment::json_schema()),
            ("concurrency", concurrency::json_schema()),
            ("retry", retry::json_schema()),
            ("limits", limits::json_schema()),
            (
                "pass_threshold",
                schema::number(
                    0.0,
                    1.0,
                    "A trial has passed when its score is at least this. Default: 1.0.",
                ),
            ),
            ("gate", gate::json_schema()),
            ("report", report::json_schema()),
        ],
        &["version", "tasks", "agent"],
    )
}
