//! Instances that were, and the runs they formed.

use rusqlite::{Connection, OptionalExtension, named_params, params};
use serde_json::Value;

use super::error::ArchiveError;

/// Ended instances that are kept; each takes about two kilobytes.
const KEPT: i64 = 100_000;

/// Runs that are kept.
const RUNS_KEPT: i64 = 10_000;

/// How often it is looked whether there are too many; a count of all costs more than a create.
const LOOK_EVERY: i64 = 1000;

/// Why an instance that lived at the server's own end is not running.
const SERVER_ENDED: &str = "the server ended while the instance was alive";

/// A new instance.
#[derive(Debug)]
pub(crate) struct StoredInstance {
    pub(crate) id: String,
    pub(crate) run_id: Option<String>,
    pub(crate) region: String,
    pub(crate) created_at: String,
    /// Unix seconds.
    pub(crate) at: i64,
    /// The credential it came with (hashed) and its request id.
    pub(crate) request: Option<([u8; 32], String)>,
    pub(crate) record: Value,
}

/// What earlier servers left in the archive.
#[derive(Debug, Default)]
pub(crate) struct Past {
    /// Ids that must not be given again.
    pub(crate) ids: Vec<String>,
    pub(crate) requests: Vec<PastRequest>,
    /// In the order of their first instances.
    pub(crate) runs: Vec<PastRun>,
}

/// A create that an earlier server answered.
#[derive(Debug)]
pub(crate) struct PastRequest {
    pub(crate) credential: [u8; 32],
    pub(crate) request_id: String,
    pub(crate) instance_id: String,
}

/// A run of an earlier server.
#[derive(Debug)]
pub(crate) struct PastRun {
    pub(crate) run_id: String,
    pub(crate) total: u64,
    pub(crate) first_created_at: String,
    pub(crate) last_created_at: String,
}

/// Which ended instances are looked for.
#[derive(Debug, Default)]
pub(crate) struct PastFilter {
    pub(crate) status: String,
    pub(crate) region: Option<String>,
    pub(crate) run_id: Option<String>,
    pub(crate) limit: i64,
}

pub(crate) fn add(connection: &Connection, new: &StoredInstance) -> Result<(), ArchiveError> {
    let (credential, request_id) = match &new.request {
        Some((credential, id)) => (Some(&credential[..]), Some(id)),
        None => (None, None),
    };
    connection
        .prepare_cached(
            "INSERT INTO instances (id, run_id, region, status, live, credential, request_id, created_at, record)
             VALUES (?1, ?2, ?3, 'pending', 1, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            new.id,
            new.run_id,
            new.region,
            credential,
            request_id,
            new.at,
            new.record.to_string()
        ])?;
    if connection.last_insert_rowid() % LOOK_EVERY == 0 {
        forget_old(connection)?;
    }
    if let Some(run_id) = &new.run_id {
        connection
            .prepare_cached(
                "INSERT INTO runs (run_id, total, first_created_at, last_created_at) VALUES (?1, 1, ?2, ?2)
                 ON CONFLICT (run_id) DO UPDATE SET total = total + 1, last_created_at = ?2",
            )?
            .execute([run_id, &new.created_at])?;
    }
    Ok(())
}

/// Replaces the record of an instance, which may have ended by now. What ended does not live again, in whatever order
/// the changes come.
pub(crate) fn change(
    connection: &Connection,
    id: &str,
    status: &str,
    live: bool,
    record: &Value,
) -> Result<(), ArchiveError> {
    connection
        .prepare_cached(
            "UPDATE instances SET status = ?2, live = ?3, record = ?4 WHERE id = ?1 AND live = 1",
        )?
        .execute(params![id, status, live, record.to_string()])?;
    Ok(())
}

pub(crate) fn get(connection: &Connection, id: &str) -> Result<Option<Value>, ArchiveError> {
    let record: Option<String> = connection
        .prepare_cached("SELECT record FROM instances WHERE id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()?;
    Ok(record
        .map(|record| serde_json::from_str(&record))
        .transpose()?)
}

/// The newest that a filter admits, oldest first.
pub(crate) fn list(
    connection: &Connection,
    filter: &PastFilter,
) -> Result<Vec<Value>, ArchiveError> {
    let mut statement = connection.prepare_cached(
        "SELECT record FROM instances
         WHERE live = 0 AND status = :status AND (:region IS NULL OR region = :region) AND (:run IS NULL OR run_id = :run)
         ORDER BY seq DESC LIMIT :limit",
    )?;
    let rows = statement.query_map(
        named_params! {":status": filter.status, ":region": filter.region, ":run": filter.run_id, ":limit": filter.limit},
        |row| row.get::<_, String>(0),
    )?;
    let mut records = rows
        .map(|row| Ok(serde_json::from_str(&row?)?))
        .collect::<Result<Vec<Value>, ArchiveError>>()?;
    records.reverse();
    Ok(records)
}

/// Ends what an earlier server left alive (its processes died with it), and tells what there was. Once, at the start.
pub(crate) fn take_over(
    connection: &Connection,
    now: &str,
    not_before: i64,
) -> Result<Past, ArchiveError> {
    connection.execute(
        "UPDATE instances SET live = 0, status = 'stopped', record = json_set(record,
             '$.status', 'stopped', '$.health', json('false'), '$.status_reason', ?1, '$.terminated_at', ?2, '$.updated_at', ?2)
         WHERE live = 1",
        [SERVER_ENDED, now],
    )?;
    forget_old(connection)?;
    let ids = connection
        .prepare("SELECT id FROM instances")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let requests = connection
        .prepare("SELECT credential, request_id, id FROM instances WHERE request_id IS NOT NULL AND created_at >= ?1")?
        .query_map([not_before], |row| {
            Ok(PastRequest {
                credential: row.get(0)?,
                request_id: row.get(1)?,
                instance_id: row.get(2)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    let runs = connection
        .prepare("SELECT run_id, total, first_created_at, last_created_at FROM runs ORDER BY seq")?
        .query_map([], |row| {
            Ok(PastRun {
                run_id: row.get(0)?,
                total: row.get(1)?,
                first_created_at: row.get(2)?,
                last_created_at: row.get(3)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(Past {
        ids,
        requests,
        runs,
    })
}

fn forget_old(connection: &Connection) -> Result<(), ArchiveError> {
    connection.execute(
        "DELETE FROM instances WHERE live = 0 AND seq <= (SELECT max(seq) FROM instances) - ?1",
        [KEPT],
    )?;
    connection.execute(
        "DELETE FROM runs WHERE seq <= (SELECT seq FROM runs ORDER BY seq DESC LIMIT 1 OFFSET ?1)",
        [RUNS_KEPT],
    )?;
    Ok(())
}
