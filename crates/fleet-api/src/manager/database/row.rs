//! Rows as they came, and typed access to them.

use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::decode;
use super::value::{FromValue, Value};

/// The rows of a query, in the order of the statement.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rows {
    columns: Arc<[String]>,
    rows: Vec<Row>,
}

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    columns: Arc<[String]>,
    values: Vec<Value>,
}

/// A value that cannot be read as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RowError {
    /// The row has no such column.
    #[error("there is no column {column:?} (there are: {})", columns.join(", "))]
    NoColumn {
        /// What was asked for.
        column: String,
        /// What there is.
        columns: Vec<String>,
    },
    /// Several columns of the row have that name, as after a join.
    #[error("several columns are named {column:?}; select them under names of their own")]
    Ambiguous {
        /// What was asked for.
        column: String,
    },
    /// The value is of another kind.
    #[error("column {column:?} should be {expected}, but is {found}")]
    Kind {
        /// The column.
        column: String,
        /// What was asked for.
        expected: &'static str,
        /// What it is: `text`.
        found: &'static str,
    },
    /// The row does not make the structure that was asked for.
    #[error("the row does not fit: {reason}")]
    Shape {
        /// What is wrong.
        reason: String,
    },
    /// There is no row.
    #[error("there is no row")]
    NoRow,
}

impl Rows {
    pub(in crate::manager) fn new(columns: Vec<String>, rows: Vec<Vec<Value>>) -> Self {
        let columns: Arc<[String]> = columns.into();
        let rows = rows
            .into_iter()
            .map(|values| Row {
                columns: Arc::clone(&columns),
                values,
            })
            .collect();
        Self { columns, rows }
    }

    /// The names of the columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The first row, if there is one.
    pub fn first(&self) -> Option<&Row> {
        self.rows.first()
    }

    /// The rows one by one.
    pub fn iter(&self) -> std::slice::Iter<'_, Row> {
        self.rows.iter()
    }

    /// A column of the first row: for queries that give one.
    ///
    /// # Errors
    /// [`RowError::NoRow`] without a row, and as [`Row::get`].
    ///
    /// ```no_run
    /// # async fn example(db: fleet_api::manager::Database) -> Result<(), Box<dyn std::error::Error>> {
    /// let rows = db.query("SELECT max(id) AS latest FROM tickets", ()).await?;
    /// let latest: Option<i64> = rows.get("latest")?;
    /// # Ok(()) }
    /// ```
    pub fn get<T: FromValue>(&self, column: &str) -> Result<T, RowError> {
        self.first().ok_or(RowError::NoRow)?.get(column)
    }

    /// One column of all rows.
    ///
    /// # Errors
    /// As [`Row::get`].
    ///
    /// ```no_run
    /// # async fn example(db: fleet_api::manager::Database) -> Result<(), Box<dyn std::error::Error>> {
    /// let ids: Vec<i64> = db.query("SELECT id FROM tickets", ()).await?.column("id")?;
    /// # Ok(()) }
    /// ```
    pub fn column<T: FromValue>(&self, column: &str) -> Result<Vec<T>, RowError> {
        self.iter().map(|row| row.get(column)).collect()
    }

    /// All rows as structures; see [`Row::to`].
    ///
    /// # Errors
    /// [`RowError::Shape`] for the first row that does not fit.
    pub fn to<T: DeserializeOwned>(&self) -> Result<Vec<T>, RowError> {
        self.iter().map(Row::to).collect()
    }
}

impl IntoIterator for Rows {
    type Item = Row;
    type IntoIter = std::vec::IntoIter<Row>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.into_iter()
    }
}

impl<'rows> IntoIterator for &'rows Rows {
    type Item = &'rows Row;
    type IntoIter = std::slice::Iter<'rows, Row>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Row {
    /// The value of a column; none if there is no such column, or several.
    pub fn value(&self, column: &str) -> Option<&Value> {
        self.find(column).ok()
    }

    /// Columns and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.columns.iter().map(String::as_str).zip(&self.values)
    }

    /// The value of a column as a Rust type.
    ///
    /// # Errors
    /// [`RowError`], when there is no such column, several have the name, or the value is of another
    /// kind.
    ///
    /// ```no_run
    /// # async fn example(db: fleet_api::manager::Database) -> Result<(), Box<dyn std::error::Error>> {
    /// for row in &db.table("tickets").all().await? {
    ///     let id: i64 = row.get("id")?;
    ///     let assignee: Option<String> = row.get("assignee")?;
    ///     println!("{id} {assignee:?}");
    /// }
    /// # Ok(()) }
    /// ```
    pub fn get<T: FromValue>(&self, column: &str) -> Result<T, RowError> {
        let value = self.find(column)?;
        T::from_value(value).ok_or_else(|| RowError::Kind {
            column: column.to_owned(),
            expected: T::EXPECTED,
            found: value.kind(),
        })
    }

    /// The row as a structure, by its fields' names. Columns that the structure does not have are
    /// left out, 0 and 1 become `bool`, NULL an `Option`.
    ///
    /// # Errors
    /// [`RowError::Shape`] when it does not fit.
    ///
    /// ```no_run
    /// # async fn example(db: fleet_api::manager::Database) -> Result<(), Box<dyn std::error::Error>> {
    /// #[derive(serde::Deserialize)]
    /// struct Ticket {
    ///     id: i64,
    ///     status: String,
    ///     assignee: Option<String>,
    /// }
    ///
    /// let ticket: Ticket = db.table("tickets").eq("id", 2).one().await?.to()?;
    /// # Ok(()) }
    /// ```
    pub fn to<T: DeserializeOwned>(&self) -> Result<T, RowError> {
        decode::row(self).map_err(|reason| RowError::Shape { reason })
    }

    fn find(&self, column: &str) -> Result<&Value, RowError> {
        let mut found = self.iter().filter(|(name, _)| *name == column);
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Ok(value),
            (Some(_), Some(_)) => Err(RowError::Ambiguous {
                column: column.to_owned(),
            }),
            (None, _) => Err(RowError::NoColumn {
                column: column.to_owned(),
                columns: self.columns.to_vec(),
            }),
        }
    }
}
