//! The JSON bodies of the manager's endpoints.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::diff::{Ignore, TableDiff};
use super::schema::TableInfo;
use std::collections::BTreeMap;

/// One entry of `GET /resources`.
#[derive(Debug, Serialize)]
pub(super) struct ResourceEntry {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) mode: &'static str,
    pub(super) label: Option<String>,
}

/// Body of `POST …/query`.
#[derive(Debug, Deserialize)]
pub(super) struct QueryRequest {
    pub(super) query: String,
    #[serde(default)]
    pub(super) args: Option<Vec<Value>>,
    #[serde(default = "read_only_unless_said")]
    pub(super) read_only: bool,
}

const fn read_only_unless_said() -> bool {
    true
}

/// Answer of `POST …/query`.
#[derive(Debug, Default, Serialize)]
pub(super) struct QueryResponse {
    pub(super) success: bool,
    pub(super) message: String,
    pub(super) columns: Option<Vec<String>>,
    pub(super) rows: Option<Vec<Vec<Value>>>,
    pub(super) rows_affected: Option<u64>,
    pub(super) last_insert_id: Option<i64>,
    pub(super) error: Option<String>,
}

/// Answer of `GET …/describe`.
#[derive(Debug, Serialize)]
pub(super) struct DescribeResponse {
    pub(super) success: bool,
    pub(super) resource_name: String,
    pub(super) message: String,
    pub(super) tables: Option<Vec<TableInfo>>,
    pub(super) error: Option<String>,
}

/// Body of `POST /diff/structured`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct DiffRequest {
    #[serde(default)]
    pub(super) ignore_config: Option<Ignore>,
}

/// Answer of `POST /diff/structured`.
#[derive(Debug, Serialize)]
pub(super) struct DiffResponse {
    pub(super) success: bool,
    pub(super) message: String,
    pub(super) diff: Option<BTreeMap<String, TableDiff>>,
    pub(super) error: Option<String>,
}

/// Answer of the endpoints that only say whether it worked.
#[derive(Debug, Serialize)]
pub(super) struct Acknowledged {
    pub(super) success: bool,
    pub(super) message: String,
}

/// Body of the file endpoints.
#[derive(Debug, Deserialize)]
pub(super) struct FileRequest {
    pub(super) path: String,
    #[serde(default = "with_content")]
    pub(super) include_content: bool,
    #[serde(default)]
    pub(super) max_content_size: Option<usize>,
}

const fn with_content() -> bool {
    true
}
