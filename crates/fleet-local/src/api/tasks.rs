//! The tasks that the server was given, as the Fleet API answers them.

use axum::extract::{Path, State};
use axum::response::Json;
use fleet_api::types::{TaskList, TaskResponse, VerifierRecord};
use serde_json::{Value, json};

use super::error::ApiError;
use super::query::Query;
use super::state::App;
use crate::identity;
use crate::tasks::TaskFilter;

pub(super) async fn list(State(app): State<App>, query: Query) -> Json<TaskList> {
    let filter = TaskFilter {
        env_key: query.get("env_key"),
        keys: query.all("task_keys").collect(),
        // Two names for one thing: both name the collection that a task was filed under.
        projects: [query.get("project_key"), query.get("task_project_key")],
        data_id: query.get("data_id"),
        data_version: query.get("data_version"),
    };
    let own_team = query
        .get("team_id")
        .is_none_or(|team| team == identity::TEAM_ID);
    let tasks: Vec<TaskResponse> = if own_team {
        app.tasks.filter(&filter).cloned().collect()
    } else {
        Vec::new()
    };
    Json(TaskList {
        total: tasks.len() as u64,
        tasks,
    })
}

pub(super) async fn get(
    State(app): State<App>,
    Path(key): Path<String>,
) -> Result<Json<TaskResponse>, ApiError> {
    app.tasks
        .get(&key)
        .cloned()
        .map(Json)
        .ok_or_else(|| ApiError::not_found(format!("Task '{key}' not found")))
}

pub(super) async fn projects(State(app): State<App>) -> Json<Value> {
    let projects: Vec<Value> = app
        .tasks
        .projects()
        .map(|(key, created_at)| json!({"project_key": key, "task_modality": null, "created_at": created_at}))
        .collect();
    Json(json!({"projects": projects}))
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
        key: found.key.clone(),
        code: found.code.clone(),
        sha256: Some(found.sha256.clone()),
    }))
}
