//! What a confined program can and cannot do, tried by a small program of our own in each case.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]

mod gate;
mod reach;
mod support;
