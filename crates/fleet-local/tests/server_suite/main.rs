//! The server as its clients see it: over HTTP, with real apps as process trees.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod access;
mod apps;
mod browser;
mod catalogue;
mod creating;
mod documents;
mod ending;
mod gateway;
mod judging;
mod listing;
mod recording;
mod requests_recorded;
mod restarting;
mod summarising;
mod support;
mod verifying;
