//! Gets the tasks that a spec names, from files or from the service.

use std::collections::HashMap;
use std::path::PathBuf;

use fleet_api::task_file::{self, TaskFileError};
use fleet_api::types::TaskKey;
use fleet_api::{Client, Task, TaskQuery};

use crate::spec::TaskSource;

/// Why the tasks of a spec cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A tasks file cannot be read.
    #[error("could not load the tasks")]
    File(#[source] TaskFileError),
    /// Two files have a task of the same key.
    #[error("the task `{key}` is in `{}` and in `{}`", first.display(), second.display())]
    Duplicate {
        /// The task.
        key: TaskKey,
        /// One file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// The service did not answer properly.
    #[error("could not load the tasks from the service")]
    Service(#[source] fleet_api::Error),
    /// The service has none.
    #[error("{what} has no tasks")]
    Empty {
        /// What was asked for.
        what: String,
    },
    /// The service does not know some keys.
    #[error("the service does not know {}", list(keys))]
    Unknown {
        /// The keys.
        keys: Vec<String>,
    },
}

/// How many unknown keys are named before the rest is counted.
const NAMED: usize = 5;

fn list(keys: &[String]) -> String {
    let named: Vec<String> = keys
        .iter()
        .take(NAMED)
        .map(|key| format!("`{key}`"))
        .collect();
    let rest = keys.len().saturating_sub(NAMED);
    let noun = if keys.len() == 1 { "task" } else { "tasks" };
    if rest > 0 {
        format!("the {noun} {} and {rest} more", named.join(", "))
    } else {
        format!("the {noun} {}", named.join(", "))
    }
}

/// The tasks of a source, in its order, before any filter.
pub async fn load_tasks(source: &TaskSource, client: &Client) -> Result<Vec<Task>, LoadError> {
    match source {
        TaskSource::Files(paths) => from_files(paths),
        TaskSource::Project(project) => {
            let query = TaskQuery {
                project_key: Some(project.clone()),
                ..TaskQuery::default()
            };
            from_service(client, &query, &format!("the project `{project}`")).await
        }
        TaskSource::Environment(environment) => {
            let query = TaskQuery {
                env_key: Some(environment.clone()),
                ..TaskQuery::default()
            };
            from_service(client, &query, &format!("the environment `{environment}`")).await
        }
        TaskSource::Keys(keys) => by_keys(client, keys).await,
    }
}

fn from_files(paths: &[PathBuf]) -> Result<Vec<Task>, LoadError> {
    let mut tasks = Vec::new();
    let mut seen: HashMap<TaskKey, PathBuf> = HashMap::new();
    for path in paths {
        for task in task_file::load(path).map_err(LoadError::File)? {
            if let Some(first) = seen.insert(task.key.clone(), path.clone()) {
                return Err(LoadError::Duplicate {
                    key: task.key,
                    first,
                    second: path.clone(),
                });
            }
            tasks.push(task);
        }
    }
    Ok(tasks)
}

async fn from_service(
    client: &Client,
    query: &TaskQuery,
    what: &str,
) -> Result<Vec<Task>, LoadError> {
    let tasks = client.tasks(query).await.map_err(LoadError::Service)?;
    if tasks.is_empty() {
        return Err(LoadError::Empty {
            what: what.to_owned(),
        });
    }
    Ok(tasks)
}

async fn by_keys(client: &Client, keys: &[String]) -> Result<Vec<Task>, LoadError> {
    let query = TaskQuery {
        keys: Some(keys.iter().map(TaskKey::new).collect()),
        ..TaskQuery::default()
    };
    let tasks = client.tasks(&query).await.map_err(LoadError::Service)?;
    let mut by_key: HashMap<TaskKey, Task> = tasks
        .into_iter()
        .map(|task| (task.key.clone(), task))
        .collect();
    let mut found = Vec::with_capacity(keys.len());
    let mut unknown = Vec::new();
    for key in keys {
        match by_key.remove(&TaskKey::new(key)) {
            Some(task) => found.push(task),
            None => unknown.push(key.clone()),
        }
    }
    if unknown.is_empty() {
        Ok(found)
    } else {
        Err(LoadError::Unknown { keys: unknown })
    }
}
