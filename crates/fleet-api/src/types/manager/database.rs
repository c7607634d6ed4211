//! The databases of an instance: their tables, and one statement at a time.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::types::lenient;

/// Answer of `GET /resources/sqlite/{name}/describe`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DescribeResponse {
    /// Whether it worked.
    pub success: bool,
    /// The database.
    #[serde(default, deserialize_with = "lenient::text")]
    pub resource_name: String,
    /// Its tables.
    #[serde(default)]
    pub tables: Option<Vec<TableSchema>>,
    /// Why there are none.
    #[serde(default)]
    pub error: Option<String>,
    /// What happened, for people.
    #[serde(default, deserialize_with = "lenient::text")]
    pub message: String,
}

/// One table.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TableSchema {
    /// Its name.
    pub name: String,
    /// The statement that made it.
    #[serde(default, deserialize_with = "lenient::text")]
    pub sql: String,
    /// Its columns, in order.
    pub columns: Vec<ColumnSchema>,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ColumnSchema {
    /// 0-based position; some services leave it out.
    #[serde(default)]
    pub cid: Option<i64>,
    /// Its name.
    pub name: String,
    /// The declared type, as it was written; may be empty.
    #[serde(rename = "type", default, deserialize_with = "lenient::text")]
    pub declared_type: String,
    /// Whether NOT NULL was declared.
    #[serde(default)]
    pub notnull: bool,
    /// The default's SQL text.
    #[serde(default)]
    pub default_value: Option<Value>,
    /// Whether it belongs to the primary key.
    #[serde(default)]
    pub primary_key: bool,
    /// 1-based position in the primary key, 0 outside it; some services leave it out.
    #[serde(default)]
    pub pk: Option<i64>,
}

/// Body of `POST /resources/sqlite/{name}/query`. All three fields are always written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct QueryBody {
    /// One statement, with `?` for its values.
    pub query: String,
    /// The values.
    #[serde(default)]
    pub args: Option<Vec<Value>>,
    /// Whether the statement may only read.
    #[serde(default = "read_only_unless_said")]
    pub read_only: bool,
}

const fn read_only_unless_said() -> bool {
    true
}

/// Answer of `POST /resources/sqlite/{name}/query`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct QueryResponse {
    /// Whether it worked.
    pub success: bool,
    /// Column names.
    #[serde(default)]
    pub columns: Option<Vec<String>>,
    /// Rows, in the order of the statement.
    #[serde(default)]
    pub rows: Option<Vec<Vec<Value>>>,
    /// Rows that were changed.
    #[serde(default)]
    pub rows_affected: Option<u64>,
    /// The rowid of the last insert.
    #[serde(default)]
    pub last_insert_id: Option<i64>,
    /// Why it did not work.
    #[serde(default)]
    pub error: Option<String>,
    /// What happened, for people.
    #[serde(default, deserialize_with = "lenient::text")]
    pub message: String,
}
