//! The client against a service on this machine that answers by script: what is sent, how often, and
//! what a caller is told. Requests and answers as such are tested beside the code.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests end the test at the first surprise"
)]

mod answers;
mod create;
mod credentials;
mod environment;
mod judge;
mod keep_alive;
mod limits;
mod manager;
mod retries;
mod sessions;
mod support;
mod tasks;
mod verify;
