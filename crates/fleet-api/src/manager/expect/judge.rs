//! Holds every change of a difference against those that are allowed, and the other way round.

use serde_json::{Map, Value as Json};

use super::change::{Change, ChangeKind};
use super::report::{FieldMismatch, Mismatch};
use crate::manager::diff::Diff;
use crate::types::manager::{IgnoreConfig, ModifiedRow, TableDiff};

/// Under this name some services put a row's rowid among its fields.
const ROWID: &str = "rowid";

/// One changed row of a difference.
struct Row<'a> {
    table: &'a str,
    primary_key: &'a [String],
    id: &'a Json,
    data: &'a Map<String, Json>,
    ignore: &'a IgnoreConfig,
}

/// The changes that are not allowed, and the fields of allowed ones that hold something else.
pub(super) fn unexpected(diff: &Diff, allowed: &[Change]) -> Vec<Mismatch> {
    let mut mismatches = Vec::new();
    for (name, table) in diff.tables() {
        let ignore = diff.ignored();
        if ignore.tables.contains(name) {
            continue;
        }
        let place = |id, data| Row {
            table: name,
            primary_key: &table.primary_key,
            id,
            data,
            ignore,
        };
        for row in &table.added_rows {
            let row = place(&row.row_id, &row.data);
            mismatches.extend(of_whole_row(&row, ChangeKind::Insert, allowed));
        }
        for row in &table.removed_rows {
            let row = place(&row.row_id, &row.data);
            mismatches.extend(of_whole_row(&row, ChangeKind::Delete, allowed));
        }
        for modified in &table.modified_rows {
            let row = place(&modified.row_id, &modified.data);
            mismatches.extend(of_modified_row(&row, modified, allowed));
        }
    }
    mismatches
}

/// The changes that did not happen.
pub(super) fn missing(diff: &Diff, expected: &[Change]) -> Vec<Mismatch> {
    let happened = |change: &&Change| {
        diff.tables()
            .get(&change.table)
            .is_some_and(|table| has_row(table, change))
    };
    expected
        .iter()
        .filter(|change| !happened(change))
        .cloned()
        .map(Mismatch::Missing)
        .collect()
}

fn has_row(table: &TableDiff, change: &Change) -> bool {
    let is = |id: &Json| change.key.is(id);
    match change.kind {
        ChangeKind::Insert => table.added_rows.iter().any(|row| is(&row.row_id)),
        ChangeKind::Delete => table.removed_rows.iter().any(|row| is(&row.row_id)),
        ChangeKind::Modify => table.modified_rows.iter().any(|row| is(&row.row_id)),
    }
}

impl Row<'_> {
    fn candidates<'c>(&self, kind: ChangeKind, changes: &'c [Change]) -> Vec<&'c Change> {
        let is_candidate = |change: &&Change| {
            change.kind == kind && change.table == self.table && change.key.is(self.id)
        };
        changes.iter().filter(is_candidate).collect()
    }

    fn unexpected(&self, kind: ChangeKind) -> Mismatch {
        Mismatch::Unexpected {
            table: self.table.to_owned(),
            key: self.id.clone(),
            kind,
            row: self.data.clone(),
        }
    }

    fn with_fields(&self, kind: ChangeKind, fields: Vec<FieldMismatch>) -> Option<Mismatch> {
        (!fields.is_empty()).then(|| Mismatch::Fields {
            table: self.table.to_owned(),
            key: self.id.clone(),
            kind,
            fields,
        })
    }
}

/// A row that is on one side only must fit one of its candidates; the report is of the closest.
fn of_whole_row(row: &Row<'_>, kind: ChangeKind, allowed: &[Change]) -> Option<Mismatch> {
    let candidates = row.candidates(kind, allowed);
    let closest = candidates
        .iter()
        .map(|change| misfits(row, change))
        .min_by_key(Vec::len);
    match closest {
        None => Some(row.unexpected(kind)),
        Some(fields) => row.with_fields(kind, fields),
    }
}

fn misfits(row: &Row<'_>, change: &Change) -> Vec<FieldMismatch> {
    let named = change.fields.iter().filter_map(|(field, expected)| {
        let is_left_out = row.ignore.covers(row.table, field);
        let found = row.data.get(field);
        let fits = is_left_out || found.is_some_and(|found| expected.admits(found));
        (!fits).then(|| FieldMismatch {
            field: field.clone(),
            expected: Some(expected.clone()),
            found: found.cloned(),
        })
    });
    let is_accounted_for = |field: &str| {
        change.admits_others()
            || change.fields.contains_key(field)
            || field == ROWID
            || row.primary_key.iter().any(|column| column == field)
            || row.ignore.covers(row.table, field)
    };
    let unnamed = row
        .data
        .iter()
        .filter(|(field, _)| !is_accounted_for(field))
        .map(|(field, found)| FieldMismatch {
            field: field.clone(),
            expected: None,
            found: Some(found.clone()),
        });
    named.chain(unnamed).collect()
}

/// Several changes may name one row, a field each. A field fits if one of them lets it be so.
fn of_modified_row(row: &Row<'_>, modified: &ModifiedRow, allowed: &[Change]) -> Option<Mismatch> {
    let candidates = row.candidates(ChangeKind::Modify, allowed);
    if candidates.is_empty() {
        return Some(row.unexpected(ChangeKind::Modify));
    }
    let changed = modified
        .changes
        .iter()
        .filter(|(field, _)| !row.ignore.covers(row.table, field))
        .filter(|(field, change)| {
            !candidates
                .iter()
                .any(|candidate| lets(candidate, field, &change.after))
        })
        .map(|(field, change)| FieldMismatch {
            field: field.clone(),
            expected: candidates
                .iter()
                .find_map(|candidate| candidate.fields.get(field))
                .cloned(),
            found: Some(change.after.clone()),
        });
    // A named field that did not change still has to hold what is named.
    let unchanged = candidates
        .iter()
        .flat_map(|candidate| &candidate.fields)
        .filter(|(field, _)| {
            !modified.changes.contains_key(*field) && !row.ignore.covers(row.table, field)
        })
        .filter(|(field, expected)| {
            !row.data
                .get(*field)
                .is_some_and(|found| expected.admits(found))
        })
        .map(|(field, expected)| FieldMismatch {
            field: field.clone(),
            expected: Some(expected.clone()),
            found: row.data.get(field).cloned(),
        });
    row.with_fields(ChangeKind::Modify, changed.chain(unchanged).collect())
}

fn lets(change: &Change, field: &str, after: &Json) -> bool {
    match change.fields.get(field) {
        Some(expected) => expected.admits(after),
        None => change.admits_others(),
    }
}
