//! The instance manager: a client for what looks into the data, files and browser of one instance.
//!
//! ```no_run
//! use fleet_api::manager::{Change, IgnoreConfig, Manager, expect_exactly};
//!
//! # async fn example(fleet: fleet_api::Client, instance: fleet_api::types::Instance) -> Result<(), Box<dyn std::error::Error>> {
//! let manager = Manager::of(&fleet, &instance)?;
//! let open: u64 = manager.db("current").table("tickets").eq("status", "open").count().await?;
//! println!("{open} open tickets");
//!
//! // … an agent works in the instance …
//! let diff = manager.diff(&IgnoreConfig::default()).await?;
//! expect_exactly(&diff, &[Change::modify("tickets", 2).field("status", "closed")])?;
//! # Ok(()) }
//! ```
//!
//! # What a call does on its own
//!
//! It uses the connections, the patience and the limits of its [`Client`](crate::Client), but not
//! its credential: a manager call carries neither the API key nor a request id, only the runner
//! token of the client's service, and that only to hosts that belong to the service.
//!
//! - Reads are repeated like every other read. A statement that may write
//!   ([`Database::exec`](Database::exec)) is repeated only where it certainly did nothing: there is
//!   no request id by which a manager could recognise it.
//! - A 404 is taken for "not routed yet" and tried again until this manager has answered once.
//!   After that a 404 is an answer.
//! - `success: false` is an error ([`ErrorKind::Operation`](crate::ErrorKind::Operation)). The
//!   official client hands it on as an empty result, by which a verifier can pass that has seen
//!   nothing.

mod address;
mod browser;
mod call;
mod database;
mod diff;
mod expect;
mod files;
mod instance;
mod mcp;
mod same;
mod token;

pub use crate::types::manager::{
    BrowserAddresses, ColumnSchema, DocumentMetadata, DocumentStructure, ExecuteFunctionBody,
    ExecuteFunctionResponse, FieldChange, FileDiff, FileDiffEntry, FileState, IgnoreConfig,
    ManagerHealth, ModifiedRow, Resource, ResourceKind, ResourceMode, TableDiff, TableSchema,
    WholeRow,
};
pub use browser::Browser;
pub use database::{
    CheckError, Column, Database, Executed, FromValue, IntoParams, Row, RowError, Rows, Statement,
    TableQuery, Unmet, Value,
};
pub use diff::{Diff, DiffSource, Snapshot, SnapshotLimits, SnapshotTable};
pub use expect::{
    Change, ChangeError, ChangeKind, Expected, FieldMismatch, Key, Mismatch, Mismatches,
    expect_exactly, expect_only,
};
pub use files::{FileChange, FileMismatches, Files};
pub use instance::Manager;
pub use mcp::McpServer;
pub(crate) use token::RunnerToken;
