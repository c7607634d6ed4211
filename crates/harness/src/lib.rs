//! The runner: a run spec becomes a plan, a plan becomes trials, trials become a record.
//!
//! The folders stand in the order in which things happen: [`spec`] reads and checks what the user wrote, [`plan`]
//! turns tasks and variants into trials, [`runner`] starts them as room allows, `trial` takes one from its create
//! to its release, `lease` keeps its instance alive, `sessions` delivers what its agent said, `recorder` makes every
//! step durable before the next, and [`recovery`] takes up a run whose harness ended before it.
//! This crate speaks to the service over HTTP only and never prints.

#[cfg(test)]
mod fixtures;
mod lease;
pub mod plan;
mod recorder;
pub mod recovery;
pub mod runner;
mod sessions;
#[cfg(test)]
mod sim;
pub mod spec;
mod trial;
mod world;

pub use sessions::transcript;

/// For fuzzing: reads what an agent may have left as its result, and answers how many bytes of text are kept of it.
#[doc(hidden)]
pub fn read_agent_result(bytes: &[u8]) -> usize {
    trial::read_agent_result(bytes)
}

/// For fuzzing: reads what an agent may have left as its transcript, and answers how many messages are in it.
#[doc(hidden)]
pub fn read_transcript(bytes: &[u8]) -> usize {
    sessions::count_messages(bytes)
}
