//! The tasks that the server offers: task files, each a project named after the file, and over them what was imported or
//! changed since.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use fleet_api::task_file::{self, TaskFileError};
use fleet_api::types::{TaskResponse, VerifierData, VerifierId};
use fleet_api::{Task, VerifierSource};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::archive::{StoredTask, StoredVersion};
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
    project: Option<String>,
    /// Where it was read; none for an imported one.
    file: Option<PathBuf>,
    version: StoredVersion,
}

/// A project: its key, when the first of its tasks was made, and the modality if all of its tasks have one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProjectView {
    pub(crate) key: String,
    pub(crate) created_at: String,
    pub(crate) modality: Option<String>,
}

#[derive(Debug, Default)]
struct Entries {
    list: Vec<Entry>,
    by_key: HashMap<String, usize>,
    projects: Vec<(String, String)>,
}

/// Every task of the server: those of the files in their order, then imported ones.
#[derive(Debug, Default)]
pub(crate) struct TaskCatalogue {
    entries: RwLock<Entries>,
    /// Held from the look at a task to its change, so that two changes at once do not lose one.
    turn: tokio::sync::Mutex<()>,
}

impl TaskCatalogue {
    /// Loads the files. Blocking.
    pub(crate) fn load(files: &[PathBuf]) -> Result<Self, TaskError> {
        let mut entries = Entries::default();
        for file in files {
            // One file may be named by a package and by the caller.
            let file = file.canonicalize().unwrap_or_else(|_| file.clone());
            if !entries
                .list
                .iter()
                .any(|entry| entry.file.as_ref() == Some(&file))
            {
                entries.add_file(&file)?;
            }
        }
        Ok(Self {
            entries: RwLock::new(entries),
            turn: tokio::sync::Mutex::default(),
        })
    }

    /// Waits until nobody else changes a task.
    pub(crate) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Puts a task in the place of the one of its key, or at the end.
    pub(crate) fn put(&self, task: StoredTask) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        entries.put(None, task.project, task.version);
    }

    /// Makes a project known that may have no task any more.
    pub(crate) fn add_project(&self, key: String, created_at: String) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        entries.add_project(&key, &created_at);
    }

    pub(crate) fn len(&self) -> usize {
        self.entries().list.len()
    }

    pub(crate) fn get(&self, key: &str) -> Option<StoredTask> {
        let entries = self.entries();
        let entry = &entries.list[*entries.by_key.get(key)?];
        Some(StoredTask {
            project: entry.project.clone(),
            version: entry.version.clone(),
        })
    }

    pub(crate) fn filter(&self, filter: &TaskFilter<'_>) -> Vec<StoredVersion> {
        self.entries()
            .list
            .iter()
            .filter(|entry| filter.admits(entry))
            .map(|entry| entry.version.clone())
            .collect()
    }

    pub(crate) fn projects(&self) -> Vec<ProjectView> {
        let entries = self.entries();
        let modality = |key: &str| {
            let mut of_project = entries
                .list
                .iter()
                .filter(|entry| entry.project.as_deref() == Some(key))
                .map(|entry| &entry.version.modality);
            let first = of_project.next()?.clone()?;
            of_project
                .all(|other| other.as_ref() == Some(&first))
                .then_some(first)
        };
        entries
            .projects
            .iter()
            .map(|(key, created_at)| ProjectView {
                key: key.clone(),
                created_at: created_at.clone(),
                modality: modality(key),
            })
            .collect()
    }

    pub(crate) fn verifier(&self, id: &str) -> Option<VerifierData> {
        self.entries()
            .list
            .iter()
            .filter_map(|entry| entry.version.task.verifier.as_ref())
            .find(|verifier| verifier.verifier_id.as_str() == id)
            .cloned()
    }

    fn entries(&self) -> RwLockReadGuard<'_, Entries> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn add_file(&mut self, file: &Path) -> Result<(), TaskError> {
        let project = file
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
            .unwrap_or_default();
        for task in task_file::load(file).map_err(TaskError::File)? {
            let task = response(task);
            let key = task.key.to_string();
            if let Some(known) = self.by_key.get(&key) {
                let first = self.list[*known].file.clone().unwrap_or_default();
                return Err(TaskError::Duplicate {
                    key,
                    first,
                    second: file.to_owned(),
                });
            }
            let version = version(task, None);
            self.put(Some(file.to_owned()), Some(project.clone()), version);
        }
        Ok(())
    }

    fn put(&mut self, file: Option<PathBuf>, project: Option<String>, version: StoredVersion) {
        if let Some(project) = &project {
            self.add_project(project, &version.task.created_at);
        }
        let key = version.task.key.to_string();
        let entry = Entry {
            project,
            file,
            version,
        };
        if let Some(place) = self.by_key.get(&key) {
            let known = &mut self.list[*place];
            let file = known.file.take();
            *known = Entry { file, ..entry };
        } else {
            self.by_key.insert(key, self.list.len());
            self.list.push(entry);
        }
    }

    fn add_project(&mut self, key: &str, created_at: &str) {
        if !self.projects.iter().any(|(known, _)| known == key) {
            self.projects.push((key.to_owned(), created_at.to_owned()));
        }
    }
}

/// A version is named by what it says: the same content has the same id on every start.
pub(crate) fn version(task: TaskResponse, modality: Option<String>) -> StoredVersion {
    let modality = modality.or_else(|| {
        let metadata = task.metadata.as_ref()?;
        metadata.get("task_modality")?.as_str().map(str::to_owned)
    });
    let text = serde_json::to_string(&task).unwrap_or_default();
    StoredVersion {
        version_id: derived_uuid(&format!("{}\n{text}", modality.as_deref().unwrap_or(""))),
        modality,
        task,
    }
}

impl TaskFilter<'_> {
    fn admits(&self, entry: &Entry) -> bool {
        let task = &entry.version.task;
        let same = |wanted: Option<&str>, value: Option<&str>| {
            wanted.is_none_or(|wanted| value == Some(wanted))
        };
        (self.keys.is_empty() || self.keys.contains(&task.key.as_str()))
            && self
                .projects
                .iter()
                .all(|wanted| same(*wanted, entry.project.as_deref()))
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

/// The task as the API answers it.
pub(crate) fn response(task: Task) -> TaskResponse {
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
    derived_uuid(&format!("{key}\n{sha256}")).into()
}

fn derived_uuid(text: &str) -> String {
    let digest = Sha256::digest(text);
    let bytes: [u8; 16] = digest[..16].try_into().expect("a digest has 32 bytes");
    uuid::Builder::from_custom_bytes(bytes)
        .into_uuid()
        .to_string()
}
