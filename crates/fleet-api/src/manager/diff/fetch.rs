//! The difference between an instance's seed and its current state, by whoever can make it.

use std::collections::BTreeMap;

use tracing::debug;

use super::{Diff, DiffSource};
use crate::error::{Error, ErrorKind};
use crate::manager::Manager;
use crate::manager::call::{Request, check_success};
use crate::manager::same::same_value;
use crate::types::manager::{DiffBody, DiffResponse, IgnoreConfig, TableDiff};

/// The databases that a manager compares.
const SEED: &str = "seed";
const CURRENT: &str = "current";

impl Manager {
    /// How the instance's data differs from its seed.
    ///
    /// The manager compares, where it offers that. Where it does not, or says that it could not,
    /// snapshots of `seed` and `current` are taken and compared here; [`Diff::source`] tells which.
    ///
    /// # Errors
    /// An answer whose lists do not hold as many changes as it counts is refused
    /// ([`ErrorKind::Undecodable`]): a cut list would let changes pass. For the rest as
    /// [`Database::snapshot`](crate::manager::Database::snapshot).
    ///
    /// ```no_run
    /// # async fn example(manager: fleet_api::manager::Manager) -> Result<(), Box<dyn std::error::Error>> {
    /// use fleet_api::manager::{Change, IgnoreConfig, expect_only};
    ///
    /// let mut ignore = IgnoreConfig::default();
    /// ignore.fields.insert("updated_at".to_owned());
    /// let diff = manager.diff(&ignore).await?;
    /// expect_only(&diff, &[Change::modify("tickets", 2).field("status", "closed")])?;
    /// # Ok(()) }
    /// ```
    pub async fn diff(&self, ignore: &IgnoreConfig) -> Result<Diff, Error> {
        match self.structured_diff(ignore).await {
            Ok(tables) => {
                let tables = tables
                    .into_iter()
                    .map(|(name, table)| (name, without_rewrites(table)));
                let source = DiffSource::Manager;
                Ok(Diff::from_source(tables.collect(), ignore.clone(), source))
            }
            Err(error) if is_not_offered(&error) => {
                debug!("the manager does not compare ({error}), so snapshots are compared");
                // The seed stands still; the current state is read last, closest to the answer.
                let seed = self.db(SEED).snapshot().await?;
                let current = self.db(CURRENT).snapshot().await?;
                Ok(seed.diff(&current, ignore))
            }
            Err(error) => Err(error),
        }
    }

    async fn structured_diff(
        &self,
        ignore: &IgnoreConfig,
    ) -> Result<BTreeMap<String, TableDiff>, Error> {
        let body = DiffBody {
            ignore_config: Some(ignore.clone()),
        };
        let request = Request::read("compare databases", "/diff/structured", &body).long();
        let operation = request.operation();
        let answer: DiffResponse = self.caller.json(request).await?;
        check_success(
            operation,
            answer.success,
            answer.error.as_deref(),
            &answer.message,
        )?;
        let undecodable = |reason: String| {
            let excerpt = String::new();
            Error::new(operation, ErrorKind::Undecodable { reason, excerpt })
        };
        let tables = answer
            .diff
            .ok_or_else(|| undecodable("a success without a diff".to_owned()))?;
        for (name, table) in &tables {
            let listed =
                table.added_rows.len() + table.removed_rows.len() + table.modified_rows.len();
            if u64::try_from(listed).is_ok_and(|listed| listed < table.total_changes) {
                return Err(undecodable(format!(
                    "{listed} of the {} changes of table {name} are listed",
                    table.total_changes
                )));
            }
        }
        Ok(tables)
    }
}

/// The difference without fields that hold the same written otherwise, as every other comparison has it: a manager may
/// compare texts by their letters.
fn without_rewrites(mut table: TableDiff) -> TableDiff {
    for row in &mut table.modified_rows {
        row.changes
            .retain(|_, change| !same_value(&change.before, &change.after));
    }
    let before = table.modified_rows.len();
    table.modified_rows.retain(|row| !row.changes.is_empty());
    let unchanged = (before - table.modified_rows.len()) as u64;
    table.unchanged_count += unchanged;
    table.total_changes = table.total_changes.saturating_sub(unchanged);
    table
}

/// Whether the manager has no such endpoint, or says that it could not compare.
fn is_not_offered(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Operation { .. }
            | ErrorKind::Api {
                status: 404 | 405 | 501,
                ..
            }
    )
}
