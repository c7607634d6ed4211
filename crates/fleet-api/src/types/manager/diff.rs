//! How the current state of an instance's database differs from the one it started from.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::types::lenient;

/// Body of `POST /diff/structured`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DiffBody {
    /// What is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore_config: Option<IgnoreConfig>,
}

/// What a comparison leaves out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct IgnoreConfig {
    /// Tables that are not compared at all.
    pub tables: BTreeSet<String>,
    /// Fields that are left out in every table.
    pub fields: BTreeSet<String>,
    /// Table → fields that are left out in it.
    pub table_fields: BTreeMap<String, BTreeSet<String>>,
}

impl IgnoreConfig {
    /// Whether a field of a table is left out.
    pub fn covers(&self, table: &str, field: &str) -> bool {
        self.fields.contains(field)
            || self
                .table_fields
                .get(table)
                .is_some_and(|fields| fields.contains(field))
    }
}

/// Answer of `POST /diff/structured`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DiffResponse {
    /// Whether it worked.
    pub success: bool,
    /// What happened, for people.
    #[serde(default, deserialize_with = "lenient::text")]
    pub message: String,
    /// Table → how it differs; unchanged ones too.
    #[serde(default)]
    pub diff: Option<BTreeMap<String, TableDiff>>,
    /// Why there is none.
    #[serde(default)]
    pub error: Option<String>,
}

/// How one table differs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TableDiff {
    /// The table.
    #[serde(default, deserialize_with = "lenient::text")]
    pub table_name: String,
    /// The fields that identify a row.
    #[serde(default)]
    pub primary_key: Vec<String>,
    /// Rows that are only in the current state.
    #[serde(default)]
    pub added_rows: Vec<WholeRow>,
    /// Rows that are only in the seed.
    #[serde(default)]
    pub removed_rows: Vec<WholeRow>,
    /// Rows that are in both and differ.
    #[serde(default)]
    pub modified_rows: Vec<ModifiedRow>,
    /// Rows that are in both and do not differ.
    #[serde(default, deserialize_with = "lenient::count_or_zero")]
    pub unchanged_count: u64,
    /// Rows that were added, removed or modified.
    #[serde(default, deserialize_with = "lenient::count_or_zero")]
    pub total_changes: u64,
}

/// A row that is on one side only.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WholeRow {
    /// The key's value; a list for a key of several fields.
    pub row_id: Value,
    /// Field → value.
    #[serde(default)]
    pub data: Map<String, Value>,
}

/// A row that differs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ModifiedRow {
    /// The key's value; a list for a key of several fields.
    pub row_id: Value,
    /// Field → how it differs.
    pub changes: BTreeMap<String, FieldChange>,
    /// The row as it is now.
    #[serde(default)]
    pub data: Map<String, Value>,
}

/// How one field differs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FieldChange {
    /// In the seed.
    #[serde(default)]
    pub before: Value,
    /// Now.
    #[serde(default)]
    pub after: Value,
}
