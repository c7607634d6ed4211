//! A database as it was at a moment: all rows of all tables, read when the snapshot is taken.

use std::collections::BTreeMap;

use super::compare;
use super::pages::{Budget, Read, read};
use super::schema::{Shape, shapes};
use super::{Diff, DiffSource};
use crate::error::Error;
use crate::manager::database::{Database, Value};
use crate::types::manager::IgnoreConfig;

/// How large a snapshot may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotLimits {
    /// Rows of all tables together.
    pub rows: usize,
    /// Bytes in memory, about.
    pub bytes: usize,
}

impl Default for SnapshotLimits {
    /// A million rows, 256 MiB.
    fn default() -> Self {
        Self {
            rows: 1_000_000,
            bytes: 256 * 1024 * 1024,
        }
    }
}

/// The contents of a database, taken by [`Database::snapshot`].
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    database: String,
    tables: BTreeMap<String, SnapshotTable>,
    is_of_one_moment: bool,
}

/// One table of a [`Snapshot`].
#[derive(Debug, Clone, PartialEq)]
pub struct SnapshotTable {
    pub(super) shape: Shape,
    pub(super) rows: Vec<SnapshotRow>,
}

/// One row, with its rowid where the table has one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SnapshotRow {
    pub(super) rowid: Option<i64>,
    /// In the order of the table's columns.
    pub(super) values: Vec<Value>,
}

impl Database {
    /// Reads the whole database, now. What is changed later is not in it.
    ///
    /// # What is guaranteed
    /// Up to 20 000 rows are read by a single statement, which sees one moment of the database
    /// ([`Snapshot::is_of_one_moment`]). A larger database, or one whose manager refuses such a
    /// statement, is read in pages of a table each. A page is of one moment, but rows that the app
    /// changes while others are read may be seen in either state, and a row whose key changes
    /// meanwhile may be seen twice or not at all. When the number of rows is another at the end than
    /// at the beginning, the reading begins anew, three times at most.
    ///
    /// # Errors
    /// [`ErrorKind::Operation`](crate::ErrorKind::Operation) for a database that cannot be read, is
    /// larger than [`SnapshotLimits`], or does not stand still; never a part of it.
    ///
    /// ```no_run
    /// # async fn example(db: fleet_api::manager::Database) -> Result<(), Box<dyn std::error::Error>> {
    /// use fleet_api::manager::{Change, IgnoreConfig, expect_exactly};
    ///
    /// let before = db.snapshot().await?;
    /// // … something happens …
    /// let after = db.snapshot().await?;
    /// let diff = before.diff(&after, &IgnoreConfig::default());
    /// expect_exactly(&diff, &[Change::delete("tickets", 7)])?;
    /// # Ok(()) }
    /// ```
    pub async fn snapshot(&self) -> Result<Snapshot, Error> {
        self.snapshot_within(SnapshotLimits::default()).await
    }

    /// As [`Database::snapshot`], within these limits.
    ///
    /// # Errors
    /// As [`Database::snapshot`].
    pub async fn snapshot_within(&self, limits: SnapshotLimits) -> Result<Snapshot, Error> {
        let shapes = shapes(self).await?;
        let Read {
            rows,
            is_of_one_moment,
        } = read(self, &shapes, Budget::new(limits)).await?;
        let tables = shapes.into_iter().zip(rows).map(|(shape, rows)| {
            let name = shape.name.clone();
            (name, SnapshotTable { shape, rows })
        });
        Ok(Snapshot {
            database: self.name().to_owned(),
            tables: tables.collect(),
            is_of_one_moment,
        })
    }
}

impl Snapshot {
    /// The database it is of.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Its tables by name.
    pub fn tables(&self) -> &BTreeMap<String, SnapshotTable> {
        &self.tables
    }

    /// Whether all of it was read by one statement, and so is what the database was at one moment.
    pub fn is_of_one_moment(&self) -> bool {
        self.is_of_one_moment
    }

    /// How `later` differs from this.
    ///
    /// Rows are paired by the declared primary key, whatever it consists of, else by rowid, else
    /// (a table whose columns hide its rowid) as whole rows, of which equal ones are counted. Keys
    /// that hold NULL, which `SQLite` allows to repeat, are told apart by rowid. A table or a column
    /// that is on one side only counts as empty on the other.
    ///
    /// ```no_run
    /// # async fn example(manager: fleet_api::manager::Manager) -> Result<(), fleet_api::Error> {
    /// let seed = manager.db("seed").snapshot().await?;
    /// let current = manager.db("current").snapshot().await?;
    /// println!("{} rows differ", seed.diff(&current, &Default::default()).total_changes());
    /// # Ok(()) }
    /// ```
    pub fn diff(&self, later: &Self, ignore: &IgnoreConfig) -> Diff {
        let mut names: Vec<&String> = self.tables.keys().chain(later.tables.keys()).collect();
        names.sort();
        names.dedup();
        let tables = names
            .into_iter()
            .filter(|name| !ignore.tables.contains(*name))
            .map(|name| {
                let (before, after) = (self.tables.get(name), later.tables.get(name));
                (name.clone(), compare::tables(name, before, after, ignore))
            })
            .collect();
        Diff::from_source(tables, ignore.clone(), DiffSource::Snapshots)
    }
}

impl SnapshotTable {
    /// The columns in order.
    pub fn columns(&self) -> &[String] {
        &self.shape.columns
    }

    /// The declared primary key, in key order; empty if there is none.
    pub fn primary_key(&self) -> &[String] {
        &self.shape.primary_key
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows, each as its values in the order of the columns.
    pub fn rows(&self) -> impl Iterator<Item = &[Value]> {
        self.rows.iter().map(|row| row.values.as_slice())
    }
}
