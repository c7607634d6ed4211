//! What is kept of an output stream, and how it gets there.

mod drain;
mod head_tail;
mod json_line;

#[cfg(target_os = "linux")]
pub(crate) use drain::Store;
#[cfg(target_os = "linux")]
pub(crate) use drain::{Drained, Handling, drain};
