//! The binary `harness`: arguments become settings, settings go to one function per command, which answers with
//! an exit code. The same binary, started with `__shim`, is the supervisor of a process tree, and started with
//! `__sandbox` it confines itself and becomes a verifier; with `__document` it reads one document for the embedded server.

mod args;
mod commands;
mod descriptors;
mod display;
mod failure;
mod printer;
mod runs;
mod secrets;
mod service;

use std::ffi::OsStr;
use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args_os()
        .nth(1)
        .as_deref()
        .and_then(OsStr::to_str)
    {
        Some("__shim") => process_tree::shim_main(),
        Some("__sandbox") => sandbox::sandbox_main(),
        Some("__document") => fleet_local::document_main(),
        _ => commands::main(),
    }
}
