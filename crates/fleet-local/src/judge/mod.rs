//! The judge: grades an answer by a rubric and sums up sessions, through a command or a model that the user configured.
//!
//! A grade that could not be had is an error and never a zero.

mod answer;
mod collect;
mod command;
mod model;
mod prompt;
mod service;
mod summary;

pub(crate) use service::{Judge, JudgeError};
pub use service::{JudgeConfig, JudgeEngine};
pub(crate) use summary::INSTRUCTIONS;
