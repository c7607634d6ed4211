//! The Fleet API from the shell, against the embedded server run by itself: every command as people and as programs
//! read it, what it refuses, and what it asks before.

mod answers;
mod asking;
mod databases;
mod evaluation;
mod files;
mod instances;
mod refusals;
mod runs_elsewhere;
mod summaries;
mod tasks;
