//! Tasks, their verifiers and projects, as the Fleet API answers and takes them.

use axum::extract::{Path, State};
use axum::response::Json;
use fleet_api::types::{Project, ProjectList, TaskResponse, UpdateTaskBody, VerifierRecord};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::body::{Body, once};
use super::error::ApiError;
use super::query::Query;
use super::state::App;
use super::task_body;
use crate::archive::{StoredTask, StoredVersion, sql};
use crate::clock::text;
use crate::identity;
use crate::tasks::{TaskFilter, response, version};

/// Tasks of the server; imports beyond it are refused.
const MOST_TASKS: usize = 100_000;

pub(super) async fn list(State(app): State<App>, query: Query) -> Json<Value> {
    let filter = TaskFilter {
        env_key: query.get("env_key"),
        keys: query.all("task_keys").collect(),
        // Two names for one thing: both name the collection that a task was filed under.
        projects: [query.get("project_key"), query.get("task_project_key")],
        data_id: query.get("data_id"),
        data_version: query.get("data_version"),
    };
    let tasks: Vec<Value> = if is_own_team(&query) {
        app.tasks.filter(&filter).iter().map(answer).collect()
    } else {
        Vec::new()
    };
    Json(json!({"total": tasks.len(), "tasks": tasks}))
}

pub(super) async fn get(
    State(app): State<App>,
    Path(key): Path<String>,
    query: Query,
) -> Result<Json<Value>, ApiError> {
    if !is_own_team(&query) {
        return Err(ApiError::team_not_found());
    }
    let current = find(&app, &key)?.version;
    let Some(wanted) = query.get("version_id").map(str::to_owned) else {
        return Ok(Json(answer(&current)));
    };
    if current.version_id == wanted {
        return Ok(Json(answer(&current)));
    }
    let unknown = ApiError::not_found(format!("Task '{key}' has no version '{wanted}'"));
    let found: Option<StoredVersion> = app
        .archive
        .read(move |connection| sql::tasks::version(connection, &key, &wanted))
        .await?;
    found.map(|version| Json(answer(&version))).ok_or(unknown)
}

/// A key that is known is a new version of its task: an import is repeated when a file was changed.
pub(super) async fn import(
    State(app): State<App>,
    query: Query,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let import = task_body::read(&body.bytes)?;
    let project = query.get("project_key").map(str::to_owned);
    let _turn = app.tasks.turn().await;
    let before = app.tasks.get(import.task.key.as_str());
    if before.is_none() && app.tasks.len() >= MOST_TASKS {
        return Err(ApiError::too_large(format!(
            "The server has {MOST_TASKS} tasks and takes no more"
        )));
    }
    let mut task = import.task;
    if task.created_at.is_none() {
        task.created_at = Some(before.as_ref().map_or_else(
            || text(app.host.clock.now()),
            |known| known.version.task.created_at.clone(),
        ));
    }
    let mut task = response(task);
    if let Some(known) = &before {
        carry_verifier(&known.version.task, &mut task, &text(app.host.clock.now()));
    }
    let project = project.or_else(|| before.as_ref()?.project.clone());
    let modality = import
        .modality
        .or_else(|| before.as_ref()?.version.modality.clone());
    let changed = StoredTask {
        project,
        version: version(task, modality),
    };
    store(&app, &body, "import", before, changed).await
}

pub(super) async fn update(
    State(app): State<App>,
    Path(key): Path<String>,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let update: UpdateTaskBody = body.json()?;
    if update.prompt.as_deref().is_some_and(str::is_empty) {
        let message = "String should have at least 1 character";
        return Err(ApiError::invalid_field(
            "prompt",
            message,
            "string_too_short",
        ));
    }
    let _turn = app.tasks.turn().await;
    let before = find(&app, &key)?;
    let mut task = before.version.task.clone();
    if let Some(prompt) = update.prompt {
        task.prompt = prompt;
    }
    if let Some(metadata) = update.metadata {
        task.metadata = Some(metadata);
    }
    if let Some(code) = update.verifier_code {
        change_code(&mut task, code, &text(app.host.clock.now()));
    }
    let changed = StoredTask {
        project: before.project.clone(),
        version: version(task, before.version.modality.clone()),
    };
    store(&app, &body, "update", Some(before), changed).await
}

pub(super) async fn projects(State(app): State<App>) -> Json<ProjectList> {
    let projects = app
        .tasks
        .projects()
        .into_iter()
        .map(|project| Project {
            project_key: project.key.into(),
            task_modality: project.modality,
            created_at: project.created_at,
        })
        .collect();
    Json(ProjectList { projects })
}

pub(super) async fn verifier(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<VerifierRecord>, ApiError> {
    let found = app
        .tasks
        .verifier(&id)
        .ok_or_else(|| ApiError::not_found(format!("Verifier '{id}' not found")))?;
    Ok(Json(VerifierRecord {
        key: found.key,
        code: found.code,
        sha256: Some(found.sha256),
    }))
}

/// Called in the caller's turn.
async fn store(
    app: &App,
    body: &Body,
    route: &'static str,
    before: Option<StoredTask>,
    changed: StoredTask,
) -> Result<Json<Value>, ApiError> {
    let request = body.request(app, route)?;
    if before
        .as_ref()
        .is_some_and(|known| is_same(known, &changed))
    {
        return Ok(Json(answer(&changed.version)));
    }
    let task = changed.clone();
    let said = app
        .archive
        .write(move |connection| {
            once(connection, request.as_ref(), || {
                let before = before.as_ref().map(|task| &task.version);
                sql::tasks::put(connection, &task, before)?;
                Ok::<Value, ApiError>(answer(&task.version))
            })
        })
        .await?;
    // A repeat whose answer was lost changes nothing: what it asked for may have been changed again since.
    if said["eval_task_version_id"] == json!(changed.version.version_id) {
        app.tasks.put(changed);
    }
    Ok(Json(said))
}

fn is_same(known: &StoredTask, other: &StoredTask) -> bool {
    known.version.version_id == other.version.version_id && known.project == other.project
}

fn find(app: &App, key: &str) -> Result<StoredTask, ApiError> {
    app.tasks
        .get(key)
        .ok_or_else(|| ApiError::not_found(format!("Task '{key}' not found")))
}

pub(super) fn is_own_team(query: &Query) -> bool {
    query
        .get("team_id")
        .is_none_or(|team| team == identity::TEAM_ID)
}

/// The task with what the hosted service says beside the client's model.
fn answer(version: &StoredVersion) -> Value {
    let mut value = serde_json::to_value(&version.task).unwrap_or_default();
    value["eval_task_version_id"] = json!(version.version_id);
    value["task_modality"] = json!(version.modality);
    value
}

/// A verifier keeps its id over its versions; other code is the next version.
fn carry_verifier(known: &TaskResponse, task: &mut TaskResponse, now: &str) {
    let Some(code) = task.verifier.as_ref().map(|verifier| verifier.code.clone()) else {
        return;
    };
    if known.verifier.is_some() {
        task.verifier.clone_from(&known.verifier);
        task.verifier_id.clone_from(&known.verifier_id);
        change_code(task, code, now);
    }
}

fn change_code(task: &mut TaskResponse, code: String, now: &str) {
    let sha256 = hex::encode(Sha256::digest(code.as_bytes()));
    task.verifier_func = Some(code.clone());
    if let Some(verifier) = &mut task.verifier {
        if verifier.code != code {
            verifier.version += 1;
            now.clone_into(&mut verifier.created_at);
        }
        verifier.code = code;
        verifier.sha256 = sha256;
        return;
    }
    let mut fresh = response(fleet_api::Task {
        key: task.key.clone(),
        created_at: Some(now.to_owned()),
        verifier: Some(fleet_api::VerifierSource {
            id: task.verifier_id.clone(),
            ..fleet_api::VerifierSource::new(task.key.as_str(), code)
        }),
        ..fleet_api::Task::default()
    });
    task.verifier = fresh.verifier.take();
    task.verifier_id = fresh.verifier_id;
}
