//! What the judge is asked, put together, and what its answer is worth.
//!
//! A judge that could not judge has no score: it is never a zero.

mod attachment;
mod grading;
mod rubric;
mod score;

pub use score::GradeError;
