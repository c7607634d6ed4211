//! What a run's record says, as numbers and as files: statistics, the summary, exporters.
//!
//! Everything here is pure: a [`run_record::RunRecord`] in, a [`Summary`] or bytes out. It reads no file, writes
//! no file, and decides no exit code; it shows what `run_record::Verdict` decided.

pub mod export;
pub mod stats;
pub mod summary;
pub mod text;

#[cfg(test)]
mod fixture;
mod row;

pub use export::{Format, UnknownFormat};
pub use row::Row;
pub use summary::Summary;
