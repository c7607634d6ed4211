//! Summaries of jobs: what is shown to the judge, in how many questions, and who waits for whom.
//!
//! It knows nothing of HTTP and asks nobody itself: transcripts and answers come from the functions that it is given.

mod fold;
mod material;
mod writers;

pub(crate) use fold::{Limits, fold};
pub(crate) use material::{fingerprint, heading, session};
pub(crate) use writers::Writers;
