//! The claim on an instance: keeping it alive while its trial works.
//!
//! Giving it back is a step of the trial, see `trial/teardown.rs`.

mod heartbeat;

pub(crate) use heartbeat::{Beat, Beats, Heartbeats, KeptAlive};
