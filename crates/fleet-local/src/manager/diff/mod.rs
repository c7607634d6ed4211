//! The difference between two `SQLite` databases, row by row.
//!
//! Responsible for pairing the rows of the seed with those of the current state by their key, and for saying what was added, removed or
//! modified. Both sides are read once, ordered by key, and merged, so that memory holds the differences and two rows, never a table.
//! Not responsible for judging a difference: that is the verifier's.

mod difference;
mod key;
mod structured;
mod walk;

pub use difference::{DiffError, Difference, Row, Table};
pub use structured::structured;
pub use walk::walk;
