//! Development commands: `cargo xtask test` gets what the tests need and runs all of them, `cargo xtask tidy` holds the rules that no
//! compiler holds, `cargo xtask reliability` writes what the tests prove. Not part of the product; nothing here is installed.

mod command;
mod conformance;
mod measure;
mod reliability;
mod say;
mod test;
mod tidy;
mod tools;
mod workspace;

use std::process::ExitCode;

use crate::say::say;

const USAGE: &str = "\
Usage: cargo xtask COMMAND

  test [--filter TEXT]   get what the tests need, then run all of them: tests, documentation tests, tidy rules
                         --filter TEXT: only the tests whose names contain TEXT
  tidy                   check the rules of the repository alone
  reliability            write docs/reliability.md and the README's promises from the fault table and the tests
  conformance            write docs/sdk-conformance.md from the suite of the official SDK
  soak [TRIALS]          many trials of an agent that does nothing; fails if memory, descriptors or threads grow
  bench trials|journal   a rate and its ratio to the limit of this machine";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["test"] => test::run(None),
        ["test", "--filter", text] => test::run(Some(text)),
        ["tidy"] => tidy::run(),
        ["reliability"] => reliability::run(),
        ["conformance"] => conformance::run(),
        ["soak"] => measure::soak::run(measure::soak::TRIALS),
        ["soak", trials] => match trials.parse() {
            Ok(trials) if trials > 0 => measure::soak::run(trials),
            _ => Err(anyhow::anyhow!("`{trials}` is no number of trials")),
        },
        ["bench", name] => measure::bench::run(name),
        [measure::APP, port] => measure::app(port),
        ["help" | "--help" | "-h"] => {
            say(USAGE);
            return ExitCode::SUCCESS;
        }
        _ => {
            say(USAGE);
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
