//! The official SDK in a process of its own, asked a line at a time.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use super::cases::Helper;

/// A Python that has the SDK; `cargo xtask test` makes one.
const PYTHON: &str = "HARNESS_TEST_PYTHON";

pub(super) struct Sdk {
    process: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

pub(super) struct Verdict {
    pub(super) passes: bool,
    pub(super) says: String,
}

impl Sdk {
    /// None, said aloud, without a Python that has it.
    #[expect(
        clippy::print_stderr,
        reason = "whoever runs the tests must see what did not run"
    )]
    pub(super) fn start() -> Option<Self> {
        let Some(python) = std::env::var_os(PYTHON) else {
            eprintln!(
                "skipped: {PYTHON} names no Python with the official SDK; `cargo xtask test` makes one"
            );
            return None;
        };
        let mut process = Command::new(python)
            .args(["-B", "-c", include_str!("sdk.py")])
            .env_remove("FLEET_API_KEY")
            .env("RUNNER_AUTH_TOKEN", "unused")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Some(Self {
            questions: process.stdin.take(),
            answers: BufReader::new(process.stdout.take().unwrap()),
            process,
        })
    }

    pub(super) fn ask(&mut self, url: &str, helper: Helper, changes: &[Value]) -> Verdict {
        let question = json!({"url": url, "helper": helper.name(), "structured": helper.takes_the_managers_difference(), "changes": changes});
        writeln!(self.questions.as_mut().unwrap(), "{question}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap();
        assert!(answer.get("error").is_none(), "{question}\n{answer}");
        Verdict {
            passes: answer["passes"].as_bool().unwrap(),
            says: answer["says"].as_str().unwrap().to_owned(),
        }
    }
}

impl Drop for Sdk {
    fn drop(&mut self) {
        // Its loop ends with its input.
        drop(self.questions.take());
        let _ = self.process.wait();
    }
}
