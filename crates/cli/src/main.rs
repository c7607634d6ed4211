//! The binary `harness`: arguments become settings, settings go to one function per command, which answers with
//! an exit code. The same binary, started with `__shim`, is the supervisor of a process tree.

mod args;
mod commands;
mod descriptors;
mod display;
mod failure;
mod printer;
mod runs;
mod secrets;
mod service;

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args_os()
        .nth(1)
        .is_some_and(|first| first == "__shim")
    {
        return process_tree::shim_main();
    }
    commands::main()
}
