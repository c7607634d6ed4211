//! Reading both databases side by side and visiting what differs.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use fleet_api::types::manager::IgnoreConfig;
use rusqlite::Connection;

use super::difference::{DiffError, Difference, Row, Table};
use super::key::Key;
use crate::manager::cell::{Cell, read_cell};
use crate::manager::schema::{TableShape, shapes};

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
    ignore: &IgnoreConfig,
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
    ignore: &IgnoreConfig,
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
    ignore: &IgnoreConfig,
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
            .map(|index| Ok(read_cell(row.get_ref(index)?)))
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
    ignore: &IgnoreConfig,
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

fn changed_fields(table: &str, before: &Row, after: &Row, ignore: &IgnoreConfig) -> Vec<String> {
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
