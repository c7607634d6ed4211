//! Real commands under a real supervisor. The commands are `tests/bins/zoo.rs`.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "what tests share is a test too"
)]

mod escape;
mod life;
mod output;
mod support;
mod zoo;
