//! `agent`: the program that works on a task, and what it is given.

use std::path::PathBuf;
use std::time::Duration;

use redact::names_a_secret;
use serde_json::{Value as Json, json};
use serde_yaml::Value;

use super::containment::{self, ContainmentSpec};
use super::diagnostic::{Diagnostic, quote};
use super::reader::{Context, Field};
use super::template::Template;
use super::text::{is_name, is_secret};
use super::{files, resolved, schema};

pub(super) const KEYS: [&str; 15] = [
    "name",
    "flt",
    "command",
    "working_dir",
    "stdin",
    "env",
    "inherit_env",
    "fleet_access",
    "timeout",
    "grace_period",
    "verify",
    "output_limit",
    "memory_limit",
    "pids_limit",
    "containment",
];

/// What `flt eval run --local` runs of a folder.
const FLT_PROGRAM: &str = "agent.py";
/// Keys of model services that agents look for in their environment.
const FLT_KEYS: [&str; 6] = [
    "ANTHROPIC_API_KEY",
    "GEMINI_API_KEY",
    "GOOGLE_API_KEY",
    "OPENAI_API_KEY",
    "OPENROUTER_API_KEY",
    "XAI_API_KEY",
];

/// What an agent inherits of the environment of the harness unless the spec says otherwise.
pub const DEFAULT_INHERIT_ENV: [&str; 4] = ["PATH", "HOME", "LANG", "TMPDIR"];
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(30);
const DEFAULT_GRACE: Duration = Duration::from_secs(10);
const DEFAULT_OUTPUT_LIMIT: u64 = 64 * 1024 * 1024;
/// More than a browser, a compiler and a test suite need together, and a small part of what a system has. Threads count
/// as well.
const DEFAULT_PIDS_LIMIT: u32 = 4096;
/// A shell that starts one program needs some; a system has at most four million.
const PIDS_LIMITS: std::ops::RangeInclusive<u32> = 16..=4_194_304;
const SECOND: Duration = Duration::from_secs(1);
/// A week; no agent of a benchmark runs longer, and the service would not keep the instance.
const MAX_TIMEOUT: Duration = Duration::from_hours(168);
/// Beyond this a hanging agent would hold up the end of a run for too long.
const MAX_GRACE: Duration = Duration::from_mins(10);
/// A trial's own variables, which the harness sets; the spec may set other `FLEET_` names, such as `FLEET_MODEL`.
const RESERVED_ENV: [&str; 10] = [
    "FLEET_TASK_KEY",
    "FLEET_TASK_PROMPT",
    "FLEET_INSTANCE_ID",
    "FLEET_JOB_ID",
    "FLEET_ENV_URL",
    "FLEET_APP_URL",
    "FLEET_APP_URLS",
    "FLEET_MANAGER_URL",
    "FLEET_MCP_URL",
    "FLEET_SESSION_LOG",
];

/// The agent and how it is run.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentSpec {
    /// The label in results.
    pub name: String,
    /// The folder of an agent that was written for `flt eval run --local`. Absolute; it has an `agent.py`.
    pub flt: Option<PathBuf>,
    /// Program and arguments; never empty.
    pub command: Vec<Template>,
    /// Where the agent starts.
    pub working_dir: WorkingDir,
    /// What the agent reads on its standard input.
    pub stdin: StdinMode,
    /// Variables of its environment, in the order of the spec.
    pub env: Vec<(String, Template)>,
    /// Variables that it inherits from the harness.
    pub inherit_env: Vec<String>,
    /// Whether it gets the credential and the URL of the service.
    pub fleet_access: bool,
    /// How long it may work.
    pub timeout: Duration,
    /// How long it may take to stop after it was asked to.
    pub grace_period: Duration,
    /// After which ends its work is verified.
    pub verify: VerifyWhen,
    /// Bytes kept of each of its two output streams.
    pub output_limit: u64,
    /// Bytes of memory it may use; `None` is no limit.
    pub memory_limit: Option<u64>,
    /// Processes and threads that it may have at once, where the machine can count them.
    pub pids_limit: u32,
    /// How strictly its processes are held.
    pub containment: ContainmentSpec,
}

/// Where an agent starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkingDir {
    /// The trial's own directory.
    Trial,
    /// The same folder for all trials. Absolute; it exists.
    Folder(PathBuf),
    /// A folder that differs from trial to trial; a relative one starts at the folder of the spec.
    Template(Template),
}

/// What an agent reads on its standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StdinMode {
    /// Nothing: it is at its end at once.
    None,
    /// The prompt as text.
    Prompt,
    /// The task as JSON.
    Task,
}

/// After which ends an agent's work is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifyWhen {
    /// After all, because the state of the environment is what counts.
    Always,
    /// Only if it ended without a failure; anything else scores as the failure that it is.
    OnSuccess,
}

const STDIN_MODES: [(&str, StdinMode); 3] = [
    ("none", StdinMode::None),
    ("prompt", StdinMode::Prompt),
    ("task", StdinMode::Task),
];
const VERIFY_WHENS: [(&str, VerifyWhen); 2] = [
    ("always", VerifyWhen::Always),
    ("on_success", VerifyWhen::OnSuccess),
];

impl AgentSpec {
    pub(super) fn read(
        ctx: &mut Context<'_>,
        field: Option<&Field<'_>>,
        matrix_keys: &[String],
    ) -> Self {
        let section = field.and_then(|field| ctx.section(field, &KEYS));
        let get = |key: &str| section.as_ref().and_then(|section| section.get(key));
        let flt = get("flt").and_then(|field| read_flt(ctx, &field));
        let command = match (get("command"), &section) {
            (Some(field), _) => {
                let command = read_command(ctx, &field, matrix_keys);
                match &flt {
                    Some(folder) => flt_command_of(command, folder),
                    None => command,
                }
            }
            (None, _) if get("flt").is_some() => {
                flt.as_deref().map(flt_command).unwrap_or_default()
            }
            (None, Some(section)) => {
                let hint = "for example `command: [python3, agent.py]`, or `flt: folder` for an agent of `flt eval run --local`";
                ctx.report(section.error("`agent` needs a `command`").hint(hint));
                Vec::new()
            }
            (None, None) => Vec::new(),
        };
        let given_name = get("name").and_then(|field| ctx.name(&field));
        let name = given_name.unwrap_or_else(|| match &flt {
            Some(folder) => folder_name(folder),
            None => program_name(command.first()),
        });
        let working_dir = read_working_dir(ctx, get("working_dir").as_ref(), matrix_keys);
        let env = get("env")
            .map(|field| read_env(ctx, &field, matrix_keys))
            .unwrap_or_default();
        let inherit_env = match get("inherit_env") {
            Some(field) => read_inherited(ctx, &field),
            None if flt.is_some() => inherited_by_flt(ctx),
            None => DEFAULT_INHERIT_ENV.map(str::to_owned).to_vec(),
        };
        let stdin = get("stdin").and_then(|field| ctx.choice(&field, &STDIN_MODES));
        let fleet_access = get("fleet_access").and_then(|field| ctx.boolean(&field));
        let timeout = get("timeout").and_then(|field| ctx.duration(&field, SECOND..=MAX_TIMEOUT));
        let grace =
            get("grace_period").and_then(|field| ctx.duration(&field, Duration::ZERO..=MAX_GRACE));
        let verify = get("verify").and_then(|field| ctx.choice(&field, &VERIFY_WHENS));
        let output_limit = get("output_limit").and_then(|field| ctx.size(&field));
        let memory_limit = get("memory_limit").and_then(|field| ctx.size(&field));
        let pids_limit = get("pids_limit").and_then(|field| ctx.integer(&field, PIDS_LIMITS));
        let containment =
            get("containment").and_then(|field| ctx.choice(&field, &containment::CHOICES));
        Self {
            name,
            command,
            working_dir,
            stdin: stdin.unwrap_or(StdinMode::None),
            env,
            inherit_env,
            // Such an agent makes its own session.
            fleet_access: fleet_access.unwrap_or(flt.is_some()),
            flt,
            timeout: timeout.unwrap_or(DEFAULT_TIMEOUT),
            grace_period: grace.unwrap_or(DEFAULT_GRACE),
            verify: verify.unwrap_or(VerifyWhen::Always),
            output_limit: output_limit.unwrap_or(DEFAULT_OUTPUT_LIMIT),
            memory_limit,
            pids_limit: pids_limit.unwrap_or(DEFAULT_PIDS_LIMIT),
            containment: containment.unwrap_or(ContainmentSpec::Best),
        }
    }

    pub(super) fn resolved(&self) -> Value {
        let written = |template: &Template| Value::from(template.origin());
        let working_dir = match &self.working_dir {
            WorkingDir::Trial => Value::from("trial"),
            // A template: braces of the folder's name must stay what they are.
            WorkingDir::Folder(path) => {
                Value::from(Template::literal(&path.to_string_lossy()).origin())
            }
            WorkingDir::Template(template) => written(template),
        };
        let env = self
            .env
            .iter()
            .map(|(name, value)| (name.as_str(), written(value)));
        let mut out = resolved::map([
            ("name", resolved::text(&self.name)),
            ("command", self.command.iter().map(written).collect()),
            ("working_dir", working_dir),
            ("stdin", Value::from(name_of(&STDIN_MODES, self.stdin))),
            ("env", resolved::map(env)),
            ("inherit_env", resolved::texts(&self.inherit_env)),
            ("fleet_access", Value::from(self.fleet_access)),
            ("timeout", resolved::duration(self.timeout)),
            ("grace_period", resolved::duration(self.grace_period)),
            ("verify", Value::from(name_of(&VERIFY_WHENS, self.verify))),
            ("output_limit", resolved::size(self.output_limit)),
            ("pids_limit", Value::from(self.pids_limit)),
            (
                "containment",
                Value::from(name_of(&containment::CHOICES, self.containment)),
            ),
        ]);
        resolved::set(
            &mut out,
            "flt",
            self.flt
                .as_deref()
                .map(|folder| resolved::text(&folder.to_string_lossy())),
        );
        resolved::set(
            &mut out,
            "memory_limit",
            self.memory_limit.map(resolved::size),
        );
        out
    }
}

/// Whether the agent expects a job at the service that it can make its session in.
pub(super) fn expects_job(ctx: &mut Context<'_>, field: Option<&Field<'_>>) -> bool {
    let known = ctx.diagnostics.len();
    let section = field.and_then(|field| ctx.section(field, &KEYS));
    // What is wrong with the section is said where it is read.
    ctx.diagnostics.truncate(known);
    section.is_some_and(|section| section.get("flt").is_some())
}

fn read_flt(ctx: &mut Context<'_>, field: &Field<'_>) -> Option<PathBuf> {
    let folder = files::existing(ctx, field, files::Wanted::Folder)?;
    if folder.join(FLT_PROGRAM).is_file() {
        return Some(folder);
    }
    let message = format!("there is no `{FLT_PROGRAM}` in {}", ctx.shown(field));
    ctx.report(field.error(message).hint(
        "`agent.flt` is a folder as `flt eval run --local` takes it; any other program is an `agent.command`",
    ));
    None
}

fn flt_command(folder: &std::path::Path) -> Vec<Template> {
    let program = folder.join(FLT_PROGRAM);
    ["python3", &program.to_string_lossy()]
        .map(Template::literal)
        .to_vec()
}

/// A command that names no `agent.py` is the Python that the folder's own is run with.
fn flt_command_of(mut command: Vec<Template>, folder: &std::path::Path) -> Vec<Template> {
    let names_a_program = command
        .iter()
        .any(|word| word.origin().ends_with(FLT_PROGRAM));
    if !command.is_empty() && !names_a_program {
        let program = folder.join(FLT_PROGRAM);
        command.push(Template::literal(&program.to_string_lossy()));
    }
    command
}

fn folder_name(folder: &std::path::Path) -> String {
    let name = folder.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// What every agent inherits, and the keys of model services that are set: such an agent finds them in its environment.
fn inherited_by_flt(ctx: &mut Context<'_>) -> Vec<String> {
    let mut names = DEFAULT_INHERIT_ENV.map(str::to_owned).to_vec();
    for name in FLT_KEYS {
        let Some(value) = (ctx.lookup)(name).filter(|value| !value.is_empty()) else {
            continue;
        };
        ctx.note_secret(name, value);
        names.push(name.to_owned());
    }
    names
}

fn name_of<T: PartialEq + Copy>(choices: &[(&'static str, T)], value: T) -> &'static str {
    choices
        .iter()
        .find(|(_, choice)| *choice == value)
        .map_or("", |(name, _)| name)
}

/// The value of a variable that is called like a secret and is written out in the spec.
fn literal_secret(name: &str, value: &Template) -> Option<String> {
    let text = value.as_literal()?;
    let written_out = !value.origin().contains("${");
    (written_out && names_a_secret(name) && is_secret(name, &text)).then_some(text)
}

fn read_command(ctx: &mut Context<'_>, field: &Field<'_>, matrix_keys: &[String]) -> Vec<Template> {
    if matches!(field.node.kind, super::tree::Kind::String(_)) {
        let diagnostic = field
            .error("`agent.command` must be a list of words")
            .label("this is text");
        ctx.report(diagnostic.hint(
            "no shell is involved: write `command: [python3, agent.py]`, or `[sh, -c, \"…\"]`",
        ));
        return Vec::new();
    }
    let Some(items) = ctx.list(field) else {
        return Vec::new();
    };
    if items.is_empty() {
        ctx.report(
            field
                .error("`agent.command` is empty")
                .hint("its first word is the program"),
        );
    }
    let mut command = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let Some(word) = ctx.template(item) else {
            continue;
        };
        ctx.check_placeholders(&word, matrix_keys, item.node.span, &item.path);
        if index == 0
            && word
                .as_literal()
                .is_some_and(|program| program.trim().is_empty())
        {
            ctx.report(item.error("the program of `agent.command` is empty"));
        }
        command.push(word);
    }
    command
}

/// The file name of the program, for results; `{harness}` is called `harness`.
fn program_name(program: Option<&Template>) -> String {
    let text = program
        .and_then(|program| program.render(|name| Some(name.to_owned())).ok())
        .unwrap_or_default();
    let name = text.rsplit('/').next().unwrap_or_default();
    if name.is_empty() {
        "agent".to_owned()
    } else {
        name.to_owned()
    }
}

fn read_working_dir(
    ctx: &mut Context<'_>,
    field: Option<&Field<'_>>,
    matrix_keys: &[String],
) -> WorkingDir {
    let unknown = WorkingDir::Folder(ctx.spec_dir.to_owned());
    let Some(field) = field else { return unknown };
    let Some(template) = ctx.template(field) else {
        return unknown;
    };
    ctx.check_placeholders(&template, matrix_keys, field.node.span, &field.path);
    let Some(text) = template.as_literal() else {
        return WorkingDir::Template(template);
    };
    if text == "trial" {
        return WorkingDir::Trial;
    }
    let path = super::reader::tidy(&ctx.spec_dir.join(&text));
    if !path.is_dir() {
        let message = format!("the working directory {} does not exist", ctx.shown(field));
        let place = Diagnostic::error(field.path.clone(), Some(field.node.span), message);
        ctx.report(place.hint(
            "it is relative to the folder of the spec; `trial` is the trial's own directory",
        ));
    }
    WorkingDir::Folder(path)
}

fn read_env(
    ctx: &mut Context<'_>,
    field: &Field<'_>,
    matrix_keys: &[String],
) -> Vec<(String, Template)> {
    let mut env = Vec::new();
    for (name, field) in ctx.entries(field) {
        if !is_name(&name) {
            let message = format!("{} cannot be the name of a variable", quote(&name));
            ctx.report(Diagnostic::error(
                field.path.clone(),
                Some(field.at),
                message,
            ));
            continue;
        }
        if RESERVED_ENV.contains(&name.as_str()) || name.starts_with("HARNESS_") {
            let message = format!("`{name}` is set by the harness for every trial");
            ctx.report(
                Diagnostic::error(field.path.clone(), Some(field.at), message)
                    .hint("choose another name"),
            );
            continue;
        }
        let Some(mut value) = ctx.template(&field) else {
            continue;
        };
        ctx.check_placeholders(&value, matrix_keys, field.node.span, &field.path);
        if let Some(secret) = literal_secret(&name, &value) {
            ctx.secrets.push(secret);
            let message = format!(
                "`{}` looks like a secret that stands in the spec itself",
                field.path
            );
            // Without the place, because the place would print the secret.
            ctx.report(
                Diagnostic::warning(field.path.clone(), None, message)
                    .hint(format!("write `${{{name}}}`")),
            );
            // A key that stands in the spec must not be copied to where results are shared.
            value = value.hidden(format!("${{{name}}}"));
        }
        env.push((name, value));
    }
    env
}

fn read_inherited(ctx: &mut Context<'_>, field: &Field<'_>) -> Vec<String> {
    let items = ctx.list(field).unwrap_or_default();
    let mut names: Vec<String> = Vec::with_capacity(items.len());
    for item in &items {
        let Some(name) = ctx.name(item) else { continue };
        if !is_name(&name) {
            ctx.report(item.error(format!(
                "{} cannot be the name of a variable",
                ctx.shown(item)
            )));
        } else if !names.contains(&name) {
            // What an agent is given on purpose it may use, but not print into what is kept of it.
            if names_a_secret(&name)
                && let Some(value) = (ctx.lookup)(&name)
            {
                ctx.note_secret(&name, value);
            }
            names.push(name);
        }
    }
    names
}

pub(super) fn json_schema() -> Json {
    let word = schema::word(
        "A word; `{name}` placeholders and `${NAME}` are replaced, no shell is involved.",
    );
    let mut command = schema::list(&word, "Program and arguments. No shell is involved.");
    command["minItems"] = json!(1);
    let mut agent = schema::object(
        "The program that works on a task, and what it is given.",
        vec![
            (
                "name",
                schema::text("The label in results. Default: the file name of the program."),
            ),
            (
                "flt",
                schema::text(
                    "The folder of an agent that was written for `flt eval run --local`: its agent.py is run as there. With it `command` is optional.",
                ),
            ),
            ("command", command),
            (
                "working_dir",
                schema::text(
                    "Where the agent starts, relative to the spec; `trial` is the trial's own directory. Default: the folder of the spec.",
                ),
            ),
            (
                "stdin",
                schema::choice(
                    &["none", "prompt", "task"],
                    "What the agent reads on its standard input: nothing, the prompt, or the task as JSON. Default: none.",
                ),
            ),
            ("env", env_schema(&word)),
            (
                "inherit_env",
                schema::list(
                    &schema::text("The name of a variable."),
                    "Variables inherited from the harness. Default: PATH, HOME, LANG, TMPDIR.",
                ),
            ),
            (
                "fleet_access",
                schema::boolean(
                    "Whether the agent gets FLEET_API_KEY and FLEET_BASE_URL. Default: false.",
                ),
            ),
            (
                "timeout",
                schema::duration("How long the agent may work. Default: 30m."),
            ),
            (
                "grace_period",
                schema::duration(
                    "How long it may take to stop after it was asked to. Default: 10s.",
                ),
            ),
            (
                "verify",
                schema::choice(
                    &["always", "on_success"],
                    "After which ends the work is verified. Default: always.",
                ),
            ),
            (
                "output_limit",
                schema::size(
                    "Bytes kept of each output stream; the rest is dropped and marked. Default: 64MiB.",
                ),
            ),
            (
                "memory_limit",
                schema::size(
                    "Memory the agent may use: all of it together where it has a control group, else each of its processes. Default: no limit.",
                ),
            ),
            (
                "pids_limit",
                schema::integer(
                    *PIDS_LIMITS.start(),
                    *PIDS_LIMITS.end(),
                    "Processes and threads it may have at once, where the machine can count them. Default: 4096.",
                ),
            ),
            (
                "containment",
                schema::choice(
                    &containment::CHOICES.map(|(name, _)| name),
                    "How strictly its processes are held: as well as the machine can, or at this level at least, or the run is refused. Default: best.",
                ),
            ),
        ],
        &[],
    );
    agent["anyOf"] = json!([{"required": ["command"]}, {"required": ["flt"]}]);
    agent
}

fn env_schema(word: &Json) -> Json {
    json!({
        "description": "Variables of the agent's environment.",
        "type": "object",
        "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
        "additionalProperties": word,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::testing::{errors, spec, spec_with};

    fn base(agent: &str) -> String {
        format!(
            "version: 1\nfleet: {{endpoint: local, local: {{environments: [.], tasks: [spec.yaml]}}}}\ntasks: {{project: p}}\nagent: {agent}\n"
        )
    }

    #[test]
    fn the_defaults_are_those_of_the_contract() {
        let agent = spec("agent: {command: [/usr/bin/my-agent, 7, 1.10, true]}").agent;
        assert_eq!(agent.name, "my-agent");
        let words: Vec<_> = agent
            .command
            .iter()
            .filter_map(Template::as_literal)
            .collect();
        assert_eq!(words, ["/usr/bin/my-agent", "7", "1.10", "true"]);
        assert_eq!(agent.inherit_env, ["PATH", "HOME", "LANG", "TMPDIR"]);
        assert_eq!(
            (agent.timeout, agent.grace_period),
            (Duration::from_mins(30), Duration::from_secs(10))
        );
        assert_eq!((agent.output_limit, agent.memory_limit), (64 << 20, None));
        assert_eq!(
            (agent.pids_limit, agent.containment),
            (4096, ContainmentSpec::Best)
        );
        assert_eq!(
            (agent.stdin, agent.verify, agent.fleet_access),
            (StdinMode::None, VerifyWhen::Always, false)
        );
        assert!(matches!(agent.working_dir, WorkingDir::Folder(path) if path.is_absolute()));
        assert_eq!(
            spec("agent: {command: ['{harness}', demo]}").agent.name,
            "harness"
        );
    }

    #[test]
    fn a_command_of_an_flt_agent_says_with_which_python() {
        let folder = std::path::Path::new("/agents/mine");
        let words = |command: &[&str]| {
            let command = command.iter().map(|word| Template::literal(word)).collect();
            let command = flt_command_of(command, folder);
            let words: Vec<_> = command
                .iter()
                .map(|word| word.origin().to_owned())
                .collect();
            words.join(" ")
        };
        assert_eq!(words(&["venv/python"]), "venv/python /agents/mine/agent.py");
        assert_eq!(words(&["uv", "run"]), "uv run /agents/mine/agent.py");
        assert_eq!(words(&["python3", "x/agent.py"]), "python3 x/agent.py");
        assert_eq!(words(&[]), "");
    }

    #[test]
    fn commands_that_cannot_run_are_refused() {
        let cases = [
            ("{command: python agent.py}", "must be a list of words"),
            ("{command: []}", "is empty"),
            ("{command: ['']}", "is empty"),
            ("{command: [a, null]}", "has no value"),
            ("{command: [a, [b]]}", "must be text"),
            ("{command: [a, \"x\\0\"]}", "NUL"),
            ("{command: [a, '{\"a\": 1}']}", "is not a placeholder"),
            ("{}", "needs a `command`"),
        ];
        for (agent, expected) in cases {
            let found = errors(&base(agent));
            assert!(
                found.len() == 1 && found[0].contains(expected),
                "{agent}: {found:?}"
            );
        }
    }

    #[test]
    fn variables_of_the_harness_cannot_be_set() {
        let found = errors(&base(
            "{command: [a], env: {HARNESS_RUN_ID: x, FLEET_TASK_KEY: y, 'a-b': z, FLEET_MODEL: m}}",
        ));
        assert_eq!(found.len(), 3, "{found:?}");
    }

    #[test]
    fn c4_secrets_of_the_environment_are_known_and_not_written() {
        let text = base(
            "{command: [a, '--token=${MY_TOKEN}'], env: {OPENAI_API_KEY: '${OPENAI_API_KEY}', MODEL: '${MODEL}'}}",
        );
        let variables = [
            ("MY_TOKEN", "t0ken-1"),
            ("OPENAI_API_KEY", "sk-secret"),
            ("MODEL", "small"),
        ];
        let spec = spec_with(&text, &variables);
        assert_eq!(spec.secrets().collect::<Vec<_>>(), ["sk-secret", "t0ken-1"]);
        let written = spec.to_resolved_yaml();
        for (name, value) in &variables[..2] {
            assert!(
                !written.contains(value) && written.contains(&format!("${{{name}}}")),
                "{written}"
            );
            assert!(!format!("{spec:?}").contains(value));
        }
        assert_eq!(
            spec.agent.command[1].as_literal().as_deref(),
            Some("--token=t0ken-1")
        );
    }

    #[test]
    fn c4_a_secret_written_out_in_the_spec_is_warned_of_and_not_copied() {
        let spec = spec_with(&base("{command: [a], env: {X_API_KEY: sk-literal}}"), &[]);
        assert!(spec.warnings[0].message.contains("looks like a secret"));
        assert!(!spec.to_resolved_yaml().contains("sk-literal"));
        assert!(!format!("{spec:?}").contains("sk-literal"), "{spec:?}");
        assert_eq!(spec.secrets().collect::<Vec<_>>(), ["sk-literal"]);
    }

    #[test]
    fn a_working_directory_is_the_trial_or_exists_or_is_a_template() {
        assert_eq!(
            spec("agent: {command: [a], working_dir: trial}")
                .agent
                .working_dir,
            WorkingDir::Trial
        );
        let template = spec("agent: {command: [a], working_dir: 'work/{task_key}'}")
            .agent
            .working_dir;
        assert!(matches!(template, WorkingDir::Template(_)));
        assert!(
            errors(&base("{command: [a], working_dir: nowhere}"))[0].contains("does not exist")
        );
    }
}
