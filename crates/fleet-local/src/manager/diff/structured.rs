//! The form in which differences go over the wire.

use std::collections::BTreeMap;

use fleet_api::types::manager::{FieldChange, IgnoreConfig, ModifiedRow, TableDiff, WholeRow};
use rusqlite::Connection;
use serde_json::{Map, Value};

use super::difference::{DiffError, Difference, Row, Table};
use super::walk::walk;
use crate::manager::Cell;

/// Compares two databases into the form that `POST /diff/structured` answers with. Every compared table appears, unchanged ones with empty lists.
///
/// # Errors
/// As [`walk`], and [`DiffError::TooMany`] when more than `limit` rows differ.
pub fn structured(
    seed: &Connection,
    current: &Connection,
    ignore: &IgnoreConfig,
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
            Difference::Added(row) => diff.added_rows.push(whole(table, &row, ignore)),
            Difference::Removed(row) => diff.removed_rows.push(whole(table, &row, ignore)),
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
                        let change = FieldChange {
                            before: json(&before, &field),
                            after: json(&after, &field),
                        };
                        (field, change)
                    })
                    .collect();
                diff.modified_rows.push(ModifiedRow {
                    row_id: table.row_id(&after),
                    changes,
                    data: data(table, &after, ignore),
                });
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

/// The row with its rowid, without ignored fields.
fn data(table: &Table, row: &Row, ignore: &IgnoreConfig) -> Map<String, Value> {
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
    data
}

fn whole(table: &Table, row: &Row, ignore: &IgnoreConfig) -> WholeRow {
    WholeRow {
        row_id: table.row_id(row),
        data: data(table, row, ignore),
    }
}
