//! What a person sees of a run: lines as trials finish, a live area on a terminal, a conclusion at the end.
//!
//! Everything here draws what the record says; nothing here decides.

mod conclusion;
mod keys;
mod live;
mod log;
mod watcher;

pub(crate) use conclusion::{conclusion, trial_word};
pub(crate) use log::{Log, line};
pub(crate) use watcher::Watcher;
