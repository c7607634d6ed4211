//! Judges a difference: were these changes the only ones, and did all of them happen?
//!
//! Pure functions of a [`Diff`]. Getting one is the business of `diff`.

mod change;
mod json;
mod judge;
mod report;
#[cfg(test)]
mod tests;

use serde_json::Value as Json;

pub use change::{Change, ChangeKind, Expected, Key};
pub use json::ChangeError;
pub use report::{FieldMismatch, Mismatch, Mismatches};

use super::diff::Diff;

/// That nothing changed but what `allowed` names. What it names need not have happened.
///
/// # Errors
/// Every change that is not allowed, and every field of an allowed one whose value is another.
///
/// ```
/// use std::collections::BTreeMap;
/// use fleet_api::manager::{Change, Diff, TableDiff, WholeRow, expect_only};
///
/// let added = WholeRow { row_id: 7.into(), data: Default::default() };
/// let tickets = TableDiff { added_rows: vec![added], ..TableDiff::default() };
/// let diff = Diff::new(BTreeMap::from([("tickets".to_owned(), tickets)]), Default::default());
///
/// expect_only(&diff, &[Change::insert("tickets", 7), Change::delete("tickets", 8)])?;
/// assert!(expect_only(&diff, &[]).is_err());
/// # Ok::<(), fleet_api::manager::Mismatches>(())
/// ```
pub fn expect_only(diff: &Diff, allowed: &[Change]) -> Result<(), Mismatches> {
    Mismatches::of(judge::unexpected(diff, allowed))
}

/// That exactly these changes happened: no other, and each of them.
///
/// # Errors
/// As [`expect_only`], and every change that did not happen.
///
/// ```
/// use fleet_api::manager::{Change, Diff, expect_exactly};
///
/// let nothing = Diff::new(Default::default(), Default::default());
/// let error = expect_exactly(&nothing, &[Change::delete("tickets", 8)]).unwrap_err();
/// assert!(error.to_string().contains("tickets 8 was not deleted"));
/// ```
pub fn expect_exactly(diff: &Diff, expected: &[Change]) -> Result<(), Mismatches> {
    let mut mismatches = judge::unexpected(diff, expected);
    mismatches.extend(judge::missing(diff, expected));
    Mismatches::of(mismatches)
}

impl Change {
    /// Reads a list of changes in the forms in which Python verifiers write them (see
    /// [`Change::from_json`]).
    ///
    /// # Errors
    /// [`ChangeError`] naming the place in the list and what is wrong there.
    ///
    /// ```
    /// use fleet_api::manager::Change;
    ///
    /// let changes = Change::list_from_json(&serde_json::json!([
    ///     {"table": "tickets", "pk": 2, "field": "status", "after": "closed"},
    ///     {"table": "comments", "pk": 9, "type": "insert"},
    /// ]))?;
    /// assert_eq!(changes.len(), 2);
    /// # Ok::<(), fleet_api::manager::ChangeError>(())
    /// ```
    pub fn list_from_json(list: &Json) -> Result<Vec<Self>, ChangeError> {
        json::list(list)
    }

    /// Reads one change:
    ///
    /// - `{table, pk, type: "insert", fields?: [[name, value], …]}`
    /// - `{table, pk, type: "modify", resulting_fields?: [[name, value], …], no_other_changes: bool}`
    /// - `{table, pk, type: "delete", fields?: [[name, value], …]}`
    /// - `{table, pk, field, after}`, and with `after` of `"__added__"` or `"__removed__"` and no
    ///   field a whole row.
    ///
    /// The value `{"any": true}` stands for any value, where Python has `...`.
    ///
    /// # Errors
    /// [`ChangeError`] saying what is wrong.
    ///
    /// ```
    /// use fleet_api::manager::{Change, ChangeKind};
    ///
    /// let change = Change::from_json(&serde_json::json!({
    ///     "table": "tickets", "pk": 2, "type": "modify",
    ///     "resulting_fields": [["status", "closed"], ["updated_at", {"any": true}]],
    ///     "no_other_changes": true,
    /// }))?;
    /// assert_eq!(change.kind(), ChangeKind::Modify);
    /// # Ok::<(), fleet_api::manager::ChangeError>(())
    /// ```
    pub fn from_json(change: &Json) -> Result<Self, ChangeError> {
        json::change(change)
    }
}
