//! The verifier service: bundles, arguments and the three engines. The Python tests need python3 and the package index; they say so and
//! pass without having tested anything where these cannot be had.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]

mod command;
mod python;
mod sandbox;
mod service;
mod state;
mod support;
