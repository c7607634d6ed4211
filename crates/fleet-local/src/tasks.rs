//! The tasks that the server offers: task files, each a project named after the file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use fleet_api::task_file::{self, TaskFileError};
use fleet_api::types::{TaskResponse, VerifierData, VerifierId};
use fleet_api::{Task, VerifierSource};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::identity;

/// When a task was made, if its file does not say. Clients refuse a task without a date.
const UNKNOWN_DATE: &str = "1970-01-01T00:00:00.000000";

/// Why the tasks cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// A file cannot be used.
    #[error("could not load the tasks")]
    File(#[source] TaskFileError),
    /// Two files have a task of the same key.
    #[error("the task key {key:?} is used in both {} and {}", first.display(), second.display())]
    Duplicate {
        /// The key.
        key: String,
        /// The file where it was seen first.
        first: PathBuf,
        /// The file where it was seen again.
        second: PathBuf,
    },
}

/// A filter; `None` and the empty list let everything pass.
#[derive(Debug, Default)]
pub(crate) struct TaskFilter<'a> {
    /// `key` or `key:version`.
    pub(crate) env_key: Option<&'a str>,
    pub(crate) keys: Vec<&'a str>,
    /// All that are given must name the task's project.
    pub(crate) projects: [Option<&'a str>; 2],
    pub(crate) data_id: Option<&'a str>,
    pub(crate) data_version: Option<&'a str>,
}

#[derive(Debug)]
struct Entry {
    project: String,
    file: PathBuf,
    task: TaskResponse,
}

/// Every task of the server, in the order of the files.
#[derive(Debug, Default)]
pub(crate) struct TaskCatalogue {
    entries: Vec<Entry>,
    by_key: HashMap<String, usize>,
    projects: Vec<(String, String)>,
}

impl TaskCatalogue {
    /// Loads the files. Blocking.
    pub(crate) fn load(files: &[PathBuf]) -> Result<Self, TaskError> {
        let mut catalogue = Self::default();
        for file in files {
            // One file may be named by a package and by the caller.
            let file = file.canonicalize().unwrap_or_else(|_| file.clone());
            if !catalogue.entries.iter().any(|entry| entry.file == file) {
                catalogue.add(&file)?;
            }
        }
        Ok(catalogue)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&TaskResponse> {
        self.by_key.get(key).map(|index| &self.entries[*index].task)
    }

    pub(crate) fn filter<'a>(
        &'a self,
        filter: &'a TaskFilter<'a>,
    ) -> impl Iterator<Item = &'a TaskResponse> {
        self.entries
            .iter()
            .filter(|entry| filter.admits(entry))
            .map(|entry| &entry.task)
    }

    /// Project keys and when the first of their tasks was made.
    pub(crate) fn projects(&self) -> impl Iterator<Item = (&str, &str)> {
        self.projects
            .iter()
            .map(|(key, created_at)| (key.as_str(), created_at.as_str()))
    }

    pub(crate) fn verifier(&self, id: &str) -> Option<&VerifierData> {
        self.entries
            .iter()
            .filter_map(|entry| entry.task.verifier.as_ref())
            .find(|verifier| verifier.verifier_id.as_str() == id)
    }

    fn add(&mut self, file: &Path) -> Result<(), TaskError> {
        let project = file
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
            .unwrap_or_default();
        for task in task_file::load(file).map_err(TaskError::File)? {
            let task = response(task);
            let key = task.key.to_string();
            if let Some(known) = self.by_key.get(&key) {
                let first = self.entries[*known].file.clone();
                return Err(TaskError::Duplicate {
                    key,
                    first,
                    second: file.to_owned(),
                });
            }
            if !self.projects.iter().any(|(known, _)| *known == project) {
                self.projects
                    .push((project.clone(), task.created_at.clone()));
            }
            self.by_key.insert(key, self.entries.len());
            self.entries.push(Entry {
                project: project.clone(),
                file: file.to_owned(),
                task,
            });
        }
        Ok(())
    }
}

impl TaskFilter<'_> {
    fn admits(&self, entry: &Entry) -> bool {
        let task = &entry.task;
        let same = |wanted: Option<&str>, value: Option<&str>| {
            wanted.is_none_or(|wanted| value == Some(wanted))
        };
        (self.keys.is_empty() || self.keys.contains(&task.key.as_str()))
            && self
                .projects
                .iter()
                .all(|wanted| same(*wanted, Some(&entry.project)))
            && self
                .env_key
                .is_none_or(|wanted| is_environment(task, wanted))
            && same(self.data_id, task.data_id.as_deref())
            && same(self.data_version, task.data_version.as_deref())
    }
}

fn is_environment(task: &TaskResponse, wanted: &str) -> bool {
    let (own, own_version) = match task.environment_id.split_once(':') {
        Some((key, version)) => (key, Some(version)),
        None => (task.environment_id.as_str(), task.version.as_deref()),
    };
    match wanted.split_once(':') {
        Some((key, version)) => key == own && Some(version) == own_version,
        None => wanted == own,
    }
}

fn response(task: Task) -> TaskResponse {
    let created_at = task
        .created_at
        .filter(|date| !date.is_empty())
        .unwrap_or_else(|| UNKNOWN_DATE.to_owned());
    let mut metadata = task.metadata;
    let verifier = task
        .verifier
        .map(|source| stored(source, &created_at, &mut metadata));
    TaskResponse {
        key: task.key,
        prompt: task.prompt,
        team_id: identity::TEAM_ID.into(),
        environment_id: task.env_id,
        version: task.version,
        data_id: task.data_id,
        data_version: task.data_version,
        env_variables: Some(task.env_variables),
        verifier_id: verifier
            .as_ref()
            .map(|verifier| verifier.verifier_id.clone()),
        verifier_func: verifier.as_ref().map(|verifier| verifier.code.clone()),
        verifier,
        metadata: Some(metadata),
        output_json_schema: task.output_json_schema,
        created_at,
    }
}

fn stored(
    source: VerifierSource,
    created_at: &str,
    metadata: &mut Map<String, Value>,
) -> VerifierData {
    let sha256 = hex::encode(Sha256::digest(source.code.as_bytes()));
    if let Some(version) = source.runtime_version {
        metadata
            .entry("verifier_runtime_version")
            .or_insert_with(|| version.into());
    }
    VerifierData {
        // Ids stand in paths without escapes; one made of the key and the code is safe and stays
        // the same over restarts.
        verifier_id: source
            .id
            .filter(|id| id.path_segment().is_ok())
            .unwrap_or_else(|| derived_id(&source.key, &sha256)),
        key: source.key,
        version: 1,
        sha256,
        code: source.code,
        created_at: created_at.to_owned(),
        comment: None,
    }
}

fn derived_id(key: &str, sha256: &str) -> VerifierId {
    let digest = Sha256::digest(format!("{key}\n{sha256}"));
    let bytes: [u8; 16] = digest[..16].try_into().expect("a digest has 32 bytes");
    uuid::Builder::from_custom_bytes(bytes)
        .into_uuid()
        .to_string()
        .into()
}
