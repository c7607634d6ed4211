//! The judge: grades an answer by a rubric, through a command or a model that the user configured.
//!
//! A grade that could not be had is an error and never a zero.

mod answer;
mod collect;
mod command;
mod model;
mod prompt;
mod service;

pub(crate) use service::{GradeError, Judge};
pub use service::{JudgeConfig, JudgeEngine};
