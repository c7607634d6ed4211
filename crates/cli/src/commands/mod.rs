//! One file per command. Each takes what was asked for and answers with an exit code or a failure.

mod check;
mod demo;
pub(crate) mod demo_package;
mod doctor;
mod entry;
mod fleet;
mod init;
mod list;
mod local;
mod prepare;
mod report;
mod rerun;
mod resume;
mod run;
mod show;
mod sitting;
mod spec_change;
mod sweep;
mod unfinished;

pub(crate) use entry::main;
pub(crate) use fleet::FleetArgs;
