//! The difference between two `SQLite` databases, row by row.
//!
//! Responsible for pairing the rows of the seed with those of the current state by their key, and for saying what was added, removed or
//! modified. Both sides are read once, ordered by key, and merged, so that memory holds the differences and two rows, never a table.
//! Not responsible for judging a difference: that is the verifier's.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::cell::{Cell, compare_cells};
use super::schema::{TableShape, quote, shapes};

/// What a comparison leaves out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct Ignore {
    /// Tables that are not compared at all.
    pub tables: BTreeSet<String>,
    /// Fields that are left out in every table.
    pub fields: BTreeSet<String>,
    /// Table → fields that are left out in it.
    pub table_fields: BTreeMap<String, BTreeSet<String>>,
}

impl Ignore {
    fn covers(&self, table: &str, field: &str) -> bool {
        self.fields.contains(field)
            || self
                .table_fields
                .get(table)
                .is_some_and(|fields| fields.contains(field))
    }
}

/// One row of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The rowid, for tables that have one.
    pub rowid: Option<i64>,
    columns: Arc<[String]>,
    cells: Vec<Cell>,
}

impl Row {
    /// The value of a field; none if the row's table has no such column on this side.
    pub fn get(&self, field: &str) -> Option<&Cell> {
        let position = self.columns.iter().position(|column| column == field)?;
        self.cells.get(position)
    }

    /// Fields and values in column order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &Cell)> {
        self.columns.iter().map(String::as_str).zip(&self.cells)
    }
}

/// How one row differs.
#[derive(Debug, Clone, PartialEq)]
pub enum Difference {
    /// The row is only in the current state.
    Added(Row),
    /// The row is only in the seed.
    Removed(Row),
    /// The row is in both; `changed` names the fields that differ and are not ignored, at least one.
    Modified {
        /// As in the seed.
        before: Row,
        /// As it is now.
        after: Row,
        /// Fields that differ, in column order.
        changed: Vec<String>,
    },
}

/// A compared table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// The fields that identify a row; `["rowid"]` where no key is declared.
    pub primary_key: Vec<String>,
}

impl Table {
    /// The key value of a row: the bare value for a single column, a list for a composite key.
    pub fn row_id(&self, row: &Row) -> Value {
        let value = |field: &String| match row.get(field) {
            Some(cell) => cell.to_json(),
            None if field == "rowid" => row.rowid.map_or(Value::Null, Value::from),
            None => Value::Null,
        };
        match self.primary_key.as_slice() {
            [only] => value(only),
            several => Value::Array(several.iter().map(value).collect()),
        }
    }
}

/// The databases could not be compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiffError {
    /// `SQLite` refused a statement of the comparison.
    #[error("cannot read table {table}")]
    Read {
        /// The table; empty while the list of tables was read.
        table: String,
        #[source]
        source: rusqlite::Error,
    },
    /// The rows did not come in the order that the comparison relies on: a text encoding or a module that sorts otherwise.
    #[error("the rows of table {table} cannot be put in a common order")]
    Order {
        /// The table.
        table: String,
    },
    /// More rows differ than the limit allows to be reported.
    #[error("more than {limit} rows differ")]
    TooMany {
        /// The limit.
        limit: usize,
    },
}

impl DiffError {
    fn read(table: &str) -> impl FnOnce(rusqlite::Error) -> Self + '_ {
        |source| Self::Read {
            table: table.to_owned(),
            source,
        }
    }
}

/// Compares two databases and hands every difference to `visit`, table by table in name order, rows in key order.
///
/// A table that exists on one side only counts as empty on the other. A column that exists on one side only counts as NULL on the other.
/// Rows are paired by the primary key (the seed's, where both declare one), else by rowid; keys that hold NULL, which `SQLite` allows to repeat,
/// are told apart by rowid. Returns the number of unchanged rows of each table.
///
/// # Errors
/// `SQLite`'s errors, rows that cannot be ordered, and whatever `visit` returns.
pub fn walk(
    seed: &Connection,
    current: &Connection,
    ignore: &Ignore,
    visit: &mut dyn FnMut(&Table, Difference) -> Result<(), DiffError>,
) -> Result<Vec<(Table, u64)>, DiffError> {
    // One read transaction over all tables: otherwise an app that writes meanwhile could be seen half done.
    current
        .execute_batch("BEGIN")
        .map_err(DiffError::read(""))?;
    let result = walk_tables(seed, current, ignore, visit);
    // Nothing was written, so a failing end of the transaction has nothing to lose; the connection is closed by its owner.
    drop(current.execute_batch("ROLLBACK"));
    result
}

fn walk_tables(
    seed: &Connection,
    current: &Connection,
    ignore: &Ignore,
    visit: &mut dyn FnMut(&Table, Difference) -> Result<(), DiffError>,
) -> Result<Vec<(Table, u64)>, DiffError> {
    let mut pairs: BTreeMap<String, (Option<TableShape>, Option<TableShape>)> = BTreeMap::new();
    for shape in shapes(seed).map_err(DiffError::read(""))? {
        let name = shape.name.clone();
        pairs.entry(name).or_default().0 = Some(shape);
    }
    for shape in shapes(current).map_err(DiffError::read(""))? {
        let name = shape.name.clone();
        pairs.entry(name).or_default().1 = Some(shape);
    }
    let mut summary = Vec::new();
    for (name, (before, after)) in pairs {
        if ignore.tables.contains(&name) {
            continue;
        }
        summary.push(walk_table(
            seed,
            current,
            before.as_ref(),
            after.as_ref(),
            ignore,
            visit,
        )?);
    }
    Ok(summary)
}

fn walk_table(
    seed: &Connection,
    current: &Connection,
    before: Option<&TableShape>,
    after: Option<&TableShape>,
    ignore: &Ignore,
    visit: &mut dyn FnMut(&Table, Difference) -> Result<(), DiffError>,
) -> Result<(Table, u64), DiffError> {
    let shape = before
        .or(after)
        .expect("a table of the union exists on one side at least");
    if let (Some(left), Some(right)) = (before, after)
        && let Some(key) = Key::common(left, right)
    {
        let table = Table {
            name: left.name.clone(),
            primary_key: key.names(left),
        };
        let unchanged = merge(&table, &key, (seed, left), (current, right), ignore, visit)?;
        return Ok((table, unchanged));
    }
    // One side only, or both sides without anything in common to pair rows by: all of the old rows went, all of the new ones came.
    let table = Table {
        name: shape.name.clone(),
        primary_key: Key::of(shape).names(shape),
    };
    if let Some(left) = before {
        let table = Table {
            primary_key: Key::of(left).names(left),
            ..table.clone()
        };
        read(&table, &Key::of(left), seed, left, &mut |row| {
            visit(&table, Difference::Removed(row))
        })?;
    }
    if let Some(right) = after {
        let table = Table {
            primary_key: Key::of(right).names(right),
            ..table.clone()
        };
        read(&table, &Key::of(right), current, right, &mut |row| {
            visit(&table, Difference::Added(row))
        })?;
    }
    Ok((table, 0))
}

/// By what the rows of a table are paired.
enum Key {
    Columns(Vec<String>),
    Rowid,
    /// Neither a key nor a readable rowid: equal rows pair up.
    WholeRow,
}

impl Key {
    fn of(shape: &TableShape) -> Self {
        if !shape.primary_key.is_empty() {
            Self::Columns(shape.primary_key.clone())
        } else if shape.rowid.is_some() {
            Self::Rowid
        } else {
            Self::WholeRow
        }
    }

    fn common(left: &TableShape, right: &TableShape) -> Option<Self> {
        for (one, other) in [(left, right), (right, left)] {
            if !one.primary_key.is_empty()
                && one
                    .primary_key
                    .iter()
                    .all(|column| other.columns.contains(column))
            {
                return Some(Self::Columns(one.primary_key.clone()));
            }
        }
        match (Self::of(left), Self::of(right)) {
            (Self::Rowid, Self::Rowid) => Some(Self::Rowid),
            (Self::WholeRow, Self::WholeRow) if left.columns == right.columns => {
                Some(Self::WholeRow)
            }
            _ => None,
        }
    }

    fn names(&self, shape: &TableShape) -> Vec<String> {
        match self {
            Self::Columns(columns) => columns.clone(),
            Self::Rowid => vec!["rowid".to_owned()],
            Self::WholeRow => shape.columns.clone(),
        }
    }

    fn compare(&self, left: &Row, right: &Row) -> Ordering {
        let rowids = || left.rowid.cmp(&right.rowid);
        let by = |pairs: &mut dyn Iterator<Item = (&Cell, &Cell)>| {
            let mut has_null = false;
            for (a, b) in pairs {
                match compare_cells(a, b) {
                    Ordering::Equal => has_null |= a.is_null(),
                    unequal => return unequal,
                }
            }
            if has_null { rowids() } else { Ordering::Equal }
        };
        match self {
            Self::Rowid => rowids(),
            Self::WholeRow => by(&mut left.cells.iter().zip(&right.cells)),
            Self::Columns(columns) => {
                const NULL: &Cell = &Cell::Null;
                by(&mut columns.iter().map(|column| {
                    (
                        left.get(column).unwrap_or(NULL),
                        right.get(column).unwrap_or(NULL),
                    )
                }))
            }
        }
    }

    fn select(&self, shape: &TableShape) -> String {
        let columns: Vec<String> = shape.columns.iter().map(|column| quote(column)).collect();
        let ordered: Vec<String> = match self {
            // BINARY whatever the column declares, as the merge compares bytes.
            Self::Columns(key) => key
                .iter()
                .map(|column| format!("{} COLLATE BINARY", quote(column)))
                .collect(),
            Self::Rowid => Vec::new(),
            Self::WholeRow => columns
                .iter()
                .map(|column| format!("{column} COLLATE BINARY"))
                .collect(),
        };
        let rowid = shape.rowid.unwrap_or("NULL");
        let order: Vec<&str> = ordered
            .iter()
            .map(String::as_str)
            .chain(shape.rowid)
            .collect();
        format!(
            "SELECT {}, {} FROM {} ORDER BY {}",
            rowid,
            columns.join(", "),
            quote(&shape.name),
            order.join(", ")
        )
    }
}

/// A table's rows in key order.
struct Rows<'statement> {
    rows: rusqlite::Rows<'statement>,
    columns: Arc<[String]>,
}

impl Rows<'_> {
    fn next(&mut self) -> rusqlite::Result<Option<Row>> {
        let Some(row) = self.rows.next()? else {
            return Ok(None);
        };
        let cells = (1..=self.columns.len())
            .map(|index| Ok(Cell::from_ref(row.get_ref(index)?)))
            .collect::<rusqlite::Result<_>>()?;
        Ok(Some(Row {
            rowid: row.get(0)?,
            columns: Arc::clone(&self.columns),
            cells,
        }))
    }
}

fn read(
    table: &Table,
    key: &Key,
    connection: &Connection,
    shape: &TableShape,
    visit: &mut dyn FnMut(Row) -> Result<(), DiffError>,
) -> Result<(), DiffError> {
    let failed = || DiffError::read(&table.name);
    let mut statement = connection.prepare(&key.select(shape)).map_err(failed())?;
    let mut rows = Rows {
        rows: statement.raw_query(),
        columns: shape.columns.clone().into(),
    };
    while let Some(row) = rows.next().map_err(failed())? {
        visit(row)?;
    }
    Ok(())
}

fn merge(
    table: &Table,
    key: &Key,
    (seed, left_shape): (&Connection, &TableShape),
    (current, right_shape): (&Connection, &TableShape),
    ignore: &Ignore,
    visit: &mut dyn FnMut(&Table, Difference) -> Result<(), DiffError>,
) -> Result<u64, DiffError> {
    let failed = || DiffError::read(&table.name);
    let mut left_statement = seed.prepare(&key.select(left_shape)).map_err(failed())?;
    let mut right_statement = current
        .prepare(&key.select(right_shape))
        .map_err(failed())?;
    let mut left_rows = Rows {
        rows: left_statement.raw_query(),
        columns: left_shape.columns.clone().into(),
    };
    let mut right_rows = Rows {
        rows: right_statement.raw_query(),
        columns: right_shape.columns.clone().into(),
    };
    // A side that steps back would pair rows wrongly without a sign of it.
    let advance = |rows: &mut Rows<'_>, previous: &Row| -> Result<Option<Row>, DiffError> {
        let next = rows.next().map_err(failed())?;
        match &next {
            Some(row) if key.compare(previous, row) == Ordering::Greater => Err(DiffError::Order {
                table: table.name.clone(),
            }),
            _ => Ok(next),
        }
    };
    let mut unchanged = 0;
    let mut left = left_rows.next().map_err(failed())?;
    let mut right = right_rows.next().map_err(failed())?;
    loop {
        let order = match (&left, &right) {
            (None, None) => return Ok(unchanged),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(before), Some(after)) => key.compare(before, after),
        };
        let taken_left = if order == Ordering::Greater {
            None
        } else {
            left.take()
        };
        let taken_right = if order == Ordering::Less {
            None
        } else {
            right.take()
        };
        if let Some(row) = &taken_left {
            left = advance(&mut left_rows, row)?;
        }
        if let Some(row) = &taken_right {
            right = advance(&mut right_rows, row)?;
        }
        match (taken_left, taken_right) {
            (Some(row), None) => visit(table, Difference::Removed(row))?,
            (None, Some(row)) => visit(table, Difference::Added(row))?,
            (Some(before), Some(after)) => {
                let changed = changed_fields(&table.name, &before, &after, ignore);
                if changed.is_empty() {
                    unchanged += 1;
                } else {
                    visit(
                        table,
                        Difference::Modified {
                            before,
                            after,
                            changed,
                        },
                    )?;
                }
            }
            (None, None) => unreachable!("one side at least is taken in every round"),
        }
    }
}

fn changed_fields(table: &str, before: &Row, after: &Row, ignore: &Ignore) -> Vec<String> {
    let same_columns = before.columns == after.columns;
    let names: Vec<&String> = if same_columns {
        before.columns.iter().collect()
    } else {
        before
            .columns
            .iter()
            .chain(
                after
                    .columns
                    .iter()
                    .filter(|column| !before.columns.contains(column)),
            )
            .collect()
    };
    let mut changed = Vec::new();
    for (index, name) in names.into_iter().enumerate() {
        let equal = if same_columns {
            before.cells[index] == after.cells[index]
        } else {
            before.get(name).unwrap_or(&Cell::Null) == after.get(name).unwrap_or(&Cell::Null)
        };
        if !equal && !ignore.covers(table, name) {
            changed.push(name.clone());
        }
    }
    changed
}

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
