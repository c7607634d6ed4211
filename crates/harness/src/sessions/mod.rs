//! Sessions: what agents said while they worked, delivered to the service beside their scores.
//!
//! `transcript` reads what an agent left, `outgoing` keeps it until it is delivered, `job` makes the one job that the
//! run's sessions belong to, `parcel` says what is due, `deliver` sends one session, and `courier` several at once, after
//! their instances are given back.
//!
//! # Guarantees
//! No session changes a trial's result or keeps an instance. Every request is durable before it leaves; one that got no
//! answer is looked for before it is repeated, and repeated under its own id.

mod courier;
mod deliver;
mod job;
mod outgoing;
mod parcel;
mod stage;
pub mod transcript;

pub(crate) use courier::Courier;
pub(crate) use job::SessionJob;
pub(crate) use parcel::{Parcel, all_due, due_after};
pub(crate) use stage::stage;

/// For fuzzing: reads a transcript, and answers how many messages are in it.
pub(crate) fn count_messages(bytes: &[u8]) -> usize {
    transcript::read(bytes).map_or(0, |transcript| transcript.messages.len())
}
