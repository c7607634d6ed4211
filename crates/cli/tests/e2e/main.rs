//! The product from outside: the real binary against its embedded server, judged by what it prints, what it leaves
//! on disk and which processes are alive afterwards. What a single crate can show is tested there, not here.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod agents;
mod bad_input;
mod client_examples;
mod durable;
mod fleet_commands;
mod machine;
mod openapi;
mod outputs;
mod quickstart;
mod quota;
mod reports;
mod resume;
mod scale;
mod secrets;
mod sessions;
mod signals;
mod support;
mod verifiers;
