//! The supervisor as a program of its own, for tests.

fn main() -> std::process::ExitCode {
    process_tree::shim_main()
}
