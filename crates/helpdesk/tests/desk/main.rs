//! The desk as its users meet it: the API, the pages, the example data and tasks, and the agent at
//! work. One binary, because linking each file on its own takes longer than running them all.

#![expect(
    clippy::unwrap_used,
    reason = "in the helpers of a test a panic is the report"
)]

mod agent;
mod api;
mod common;
mod examples;
mod pages;
mod tools;
mod verify;
