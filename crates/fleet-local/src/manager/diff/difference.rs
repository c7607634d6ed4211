//! The words of a comparison: rows, how they differ, and why there is no result.

use std::sync::Arc;

use serde_json::Value;

use crate::manager::Cell;

/// One row of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The rowid, for tables that have one.
    pub rowid: Option<i64>,
    pub(super) columns: Arc<[String]>,
    pub(super) cells: Vec<Cell>,
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
    pub(super) fn read(table: &str) -> impl FnOnce(rusqlite::Error) -> Self + '_ {
        |source| Self::Read {
            table: table.to_owned(),
            source,
        }
    }
}
