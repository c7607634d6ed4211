//! The files of a run: each exporter is a pure function from a record and its summary to bytes.

mod csv;
mod format;
mod html;
mod json;
mod junit;
mod markdown;

pub use csv::{CSV_COLUMNS, csv, csv_header, csv_row};
pub use format::{Format, UnknownFormat};
pub use html::html;
pub use json::{RESULTS_VERSION, json};
pub use junit::junit;
pub use markdown::markdown;
