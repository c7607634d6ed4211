//! What the server remembers beyond its processes: one SQLite database, in a state directory that outlives the server or
//! in a temporary one that goes with it.
//!
//! One file per topic holds the statements of its tables and nothing else; what they mean is the business of whoever
//! calls them. All writes go through one thread, which commits whatever is waiting together.

pub(crate) mod bundles;
mod error;
pub(crate) mod executions;
mod handle;
pub(crate) mod instances;
pub(crate) mod jobs;
mod place;
pub(crate) mod requests;
mod schema;
pub(crate) mod sessions;
pub(crate) mod summaries;
pub(crate) mod tasks;
mod worker;

pub(crate) use bundles::StoredBundle;
pub(crate) use error::ArchiveError;
pub use error::StateError;
pub(crate) use executions::StoredExecution;
pub(crate) use handle::Archive;
pub(crate) use instances::{Past, PastFilter, StoredInstance};
pub(crate) use jobs::StoredJob;
pub(crate) use place::Place;
pub(crate) use requests::{Repeat, StoredRequest};
#[cfg(test)]
pub(crate) use schema::in_memory;
pub(crate) use sessions::{SessionChange, SessionRow, StoredMessage};
pub(crate) use tasks::{StoredTask, StoredVersion};

/// The statements of each topic.
pub(crate) mod sql {
    pub(crate) use super::{
        bundles, executions, instances, jobs, requests, sessions, summaries, tasks,
    };
}
