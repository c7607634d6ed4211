//! `tasks`: which tasks, from exactly one source, and which of them.

use std::path::PathBuf;

use globset::{Glob, GlobMatcher};
use serde_json::{Value as Json, json};
use serde_yaml::Value;

use super::reader::{Context, Field, Section, is_remote};
use super::schema::{self, Keys};
use super::{files, resolved};

pub(super) const KEYS: [&str; 9] = [
    "project", "keys", "env", "file", "files", "include", "exclude", "sample", "limit",
];
pub(super) const SAMPLE_KEYS: [&str; 2] = ["count", "seed"];
const SOURCES: [&str; 5] = ["project", "keys", "env", "file", "files"];

/// More tasks than this in one run are a mistake.
const MAX_TASKS: u32 = 1_000_000;

/// The tasks of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct TasksSpec {
    /// Where they come from.
    pub source: TaskSource,
    /// A task is kept if any of these matches its key; an empty list keeps all.
    pub include: Vec<KeyPattern>,
    /// A task is dropped if any of these matches its key.
    pub exclude: Vec<KeyPattern>,
    /// How many of the tasks that are left; `None` is all.
    pub selection: Option<Selection>,
}

/// Where tasks come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskSource {
    /// All tasks of a project of the service.
    Project(String),
    /// These tasks of the service, in this order.
    Keys(Vec<String>),
    /// All tasks of the service for an environment.
    Environment(String),
    /// Task files. Absolute paths; they exist.
    Files(Vec<PathBuf>),
}

/// How many tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// The first ones.
    Limit(u32),
    /// A random sample, the same one for the same seed and the same tasks.
    Sample {
        /// How many.
        count: u32,
        /// Which sample.
        seed: u64,
    },
}

/// A glob over task keys: `*` and `?` also match `/`, which has no meaning in a key.
#[derive(Clone, Debug)]
pub struct KeyPattern {
    text: String,
    matcher: GlobMatcher,
}

impl KeyPattern {
    /// Reads a glob.
    ///
    /// # Errors
    /// The glob is malformed, for example `[a-`.
    pub fn new(text: &str) -> Result<Self, globset::Error> {
        let matcher = Glob::new(text)?.compile_matcher();
        Ok(Self {
            text: text.to_owned(),
            matcher,
        })
    }

    /// The glob as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a task key matches.
    pub fn matches(&self, key: &str) -> bool {
        self.matcher.is_match(key)
    }
}

impl PartialEq for KeyPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl TasksSpec {
    /// Whether the filters keep a task of this key.
    pub fn keeps(&self, key: &str) -> bool {
        let included =
            self.include.is_empty() || self.include.iter().any(|pattern| pattern.matches(key));
        included && !self.exclude.iter().any(|pattern| pattern.matches(key))
    }

    pub(super) fn read(ctx: &mut Context<'_>, field: Option<&Field<'_>>) -> Self {
        let section = field.and_then(|field| ctx.section(field, &KEYS));
        let Some(section) = section else {
            return Self::of(TaskSource::Keys(Vec::new()));
        };
        let source = read_source(ctx, &section).unwrap_or(TaskSource::Keys(Vec::new()));
        let include = read_patterns(ctx, section.get("include").as_ref());
        let exclude = read_patterns(ctx, section.get("exclude").as_ref());
        let selection = read_selection(ctx, &section);
        Self {
            source,
            include,
            exclude,
            selection,
        }
    }

    fn of(source: TaskSource) -> Self {
        Self {
            source,
            include: Vec::new(),
            exclude: Vec::new(),
            selection: None,
        }
    }

    pub(super) fn resolved(&self) -> Value {
        let source = match &self.source {
            TaskSource::Project(project) => ("project", resolved::text(project)),
            TaskSource::Keys(keys) => ("keys", resolved::texts(keys)),
            TaskSource::Environment(env) => ("env", resolved::text(env)),
            TaskSource::Files(paths) => match paths.as_slice() {
                [path] => ("file", resolved::path(path)),
                // Files that a glob has found are named one by one, so that a later file does not join an old run.
                paths => {
                    let literal = paths
                        .iter()
                        .map(|path| glob::Pattern::escape(&path.to_string_lossy()));
                    ("files", literal.map(|path| resolved::text(&path)).collect())
                }
            },
        };
        let patterns =
            |patterns: &[KeyPattern]| patterns.iter().map(|p| resolved::text(&p.text)).collect();
        let mut out = resolved::map([
            source,
            ("include", patterns(&self.include)),
            ("exclude", patterns(&self.exclude)),
        ]);
        match self.selection {
            Some(Selection::Limit(limit)) => {
                resolved::set(&mut out, "limit", Some(Value::from(limit)));
            }
            Some(Selection::Sample { count, seed }) => {
                let sample =
                    resolved::map([("count", Value::from(count)), ("seed", Value::from(seed))]);
                resolved::set(&mut out, "sample", Some(sample));
            }
            None => {}
        }
        out
    }
}

fn read_source(ctx: &mut Context<'_>, section: &Section<'_>) -> Option<TaskSource> {
    let given: Vec<_> = SOURCES
        .iter()
        .filter_map(|key| section.get(key).map(|field| (*key, field)))
        .collect();
    let mut in_order: Vec<_> = given.iter().collect();
    in_order.sort_by_key(|(_, field)| (field.at.source, field.at.start));
    match in_order.as_slice() {
        [] => {
            let hint = "write one of `project: …`, `keys: […]`, `env: …`, `file: …`, `files: […]`";
            ctx.report(
                section
                    .error("`tasks` does not say where the tasks come from")
                    .hint(hint),
            );
        }
        [_] => {}
        [(first, first_field), rest @ ..] => {
            for (key, field) in rest {
                let diagnostic = super::Diagnostic::error(
                    field.path.clone(),
                    Some(field.at),
                    format!("`tasks` has two sources, `{first}` and `{key}`"),
                );
                let diagnostic = diagnostic
                    .label("a second source")
                    .related(first_field.at, "the first source");
                ctx.report(
                    diagnostic
                        .hint("keep one of them; `include` and `exclude` choose among its tasks"),
                );
            }
        }
    }
    // Every source is read, so that what is wrong inside of it is told in the same go.
    let mut sources = given.iter().map(|(key, field)| match *key {
        "project" => ctx.name(field).map(TaskSource::Project),
        "env" => ctx.name(field).map(TaskSource::Environment),
        "keys" => read_keys(ctx, field).map(TaskSource::Keys),
        "file" => files::existing(ctx, field, files::Wanted::File)
            .map(|path| TaskSource::Files(vec![path])),
        _ => read_globs(ctx, field).map(TaskSource::Files),
    });
    let first = sources.next().flatten();
    sources.for_each(drop);
    first
}

fn read_keys(ctx: &mut Context<'_>, field: &Field<'_>) -> Option<Vec<String>> {
    let items = ctx.list(field)?;
    if items.is_empty() {
        ctx.report(field.error("`tasks.keys` names no task"));
        return None;
    }
    let mut keys: Vec<(String, Field<'_>)> = Vec::with_capacity(items.len());
    let mut seen = std::collections::HashMap::new();
    for item in items {
        // A key such as `12` needs no quotes.
        let Some(key) = ctx.word(&item) else { continue };
        if key.is_empty() {
            ctx.report(item.error("a task key is empty"));
        } else if let Some(first) = seen.insert(key.clone(), item.at) {
            let diagnostic = item.error(format!("the task {} is named twice", ctx.shown(&item)));
            ctx.report(
                diagnostic
                    .label("again here")
                    .related(first, "first here")
                    .hint("`trials` repeats every task"),
            );
        } else {
            keys.push((key, item));
        }
    }
    Some(keys.into_iter().map(|(key, _)| key).collect())
}

fn read_globs(ctx: &mut Context<'_>, field: &Field<'_>) -> Option<Vec<PathBuf>> {
    let items = ctx.list(field)?;
    if items.is_empty() {
        ctx.report(field.error("`tasks.files` names no file"));
        return None;
    }
    let mut found = Vec::new();
    for item in &items {
        let Some(text) = ctx.name(item) else { continue };
        if is_remote(&text) {
            let hint = "download it first; a spec never fetches anything by itself";
            ctx.report(
                item.error("a task file must be a path, not a URL")
                    .hint(hint),
            );
            continue;
        }
        // The folder's own name may hold characters that mean something in a glob.
        let base = glob::Pattern::escape(&ctx.spec_dir.to_string_lossy());
        let pattern = if text.starts_with('/') {
            text
        } else {
            format!("{base}/{text}")
        };
        match glob::glob(&pattern) {
            Err(error) => {
                let message = format!("{} is not a valid glob: {}", ctx.shown(item), error.msg);
                ctx.report(item.error(message));
            }
            Ok(matches) => {
                let before = found.len();
                found.extend(
                    matches
                        .filter_map(Result::ok)
                        .filter(|path| path.is_file())
                        .map(|path| super::reader::tidy(&path)),
                );
                if found.len() == before {
                    let message = format!("no file matches {}", ctx.shown(item));
                    ctx.report(
                        item.error(message)
                            .note(format!("looked in `{}`", ctx.spec_dir.display())),
                    );
                }
            }
        }
    }
    let mut seen = std::collections::HashSet::new();
    found.retain(|path| seen.insert(path.clone()));
    Some(found)
}

fn read_patterns(ctx: &mut Context<'_>, field: Option<&Field<'_>>) -> Vec<KeyPattern> {
    let items = field.and_then(|field| ctx.list(field)).unwrap_or_default();
    let mut patterns = Vec::with_capacity(items.len());
    for item in &items {
        let Some(text) = ctx.word(item) else { continue };
        match KeyPattern::new(&text) {
            Ok(pattern) => patterns.push(pattern),
            Err(error) => {
                let message = format!("{} is not a valid glob: {}", ctx.shown(item), error.kind());
                ctx.report(item.error(message).hint(
                    "`*` is any text, `?` one character, `[ab]` one of them, `{a,b}` either",
                ));
            }
        }
    }
    patterns
}

fn read_selection(ctx: &mut Context<'_>, section: &Section<'_>) -> Option<Selection> {
    let sample_field = section.get("sample");
    let limit_field = section.get("limit");
    if let (Some(sample), Some(limit)) = (&sample_field, &limit_field) {
        let diagnostic = limit.error("`tasks` has both `sample` and `limit`");
        ctx.report(
            diagnostic
                .related(sample.at, "`sample` stands here")
                .hint("a sample has its own `count`"),
        );
    }
    let limit = limit_field
        .and_then(|field| ctx.integer(&field, 1..=MAX_TASKS))
        .map(Selection::Limit);
    let sample = sample_field.and_then(|field| {
        let section = ctx.section(&field, &SAMPLE_KEYS)?;
        let seed = match section.get("seed") {
            Some(field) => ctx.integer(&field, 0..=u32::MAX).map(u64::from),
            None => Some(0),
        };
        let Some(count) = section.get("count") else {
            ctx.report(
                section
                    .error("`tasks.sample` needs a `count`")
                    .hint("for example `sample: {count: 50, seed: 7}`"),
            );
            return None;
        };
        Some(Selection::Sample {
            count: ctx.integer(&count, 1..=MAX_TASKS)?,
            seed: seed?,
        })
    });
    sample.or(limit)
}

pub(super) fn json_schema() -> Json {
    let pattern = schema::word("A glob over task keys.");
    let sample: Keys = vec![
        ("count", schema::integer(1, MAX_TASKS, "How many tasks.")),
        (
            "seed",
            schema::integer(
                0,
                u32::MAX,
                "Which sample: the same seed takes the same tasks. Default 0.",
            ),
        ),
    ];
    let mut object = schema::object(
        "Exactly one source of tasks, then filters.",
        vec![
            (
                "project",
                schema::text("All tasks of this project of the service."),
            ),
            (
                "keys",
                schema::list(&schema::word("A task key."), "These tasks of the service."),
            ),
            (
                "env",
                schema::text("All tasks of the service for this environment."),
            ),
            (
                "file",
                schema::text("A task file, as exported by fleet-python."),
            ),
            (
                "files",
                schema::list(
                    &schema::text("A glob over paths."),
                    "Task files, found by globs.",
                ),
            ),
            (
                "include",
                schema::list(&pattern, "Keep only tasks whose key matches one of these."),
            ),
            (
                "exclude",
                schema::list(&pattern, "Drop tasks whose key matches one of these."),
            ),
            (
                "sample",
                schema::object("A random sample of the tasks.", sample, &["count"]),
            ),
            (
                "limit",
                schema::integer(1, MAX_TASKS, "Only the first tasks."),
            ),
        ],
        &[],
    );
    object["oneOf"] = SOURCES
        .iter()
        .map(|source| json!({"required": [source]}))
        .collect();
    object["not"] = json!({"required": ["sample", "limit"]});
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::testing::{errors, spec};

    fn base(tasks: &str) -> String {
        format!(
            "version: 1\nfleet: {{endpoint: local, local: {{environments: [.], tasks: [spec.yaml]}}}}\nagent: {{command: [x]}}\ntasks: {tasks}\n"
        )
    }

    #[test]
    fn filters_keep_what_is_included_and_not_excluded() {
        let tasks =
            spec("tasks: {project: p, include: ['crm-*', 'x/?'], exclude: ['*-flaky']}").tasks;
        for (key, kept) in [
            ("crm-1", true),
            ("crm-a/b", true),
            ("crm-1-flaky", false),
            ("x/1", true),
            ("shop", false),
        ] {
            assert_eq!(tasks.keeps(key), kept, "{key}");
        }
        assert!(spec("tasks: {project: p}").tasks.keeps("anything"));
    }

    #[test]
    fn keys_may_be_numbers_and_never_come_twice() {
        let tasks = spec("tasks: {keys: [12, 1.10, a]}").tasks;
        assert_eq!(
            tasks.source,
            TaskSource::Keys(vec!["12".into(), "1.10".into(), "a".into()])
        );
        assert!(errors(&base("{keys: [a, b, a]}"))[0].contains("named twice"));
        assert!(errors(&base("{keys: []}"))[0].contains("names no task"));
    }

    #[test]
    fn a_sample_has_a_count_and_excludes_a_limit() {
        let tasks = spec("tasks: {project: p, sample: {count: 50, seed: 7}}").tasks;
        assert_eq!(
            tasks.selection,
            Some(Selection::Sample { count: 50, seed: 7 })
        );
        assert!(errors(&base("{project: p, sample: {seed: 7}}"))[0].contains("needs a `count`"));
        assert!(errors(&base("{project: p, limit: 0}"))[0].contains("cannot be `0`"));
        assert!(errors(&base("{project: p, limit: 5, sample: {count: 1}}"))[0].contains("both"));
    }

    #[test]
    fn files_are_found_by_globs_and_never_fetched() {
        let found = spec("tasks: {files: ['*.yaml']}").tasks;
        let TaskSource::Files(paths) = found.source else {
            panic!("files")
        };
        assert!(paths.len() == 1 && paths[0].is_absolute() && paths[0].ends_with("spec.yaml"));
        assert!(errors(&base("{files: ['*.none']}"))[0].contains("no file matches"));
        assert!(errors(&base("{file: none.json}"))[0].contains("there is no file"));
        assert!(errors(&base("{file: 'https://a.test/t.json'}"))[0].contains("not a URL"));
        assert!(errors(&base("{files: ['https://a.test/t.json']}"))[0].contains("not a URL"));
    }
}
