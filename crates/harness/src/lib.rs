//! The runner: a run spec becomes a plan, a plan becomes trials, trials become a record.

pub mod spec;
