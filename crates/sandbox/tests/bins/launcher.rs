//! The confining process as a program of its own, for tests.

fn main() -> std::process::ExitCode {
    sandbox::sandbox_main()
}
