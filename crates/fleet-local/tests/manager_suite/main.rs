//! The instance manager: the diff engine against a model, and the endpoints as clients see them.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]

mod api;
mod diff;
mod expectations;
