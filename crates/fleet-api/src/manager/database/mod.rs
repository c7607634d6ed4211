//! The databases of an instance: their tables, one statement at a time, and queries that are built.
//!
//! Comparing databases is the business of `diff`.

mod check;
mod column;
mod decode;
mod handle;
mod params;
mod query;
mod row;
mod value;

pub use check::{CheckError, Unmet};
pub use column::Column;
pub use handle::{Database, Executed};
pub use params::IntoParams;
pub use query::{Statement, TableQuery};
pub use row::{Row, RowError, Rows};
pub use value::{FromValue, Value};

pub(super) use column::{quote, quote_column};
