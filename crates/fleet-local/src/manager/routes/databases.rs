//! The databases of an instance: their tables, statements, and the difference to the beginning.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Json;
use fleet_api::types::manager::{
    DescribeResponse, DiffBody, DiffResponse, QueryBody, QueryResponse, TableDiff, TableSchema,
};

use super::{parse, parse_or_default};
use crate::error_chain;
use crate::manager::query::{self, Answer, limit_time};
use crate::manager::state::{InstanceManager, Mode};
use crate::manager::{diff, schema};
use crate::seam::CURRENT;

/// Changed rows that one structured diff reports; a verifier that expects more would not be readable.
const CHANGED_ROWS: usize = 200_000;

/// A comparison reads both databases once; the official client waits 300 s.
const DIFF_TIME: Duration = Duration::from_mins(2);

pub(super) async fn describe(
    State(manager): State<InstanceManager>,
    Path(name): Path<String>,
) -> Json<DescribeResponse> {
    let (success, message, tables, error) = match tables(&manager, &name).await {
        Ok(tables) => {
            let message = "Database described successfully".to_owned();
            (true, message, Some(tables), None)
        }
        Err(error) => (false, error.clone(), None, Some(error)),
    };
    Json(DescribeResponse {
        success,
        resource_name: name,
        tables,
        error,
        message,
    })
}

async fn tables(manager: &InstanceManager, name: &str) -> Result<Vec<TableSchema>, String> {
    let resource = manager
        .resource(name)
        .cloned()
        .ok_or("no database of this name")?;
    let work = move || {
        let connection = resource
            .open(Mode::ReadOnly)
            .map_err(|error| error_chain(&error))?;
        schema::describe(&connection).map_err(|error| error.to_string())
    };
    manager.blocking(work).await
}

pub(super) async fn query(
    State(manager): State<InstanceManager>,
    Path(name): Path<String>,
    body: Bytes,
) -> Json<QueryResponse> {
    Json(match run(&manager, &name, &body).await {
        Ok(answer) => QueryResponse {
            success: true,
            message: "Query executed successfully".to_owned(),
            columns: Some(answer.columns),
            rows: Some(answer.rows),
            rows_affected: answer.rows_affected,
            last_insert_id: answer.last_insert_id,
            error: None,
        },
        Err(error) => QueryResponse {
            success: false,
            message: error.clone(),
            error: Some(error),
            ..QueryResponse::default()
        },
    })
}

async fn run(manager: &InstanceManager, name: &str, body: &[u8]) -> Result<Answer, String> {
    let request: QueryBody = parse(body)?;
    let resource = manager
        .resource(name)
        .cloned()
        .ok_or_else(|| format!("no database named '{name}'"))?;
    let limits = manager.limits();
    let work = move || {
        let wanted = if request.read_only {
            Mode::ReadOnly
        } else {
            Mode::ReadWrite
        };
        let mut connection = resource.open(wanted).map_err(|error| error_chain(&error))?;
        let arguments = request.args.unwrap_or_default();
        query::run(&mut connection, &request.query, &arguments, limits)
            .map_err(|error| error.to_string())
    };
    manager.blocking(work).await
}

pub(super) async fn structured_diff(
    State(manager): State<InstanceManager>,
    body: Bytes,
) -> Json<DiffResponse> {
    Json(match compare(&manager, &body).await {
        Ok(tables) => DiffResponse {
            success: true,
            message: "Structured diff generated successfully".to_owned(),
            diff: Some(tables),
            error: None,
        },
        Err(error) => DiffResponse {
            success: false,
            message: error.clone(),
            diff: None,
            error: Some(error),
        },
    })
}

async fn compare(
    manager: &InstanceManager,
    body: &[u8],
) -> Result<BTreeMap<String, TableDiff>, String> {
    let request: DiffBody = parse_or_default(body)?;
    let (Some(seed), Some(current)) = (
        manager.resource("seed").cloned(),
        manager.resource(CURRENT).cloned(),
    ) else {
        return Err("this environment has no main database".to_owned());
    };
    let work = move || {
        let mut seed = seed
            .open(Mode::ReadOnly)
            .map_err(|error| error_chain(&error))?;
        let mut current = current
            .open(Mode::ReadOnly)
            .map_err(|error| error_chain(&error))?;
        limit_time(&mut seed, DIFF_TIME).map_err(|error| error.to_string())?;
        limit_time(&mut current, DIFF_TIME).map_err(|error| error.to_string())?;
        let ignore = request.ignore_config.unwrap_or_default();
        diff::structured(&seed, &current, &ignore, CHANGED_ROWS)
            .map_err(|error| error_chain(&error))
    };
    manager.blocking(work).await
}
