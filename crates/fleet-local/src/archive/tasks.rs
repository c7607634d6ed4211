//! Tasks that were imported or changed, with their earlier versions, and projects.

use rusqlite::{Connection, OptionalExtension, params};

use fleet_api::types::TaskResponse;

use super::error::ArchiveError;

/// Versions kept of one task; the oldest go first.
const VERSIONS_KEPT: i64 = 200;

/// A task as it is now.
#[derive(Debug, Clone)]
pub(crate) struct StoredTask {
    pub(crate) project: Option<String>,
    pub(crate) version: StoredVersion,
}

/// One version of a task.
#[derive(Debug, Clone)]
pub(crate) struct StoredVersion {
    pub(crate) version_id: String,
    pub(crate) modality: Option<String>,
    pub(crate) task: TaskResponse,
}

pub(crate) fn all(connection: &Connection) -> Result<Vec<StoredTask>, ArchiveError> {
    let mut statement =
        connection.prepare("SELECT project, modality, version_id, task FROM tasks ORDER BY seq")?;
    let rows = statement.query_map([], |row| {
        Ok((
            row.get(0)?,
            row.get(1)?,
            row.get(2)?,
            row.get::<_, String>(3)?,
        ))
    })?;
    rows.map(|row| {
        let (project, modality, version_id, task) = row?;
        Ok(StoredTask {
            project,
            version: StoredVersion {
                version_id,
                modality,
                task: serde_json::from_str(&task)?,
            },
        })
    })
    .collect()
}

/// Projects and when they were made.
pub(crate) fn projects(connection: &Connection) -> Result<Vec<(String, String)>, ArchiveError> {
    let mut statement =
        connection.prepare("SELECT project, created_at FROM projects ORDER BY seq")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Makes this the task of its key. `before` is the version it replaces, kept if it is not yet.
pub(crate) fn put(
    connection: &Connection,
    task: &StoredTask,
    before: Option<&StoredVersion>,
) -> Result<(), ArchiveError> {
    let version = &task.version;
    let key = version.task.key.as_str();
    connection
        .prepare_cached(
            "INSERT INTO tasks (key, project, modality, version_id, task) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (key) DO UPDATE SET project = ?2, modality = ?3, version_id = ?4, task = ?5",
        )?
        .execute(params![
            key,
            task.project,
            version.modality,
            version.version_id,
            serde_json::to_string(&version.task)?
        ])?;
    for version in before.into_iter().chain([version]) {
        connection
            .prepare_cached("INSERT OR IGNORE INTO task_versions (version_id, key, modality, task) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![
                version.version_id,
                key,
                version.modality,
                serde_json::to_string(&version.task)?
            ])?;
    }
    connection
        .prepare_cached(
            "DELETE FROM task_versions WHERE key = ?1 AND seq <=
             (SELECT seq FROM task_versions WHERE key = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)",
        )?
        .execute(params![key, VERSIONS_KEPT])?;
    if let Some(project) = &task.project {
        connection
            .prepare_cached("INSERT OR IGNORE INTO projects (project, created_at) VALUES (?1, ?2)")?
            .execute(params![project, version.task.created_at])?;
    }
    Ok(())
}

pub(crate) fn version(
    connection: &Connection,
    key: &str,
    version_id: &str,
) -> Result<Option<StoredVersion>, ArchiveError> {
    let found: Option<(Option<String>, String)> = connection
        .prepare_cached(
            "SELECT modality, task FROM task_versions WHERE key = ?1 AND version_id = ?2",
        )?
        .query_row([key, version_id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    found
        .map(|(modality, task)| {
            Ok(StoredVersion {
                version_id: version_id.to_owned(),
                modality,
                task: serde_json::from_str(&task)?,
            })
        })
        .transpose()
}
