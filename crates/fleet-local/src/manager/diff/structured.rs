//! The form in which differences go over the wire.

use std::collections::BTreeMap;

use rusqlite::Connection;
use serde::Serialize;
use serde_json::{Map, Value};

use super::difference::{DiffError, Difference, Ignore, Row, Table};
use super::walk::walk;
use crate::manager::Cell;

/// The wire form of one table's differences.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct TableDiff {
    /// Table name.
    pub table_name: String,
    /// Key fields.
    pub primary_key: Vec<String>,
    /// Rows only in the current state.
    pub added_rows: Vec<ChangedRow>,
    /// Rows only in the seed.
    pub removed_rows: Vec<ChangedRow>,
    /// Rows in both that differ.
    pub modified_rows: Vec<ChangedRow>,
    /// Rows that are equal, ignored fields aside.
    pub unchanged_count: u64,
    /// Added, removed and modified rows together.
    pub total_changes: usize,
}

/// One row of a [`TableDiff`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChangedRow {
    /// Key value, or list of key values.
    pub row_id: Value,
    /// Field → `{"before", "after"}`; only for modified rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<Map<String, Value>>,
    /// The row with its rowid, without ignored fields; for modified rows as it is now.
    pub data: Map<String, Value>,
}

/// Compares two databases into the form that `POST /diff/structured` answers with. Every compared table appears, unchanged ones with empty lists.
///
/// # Errors
/// As [`walk`], and [`DiffError::TooMany`] when more than `limit` rows differ.
pub fn structured(
    seed: &Connection,
    current: &Connection,
    ignore: &Ignore,
    limit: usize,
) -> Result<BTreeMap<String, TableDiff>, DiffError> {
    let mut diffs: BTreeMap<String, TableDiff> = BTreeMap::new();
    let mut total = 0_usize;
    let summary = walk(seed, current, ignore, &mut |table, difference| {
        total += 1;
        if total > limit {
            return Err(DiffError::TooMany { limit });
        }
        let diff = diffs.entry(table.name.clone()).or_default();
        diff.total_changes += 1;
        match difference {
            Difference::Added(row) => diff.added_rows.push(changed_row(table, &row, None, ignore)),
            Difference::Removed(row) => diff
                .removed_rows
                .push(changed_row(table, &row, None, ignore)),
            Difference::Modified {
                before,
                after,
                changed,
            } => {
                let json =
                    |row: &Row, field: &str| row.get(field).map_or(Value::Null, Cell::to_json);
                let changes = changed
                    .into_iter()
                    .map(|field| {
                        let change = serde_json::json!({"before": json(&before, &field), "after": json(&after, &field)});
                        (field, change)
                    })
                    .collect();
                diff.modified_rows
                    .push(changed_row(table, &after, Some(changes), ignore));
            }
        }
        Ok(())
    })?;
    for (table, unchanged) in summary {
        let diff = diffs.entry(table.name.clone()).or_default();
        diff.table_name = table.name;
        diff.primary_key = table.primary_key;
        diff.unchanged_count = unchanged;
    }
    Ok(diffs)
}

fn changed_row(
    table: &Table,
    row: &Row,
    changes: Option<Map<String, Value>>,
    ignore: &Ignore,
) -> ChangedRow {
    let mut data = Map::new();
    if let Some(rowid) = row.rowid {
        data.insert("rowid".to_owned(), Value::from(rowid));
    }
    // A real column of that name wins over the hidden one.
    data.extend(
        row.fields()
            .map(|(field, cell)| (field.to_owned(), cell.to_json())),
    );
    data.retain(|field, _| !ignore.covers(&table.name, field));
    ChangedRow {
        row_id: table.row_id(row),
        changes,
        data,
    }
}
