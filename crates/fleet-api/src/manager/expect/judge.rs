//! Holds every change of a difference against those that are allowed, and the other way round.

use serde_json::{Map, Value as Json};

use super::change::{Change, ChangeKind};
use super::report::{FieldMismatch, Mismatch};
use crate::manager::diff::Diff;
use crate::manager::same::same_key;
use crate::types::manager::{IgnoreConfig, ModifiedRow, TableDiff, WholeRow};

/// Under this name some services put a row's rowid among its fields.
const ROWID: &str = "rowid";

/// By this column the official client tells rows apart where no key is declared.
const ID: &str = "id";

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
        for (rows, kind) in [
            (&table.added_rows, ChangeKind::Insert),
            (&table.removed_rows, ChangeKind::Delete),
        ] {
            let rows: Vec<Row<'_>> = rows
                .iter()
                .map(|row| place(whole_id(table, row), &row.data))
                .collect();
            mismatches.extend(of_whole_rows(&rows, kind, allowed));
        }
        for (index, modified) in table.modified_rows.iter().enumerate() {
            let row = place(modified_id(table, modified), &modified.data);
            // Rows of one key, as keys with NULL are, need a change each.
            let earlier = table.modified_rows[..index]
                .iter()
                .filter(|earlier| same_key(modified_id(table, earlier), row.id))
                .count();
            mismatches.extend(of_modified_row(&row, modified, allowed, earlier));
        }
    }
    mismatches
}

/// The key of a row that is on one side only. The official client takes `id` for the key of a table
/// that declares none, and specs are written by what it takes.
fn whole_id<'a>(table: &TableDiff, row: &'a WholeRow) -> &'a Json {
    let id = row.data.get(ID).filter(|id| !id.is_null());
    id.filter(|_| declares_no_key(table)).unwrap_or(&row.row_id)
}

/// As [`whole_id`]: what the key was before.
fn modified_id<'a>(table: &TableDiff, row: &'a ModifiedRow) -> &'a Json {
    let before = row.changes.get(ID).map(|change| &change.before);
    let id = before
        .or_else(|| row.data.get(ID))
        .filter(|id| !id.is_null());
    id.filter(|_| declares_no_key(table)).unwrap_or(&row.row_id)
}

fn declares_no_key(table: &TableDiff) -> bool {
    matches!(table.primary_key.as_slice(), [only] if only == ROWID)
}

/// The changes that did not happen. A row is inserted or deleted once: of changes that name one
/// twice, one is missing.
pub(super) fn missing(diff: &Diff, expected: &[Change]) -> Vec<Mismatch> {
    let is_like = |one: &Change, other: &Change| {
        one.kind == other.kind && one.table == other.table && one.key.is(other.key.as_json())
    };
    let happened = |(index, change): &(usize, &Change)| {
        let earlier = match change.kind {
            ChangeKind::Modify => 0,
            ChangeKind::Insert | ChangeKind::Delete => expected[..*index]
                .iter()
                .filter(|earlier| is_like(earlier, change))
                .count(),
        };
        diff.tables()
            .get(&change.table)
            .is_some_and(|table| rows(table, change) > earlier)
    };
    expected
        .iter()
        .enumerate()
        .filter(|place| !happened(place))
        .map(|(_, change)| Mismatch::Missing(change.clone()))
        .collect()
}

/// How many rows of the difference a change is about.
fn rows(table: &TableDiff, change: &Change) -> usize {
    let whole = |rows: &[WholeRow]| {
        rows.iter()
            .filter(|row| change.key.is(whole_id(table, row)))
            .count()
    };
    match change.kind {
        ChangeKind::Insert => whole(&table.added_rows),
        ChangeKind::Delete => whole(&table.removed_rows),
        ChangeKind::Modify => table
            .modified_rows
            .iter()
            .filter(|row| change.key.is(modified_id(table, row)))
            .count(),
    }
}

impl Row<'_> {
    fn candidates<'c>(&self, kind: ChangeKind, changes: &'c [Change]) -> Vec<&'c Change> {
        self.places(kind, changes)
            .map(|place| &changes[place])
            .collect()
    }

    /// The places of the changes that are about this row.
    fn places(&self, kind: ChangeKind, changes: &[Change]) -> impl Iterator<Item = usize> {
        changes
            .iter()
            .enumerate()
            .filter(move |(_, change)| {
                change.kind == kind && change.table == self.table && change.key.is(self.id)
            })
            .map(|(place, _)| place)
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

/// Every row that is on one side only must fit a change of its own; the report is of the closest.
fn of_whole_rows(rows: &[Row<'_>], kind: ChangeKind, allowed: &[Change]) -> Vec<Mismatch> {
    let fitting: Vec<Vec<usize>> = rows
        .iter()
        .map(|row| {
            row.places(kind, allowed)
                .filter(|place| misfits(row, &allowed[*place]).is_empty())
                .collect()
        })
        .collect();
    let dealt = deal(&fitting, allowed.len());
    let without = rows
        .iter()
        .enumerate()
        .filter(|(number, _)| !dealt.contains(&Some(*number)));
    without
        .map(|(_, row)| {
            let closest = row
                .candidates(kind, allowed)
                .into_iter()
                .map(|change| misfits(row, change))
                .min_by_key(Vec::len);
            // One that fits is another row's.
            closest
                .and_then(|fields| row.with_fields(kind, fields))
                .unwrap_or_else(|| row.unexpected(kind))
        })
        .collect()
}

/// Deals `changes` changes out to rows, each to one that it fits, to as many rows as possible
/// (augmenting paths after Kuhn, 1955). Returns the row of each change.
fn deal(fitting: &[Vec<usize>], changes: usize) -> Vec<Option<usize>> {
    fn place(
        row: usize,
        fitting: &[Vec<usize>],
        dealt: &mut [Option<usize>],
        seen: &mut [bool],
    ) -> bool {
        fitting[row].iter().any(|&change| {
            // The recursion ends because every level marks another change as seen.
            if std::mem::replace(&mut seen[change], true) {
                return false;
            }
            let is_free = dealt[change].is_none_or(|other| place(other, fitting, dealt, seen));
            if is_free {
                dealt[change] = Some(row);
            }
            is_free
        })
    }
    let mut dealt = vec![None; changes];
    for row in 0..fitting.len() {
        // Almost every row has one change of its own, and no path to look for.
        match fitting[row].as_slice() {
            [] => {}
            [only] if dealt[*only].is_none() => dealt[*only] = Some(row),
            _ => {
                place(row, fitting, &mut dealt, &mut vec![false; changes]);
            }
        }
    }
    dealt
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
fn of_modified_row(
    row: &Row<'_>,
    modified: &ModifiedRow,
    allowed: &[Change],
    earlier: usize,
) -> Option<Mismatch> {
    let candidates = row.candidates(ChangeKind::Modify, allowed);
    if candidates.len() <= earlier {
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
