//! Reads a file of tasks: the official client's export and the dialects met beside it.
//!
//! A file is an array of tasks or `{"tasks": […]}`. Every task is checked, and all problems of a
//! file are reported together. What a native verifier's definition means is not checked here.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::native_verifier;
use crate::task::{Task, VerifierSource, code_is_available};
use crate::task_entries::{EntriesError, entries};
use crate::types::TaskKey;

/// Stands in a `command` verifier's arguments for the absolute folder of the tasks file.
pub const TASK_DIR: &str = "{task_dir}";

/// The longest tasks file that is read: a hundred thousand tasks of a page each.
const MAX_FILE: u64 = 256 << 20;

/// The longest source of a verifier that is read; the service takes no bundle near it.
const MAX_SOURCE: u64 = 16 << 20;

/// Kinds of verifier that a task may carry in place of source.
const VERIFIER_KINDS: [&str; 3] = ["state", "command", "python"];

/// A tasks file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TaskFileError {
    /// It could not be read.
    #[error("tasks file {} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not JSON.
    #[error("tasks file {} is not valid JSON", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Why, with line and column.
        source: serde_json::Error,
    },
    /// It is JSON of another shape.
    #[error("tasks file {} must be an array of tasks or an object with a `tasks` array, but it is {found}", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// Some of its tasks are wrong.
    #[error("tasks file {}: {}", path.display(), list(problems))]
    Tasks {
        /// The file.
        path: PathBuf,
        /// Every problem, in the file's order; never empty.
        problems: Vec<TaskProblem>,
    },
}

/// What is wrong with one task of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskProblem {
    /// Position in the file, from 0.
    pub index: usize,
    /// The line where the task begins, from 1.
    pub line: usize,
    /// The task's key, where it has one.
    pub key: Option<String>,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for TaskProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(
                f,
                "task {} ({key}) in line {}: {}",
                self.index, self.line, self.what
            ),
            None => write!(
                f,
                "task {} in line {}: {}",
                self.index, self.line, self.what
            ),
        }
    }
}

/// Reads the tasks of the file at `path`, in its order.
///
/// Paths inside the file (`"file": "verify.py"`, [`TASK_DIR`]) are relative to its folder.
pub fn load(path: &Path) -> Result<Vec<Task>, TaskFileError> {
    let text = read_at_most(MAX_FILE, path).map_err(|source| TaskFileError::Read {
        path: path.to_owned(),
        source,
    })?;
    parse(&text, path)
}

/// A wrong path (`/dev/zero`, a disk image) must not fill the memory.
fn read_at_most(limit: u64, path: &Path) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    let mut file = std::fs::File::open(path)?.take(limit + 1);
    file.read_to_string(&mut text)?;
    if file.limit() == 0 {
        let message = format!("it has more than {} MiB", limit >> 20);
        return Err(std::io::Error::new(
            std::io::ErrorKind::FileTooLarge,
            message,
        ));
    }
    Ok(text)
}

/// As [`load`], from text that stands (or would stand) at `path`.
pub fn parse(text: &str, path: &Path) -> Result<Vec<Task>, TaskFileError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let path_of = || path.to_owned();
    let entries = entries(text).map_err(|error| match error {
        EntriesError::Syntax(source) => TaskFileError::Syntax {
            path: path_of(),
            source,
        },
        EntriesError::Shape(found) => TaskFileError::Shape {
            path: path_of(),
            found,
        },
    })?;
    let folder = folder_of(path).map_err(|source| TaskFileError::Read {
        path: path.to_owned(),
        source,
    })?;

    let mut tasks = Vec::with_capacity(entries.len());
    let mut problems = Vec::new();
    let mut seen: HashMap<TaskKey, (usize, usize)> = HashMap::new();
    for (index, entry) in entries.iter().enumerate() {
        let line = entry.line;
        let value = serde_json::from_str(entry.text);
        let mut reader = EntryReader {
            fields: None,
            folder: &folder,
            problems: Vec::new(),
        };
        let task = match &value {
            Ok(value) => reader.task(value),
            Err(error) => {
                reader.problems.push(format!("is not valid JSON: {error}"));
                Task::default()
            }
        };
        let key = Some(task.key.to_string()).filter(|key| !key.is_empty());
        if key.is_some()
            && let Some((first, line)) = seen.insert(task.key.clone(), (index, line))
        {
            let problem = format!("has the same key as task {first} in line {line}");
            reader.problems.push(problem);
        }
        problems.extend(reader.problems.into_iter().map(|what| TaskProblem {
            index,
            line,
            key: key.clone(),
            what,
        }));
        tasks.push(task);
    }
    if problems.is_empty() {
        Ok(tasks)
    } else {
        Err(TaskFileError::Tasks {
            path: path.to_owned(),
            problems,
        })
    }
}

fn folder_of(path: &Path) -> std::io::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    Ok(absolute
        .parent()
        .map_or_else(|| absolute.clone(), Path::to_owned))
}

/// Reads one entry and collects what is wrong with it.
struct EntryReader<'a> {
    fields: Option<&'a Map<String, Value>>,
    folder: &'a Path,
    problems: Vec<String>,
}

impl<'a> EntryReader<'a> {
    fn task(&mut self, entry: &'a Value) -> Task {
        let Some(fields) = entry.as_object() else {
            self.problems
                .push(format!("must be an object, but it is {}", name_of(entry)));
            return Task::default();
        };
        self.fields = Some(fields);
        let key = TaskKey::new(self.required(&["key", "id", "task_key"]));
        let metadata = self.object("metadata");
        let verifier = self.verifier(&key, &metadata);
        Task {
            prompt: self.required(&["prompt"]),
            env_id: self.required(&["env_id", "env_key", "environment_id"]),
            version: self.text(&["version", "env_version"]),
            data_id: self.text(&["data_id", "data_key"]),
            data_version: self.text(&["data_version"]),
            env_variables: self.object("env_variables"),
            output_json_schema: self.value("output_json_schema").cloned(),
            created_at: self.text(&["created_at"]),
            metadata,
            verifier,
            key,
        }
    }

    fn verifier(&mut self, key: &TaskKey, metadata: &Map<String, Value>) -> Option<VerifierSource> {
        let source = self.text(&["verifier_func", "verifier_code"]);
        let stored = match self.value("verifier") {
            None => None,
            Some(Value::Object(stored)) => Some(stored),
            Some(other) => {
                self.problems.push(format!(
                    "`verifier` must be an object, but it is {}",
                    name_of(other)
                ));
                None
            }
        };
        let code = match stored.filter(|stored| stored.contains_key("kind")) {
            Some(_) if source.is_some() => {
                self.problems.push(
                    "has both verifier source and a `verifier` of a kind; keep one".to_owned(),
                );
                None
            }
            Some(definition) => self.definition(definition),
            None => source
                .or_else(|| text_in(stored, "code"))
                .filter(|code| code_is_available(code)),
        }?;
        let nested = metadata.get("verifier").and_then(Value::as_object);
        Some(VerifierSource {
            key: text_in(stored, "key").unwrap_or_else(|| key.to_string()),
            id: self
                .text(&["verifier_id"])
                .or_else(|| text_in(stored, "verifier_id"))
                .or_else(|| text_in(nested, "verifier_id"))
                .map(Into::into),
            sha256: self
                .text(&["verifier_sha"])
                .or_else(|| text_in(stored, "sha256")),
            runtime_version: self
                .text(&["verifier_runtime_version"])
                .or_else(|| text_in(Some(metadata), "verifier_runtime_version")),
            code,
        })
    }

    /// Source from `{"kind": …}`.
    fn definition(&mut self, definition: &Map<String, Value>) -> Option<String> {
        match definition.get("kind").and_then(Value::as_str) {
            Some("python") => self.python_file(definition),
            Some(kind) if VERIFIER_KINDS.contains(&kind) => {
                let mut definition = Value::Object(definition.clone());
                self.fill_task_dir(&mut definition);
                Some(native_verifier::render(&definition))
            }
            _ => {
                let kind = definition.get("kind").unwrap_or(&Value::Null);
                self.problems.push(format!(
                    "`verifier.kind` is {kind}, but must be one of {}",
                    VERIFIER_KINDS.join(", ")
                ));
                None
            }
        }
    }

    fn python_file(&mut self, definition: &Map<String, Value>) -> Option<String> {
        if let Some(unknown) = definition
            .keys()
            .find(|key| *key != "kind" && *key != "file")
        {
            self.problems.push(format!(
                "a python `verifier` has a `file` and nothing else, not `{unknown}`"
            ));
        }
        let Some(file) = text_in(Some(definition), "file") else {
            self.problems
                .push("a python `verifier` needs the name of its `file`".to_owned());
            return None;
        };
        let path = self.folder.join(file);
        match read_at_most(MAX_SOURCE, &path) {
            Ok(code) => Some(code),
            Err(error) => {
                self.problems.push(format!(
                    "verifier file {} cannot be read: {error}",
                    path.display()
                ));
                None
            }
        }
    }

    /// Replaces [`TASK_DIR`] in every `command`, at any depth, as definitions may be nested.
    fn fill_task_dir(&mut self, definition: &mut Value) {
        match definition {
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value {
                        Value::Array(arguments) if name == "command" => {
                            for argument in arguments {
                                self.fill_argument(argument);
                            }
                        }
                        _ => self.fill_task_dir(value),
                    }
                }
            }
            Value::Array(items) => {
                for item in items {
                    self.fill_task_dir(item);
                }
            }
            _ => {}
        }
    }

    fn fill_argument(&mut self, argument: &mut Value) {
        let Value::String(text) = argument else {
            return;
        };
        if !text.contains(TASK_DIR) {
            return;
        }
        match self.folder.to_str() {
            Some(folder) => *text = text.replace(TASK_DIR, folder),
            None => self.problems.push(format!(
                "{TASK_DIR} cannot be used: the folder's name is not UTF-8"
            )),
        }
    }

    fn value(&self, name: &str) -> Option<&'a Value> {
        self.fields
            .and_then(|fields| fields.get(name))
            .filter(|value| !value.is_null())
    }

    /// The first of `names` that has a non-empty text.
    fn text(&mut self, names: &[&str]) -> Option<String> {
        for name in names {
            match self.value(name) {
                Some(Value::String(text)) if text.is_empty() => {}
                Some(Value::String(text)) => return Some(text.clone()),
                Some(other) => {
                    self.problems.push(format!(
                        "`{name}` must be text, but it is {}",
                        name_of(other)
                    ));
                    return None;
                }
                None => {}
            }
        }
        None
    }

    fn required(&mut self, names: &[&str]) -> String {
        let before = self.problems.len();
        self.text(names).unwrap_or_else(|| {
            // A wrong type is reported already; saying "missing" as well would mislead.
            if self.problems.len() == before {
                self.problems.push(match names {
                    [only] => format!("`{only}` is missing"),
                    [first, others @ ..] => {
                        format!(
                            "`{first}` is missing (also read from `{}`)",
                            others.join("`, `")
                        )
                    }
                    [] => unreachable!("a field has a name"),
                });
            }
            String::new()
        })
    }

    fn object(&mut self, name: &str) -> Map<String, Value> {
        match self.value(name) {
            Some(Value::Object(object)) => object.clone(),
            Some(other) => {
                self.problems.push(format!(
                    "`{name}` must be an object, but it is {}",
                    name_of(other)
                ));
                Map::new()
            }
            None => Map::new(),
        }
    }
}

fn text_in(fields: Option<&Map<String, Value>>, name: &str) -> Option<String> {
    fields?
        .get(name)?
        .as_str()
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// All problems on lines of their own, or the only one on the same line.
fn list(problems: &[TaskProblem]) -> String {
    match problems {
        [only] => only.to_string(),
        all => {
            let lines: Vec<_> = all.iter().map(|problem| format!("\n  {problem}")).collect();
            format!("{} problems{}", all.len(), lines.concat())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(content: &Value) -> Result<Vec<Task>, TaskFileError> {
        parse(&content.to_string(), Path::new("/data/tasks/desk.json"))
    }

    fn problems_of(text: &str) -> Vec<String> {
        match parse(text, Path::new("/data/tasks/desk.json")) {
            Err(TaskFileError::Tasks { problems, .. }) => {
                problems.iter().map(ToString::to_string).collect()
            }
            other => panic!("expected problems, got {other:?}"),
        }
    }

    #[test]
    fn every_dialect_reads_to_the_same_task() {
        let code = "def v(env): ...";
        let expected = read(
            &json!([{"key": "t", "prompt": "p", "env_id": "e", "version": "v1",
            "data_id": "d", "data_version": "v2", "verifier_func": code}]),
        )
        .unwrap();
        for other in [
            json!({"tasks": [{"id": "t", "prompt": "p", "env_key": "e", "env_version": "v1",
                "data_key": "d", "data_version": "v2", "verifier_code": code, "task_modality": "tool_use"}]}),
            json!([{"task_key": "t", "prompt": "p", "environment_id": "e", "version": "v1",
                "data_id": "d", "data_version": "v2", "verifier": {"code": code, "comment": null}}]),
            json!([{"key": "", "id": "t", "prompt": "p", "env_id": null, "env_key": "e", "version": "v1",
                "data_id": "d", "data_version": "v2", "verifier_func": "", "verifier": {"code": code}}]),
        ] {
            assert_eq!(read(&other).unwrap(), expected, "{other}");
        }
    }

    #[test]
    fn an_export_reads_back_as_it_was() {
        let mut task = Task {
            key: "t".into(),
            prompt: "p".into(),
            env_id: "e".into(),
            version: Some("v1".into()),
            created_at: Some("2025-06-01T08:00:00".into()),
            output_json_schema: Some(json!({"type": "string"})),
            verifier: Some(VerifierSource {
                id: Some("v9".into()),
                sha256: Some("ab".into()),
                runtime_version: Some("v3".into()),
                ..VerifierSource::new("t", "def v(env): ...")
            }),
            ..Task::default()
        };
        task.metadata.insert("avg_steps".into(), json!(11.5));
        assert_eq!(read(&json!([task.to_export_json()])).unwrap(), [task]);
    }

    #[test]
    fn a_native_verifier_becomes_source_with_the_folder_filled_in() {
        let tasks = read(&json!([{"key": "t", "prompt": "{task_dir}", "env_id": "e", "verifier":
            {"kind": "command", "command": ["python3", "{task_dir}/check.py", 3], "note": "{task_dir}"}}]))
        .unwrap();
        let verifier = tasks[0].verifier.as_ref().unwrap();
        assert_eq!(
            verifier.native().unwrap(),
            json!({"kind": "command",
            "command": ["python3", "/data/tasks/check.py", 3], "note": "{task_dir}"})
        );
        assert_eq!(verifier.key, "t");
        assert_eq!(tasks[0].prompt, "{task_dir}");
    }

    #[test]
    fn a_python_verifier_is_read_from_beside_the_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("v.py"), "def grade(env): ...\n").unwrap();
        let tasks = json!([{"key": "t", "prompt": "p", "env_id": "e", "verifier": {"kind": "python", "file": "v.py"}}]);
        let path = folder.path().join("tasks.json");
        std::fs::write(&path, tasks.to_string()).unwrap();
        let read = load(&path).unwrap();
        assert_eq!(
            read[0].verifier.as_ref().unwrap().code,
            "def grade(env): ...\n"
        );
        std::fs::remove_file(folder.path().join("v.py")).unwrap();
        assert!(
            load(&path)
                .unwrap_err()
                .to_string()
                .contains("v.py cannot be read")
        );
    }

    #[test]
    fn p2_p7_a_file_without_an_end_does_not_fill_the_memory() {
        let endless = read_at_most(1 << 20, Path::new("/dev/zero")).unwrap_err();
        assert_eq!(endless.kind(), std::io::ErrorKind::FileTooLarge);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("exactly");
        std::fs::write(&path, "x".repeat(1 << 20)).unwrap();
        assert_eq!(read_at_most(1 << 20, &path).unwrap().len(), 1 << 20);
    }

    #[test]
    fn p6_every_problem_names_its_task_and_twins_both_lines() {
        let found = problems_of(
            r#"[
            {"prompt": "p", "env_id": "e"},
            {"key": "a", "env_id": 3, "version": 2},
            7,
            {"key": "a", "prompt": "p", "env_id": "e", "metadata": []},
            {"key": "b", "prompt": "p", "env_id": "e", "verifier": {"kind": "magic"}},
            {"key": "c", "prompt": "p", "env_id": "e", "verifier": {"kind": "python"}},
            {"key": "d", "prompt": "p", "env_id": "e", "verifier": "def v(): ..."},
            {"key": "f", "prompt": "p", "env_id": "e", "verifier_func": "def v(): ...", "verifier": {"kind": "state"}}
        ]"#,
        );
        assert_eq!(
            found,
            [
                "task 0 in line 2: `key` is missing (also read from `id`, `task_key`)",
                "task 1 (a) in line 3: `prompt` is missing",
                "task 1 (a) in line 3: `env_id` must be text, but it is a number",
                "task 1 (a) in line 3: `version` must be text, but it is a number",
                "task 2 in line 4: must be an object, but it is a number",
                "task 3 (a) in line 5: `metadata` must be an object, but it is an array",
                "task 3 (a) in line 5: has the same key as task 1 in line 3",
                "task 4 (b) in line 6: `verifier.kind` is \"magic\", but must be one of state, command, python",
                "task 5 (c) in line 7: a python `verifier` needs the name of its `file`",
                "task 6 (d) in line 8: `verifier` must be an object, but it is text",
                "task 7 (f) in line 9: has both verifier source and a `verifier` of a kind; keep one",
            ]
        );
    }

    #[test]
    fn other_files_are_refused_with_their_name() {
        for (text, expected) in [
            ("{", "is not valid JSON"),
            ("3", "but it is a number"),
            ("{\"problems\": []}", "an object without `tasks`"),
            ("{\"tasks\": 1}", "an object whose `tasks` is no array"),
        ] {
            let error = parse(text, Path::new("desk.json")).unwrap_err().to_string();
            assert!(
                error.contains("desk.json") && error.contains(expected),
                "{error}"
            );
        }
        let missing = load(Path::new("no-such-file.json")).unwrap_err();
        assert!(matches!(missing, TaskFileError::Read { .. }));
        assert_eq!(parse("\u{feff}[]", Path::new("desk.json")).unwrap(), []);
    }
}
