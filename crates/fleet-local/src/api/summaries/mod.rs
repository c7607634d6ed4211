//! Summaries of jobs: asked for, written behind the caller's back by the judge, and read.

mod ask;
mod write;

pub(super) use ask::{get, start};
