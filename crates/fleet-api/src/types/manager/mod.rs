//! The instance manager: what looks into the data, files and browser of one instance.
//!
//! It says `success: false` with a reason, under status 200, where an operation itself failed.

mod browser;
mod database;
mod diff;
mod files;
mod instance;

pub use browser::{BrowserAddresses, StartBrowserBody};
pub use database::{ColumnSchema, DescribeResponse, QueryBody, QueryResponse, TableSchema};
pub use diff::{
    DiffBody, DiffResponse, FieldChange, IgnoreConfig, ModifiedRow, TableDiff, WholeRow,
};
pub use files::{
    DocumentMetadata, DocumentStructure, DocumentTextBody, FileDiff, FileDiffEntry, FilePathBody,
    FileState, FileStateBody, FileTextBody,
};
pub use instance::{
    Acknowledged, ExecuteFunctionBody, ExecuteFunctionResponse, ManagerHealth, ManagerTime,
    ResetBody, Resource, ResourceKind, ResourceMode,
};
