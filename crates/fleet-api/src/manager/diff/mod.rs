//! How the data of an instance differs from what it began with, or from an earlier moment.
//!
//! Responsible for getting the difference; judging it is the business of `expect`.

mod compare;
mod fetch;
mod pages;
mod schema;
mod snapshot;

use std::collections::BTreeMap;

use crate::types::manager::{IgnoreConfig, TableDiff};

pub use snapshot::{Snapshot, SnapshotLimits, SnapshotTable};

/// Where a [`Diff`] comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DiffSource {
    /// The instance's manager compared the databases.
    Manager,
    /// Two snapshots were compared here.
    Snapshots,
    /// Somebody put it together.
    Given,
}

/// The difference between two states of a database, table by table.
#[derive(Debug, Clone, PartialEq)]
pub struct Diff {
    tables: BTreeMap<String, TableDiff>,
    ignore: IgnoreConfig,
    source: DiffSource,
}

impl Diff {
    /// A difference that is known already. `ignore` says what was left out when it was made.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    /// use fleet_api::manager::{Diff, IgnoreConfig, expect_only};
    ///
    /// let nothing = Diff::new(BTreeMap::new(), IgnoreConfig::default());
    /// expect_only(&nothing, &[])?;
    /// # Ok::<(), fleet_api::manager::Mismatches>(())
    /// ```
    pub fn new(tables: BTreeMap<String, TableDiff>, ignore: IgnoreConfig) -> Self {
        Self::from_source(tables, ignore, DiffSource::Given)
    }

    pub(super) fn from_source(
        tables: BTreeMap<String, TableDiff>,
        ignore: IgnoreConfig,
        source: DiffSource,
    ) -> Self {
        Self {
            tables,
            ignore,
            source,
        }
    }

    /// Every compared table, unchanged ones included.
    pub fn tables(&self) -> &BTreeMap<String, TableDiff> {
        &self.tables
    }

    /// What was left out.
    pub fn ignored(&self) -> &IgnoreConfig {
        &self.ignore
    }

    /// Who compared.
    pub fn source(&self) -> DiffSource {
        self.source
    }

    /// Rows that were added, removed or modified.
    ///
    /// ```no_run
    /// # async fn example(manager: fleet_api::manager::Manager) -> Result<(), fleet_api::Error> {
    /// let diff = manager.diff(&Default::default()).await?;
    /// for table in diff.tables().values().filter(|table| table.total_changes > 0) {
    ///     println!("{}: {} changes", table.table_name, table.total_changes);
    /// }
    /// println!("{} in all", diff.total_changes());
    /// # Ok(()) }
    /// ```
    pub fn total_changes(&self) -> usize {
        self.tables
            .values()
            .map(|table| {
                table.added_rows.len() + table.removed_rows.len() + table.modified_rows.len()
            })
            .sum()
    }

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.total_changes() == 0
    }
}
