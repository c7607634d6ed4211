//! Sessions: what an agent and its model said to each other, as it is written down and as it is read.
//!
//! Everything here happens within one transaction of the archive; it knows nothing of HTTP but the errors it ends with.

mod ingest;
mod message;
mod report;

pub(crate) use ingest::{Entry, ingest};
pub(crate) use message::{from_log, from_session};
pub(crate) use report::{Known, is_pass, job_sessions, score, transcript};
