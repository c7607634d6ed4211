//! A judge that is a program: the request as JSON on its standard input, its answer as JSON on its standard output.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fleet_api::types::GradeResponse;
use process_tree::{LeaderStatus, OutputSink, StdinSource, TreeCommand};
use redact::Redactor;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::collect::Collected;
use super::service::{JudgeError, Question};
use crate::error_chain;
use crate::programs::Programs;

/// Bytes of each stream that are kept.
const OUTPUT: u64 = 1 << 20;

/// From TERM to KILL.
const GRACE: Duration = Duration::from_secs(1);

/// A program that is the judge.
pub(super) struct Program<'p> {
    pub(super) words: &'p [String],
    /// A folder for the files of questions.
    pub(super) scratch: &'p Path,
    pub(super) programs: &'p Programs,
    /// Knows what the program must not quote.
    pub(super) redactor: &'p Redactor,
}

/// A grade.
pub(super) async fn ask(
    program: &Program<'_>,
    question: &Question<'_>,
) -> Result<GradeResponse, JudgeError> {
    let mut request = serde_json::to_value(question.body)
        .map_err(|error| JudgeError::Failed(error.to_string()))?;
    request["kind"] = "grade".into();
    request["collected"] = collected(question.collected);
    let like = r#"{"normalized_score": 0.5}"#;
    program.answer(&request, like).await
}

impl Program<'_> {
    /// What it answers to a request; `like`: what an answer looks like.
    pub(super) async fn answer<T: DeserializeOwned>(
        &self,
        request: &Value,
        like: &str,
    ) -> Result<T, JudgeError> {
        let failed = |text: String| JudgeError::Failed(text);
        let (program, args) = self
            .words
            .split_first()
            .ok_or_else(|| failed("the judge's command is empty".to_owned()))?;
        let folder = tempfile::Builder::new()
            .prefix("judge-")
            .tempdir_in(self.scratch)
            .map_err(|error| failed(error.to_string()))?;
        let file = folder.path().join("request.json");
        fs_err::tokio::write(&file, request.to_string())
            .await
            .map_err(|error| failed(error.to_string()))?;
        let mut command = self.command(program, args, folder.path());
        command.stdin = StdinSource::File(file);
        // Dropped at the time limit and when the server ends, which ends it.
        let started = self.programs.start("a judge", command).await;
        let mut tree = started.map_err(|error| failed(error_chain(&error)))?;
        let exit = tree.wait().await;
        // Whatever is said of it: it has the server's environment, and may quote it.
        let text = |bytes: &Option<Vec<u8>>| {
            let text = String::from_utf8_lossy(bytes.as_deref().unwrap_or_default());
            self.redactor.text(&text).into_owned()
        };
        if exit.status != LeaderStatus::Exited(0) {
            let stderr = text(&exit.stderr.memory);
            let last = stderr.lines().rev().find(|line| !line.trim().is_empty());
            return Err(failed(format!(
                "{program} ended with {:?}: {}",
                exit.status,
                last.unwrap_or_default()
            )));
        }
        [&exit.stdout.memory, &exit.last_json_line]
            .into_iter()
            .find_map(|printed| serde_json::from_str(text(printed).trim()).ok())
            .ok_or_else(|| failed(format!("{program} printed no JSON answer like {like}")))
    }

    /// The judge is the user's own program and may need its own keys: it has the server's environment.
    fn command(&self, program: &str, args: &[String], folder: &Path) -> TreeCommand {
        // Relative paths of the command are meant from where the server was started.
        let cwd = std::env::current_dir().unwrap_or_else(|_| folder.to_owned());
        let mut command = TreeCommand::new(program, cwd);
        command.args = args.iter().map(OsString::from).collect();
        command.env = std::env::vars_os().collect();
        command.stdout = OutputSink::Memory { limit: OUTPUT };
        command.stderr = OutputSink::Memory { limit: OUTPUT };
        command.watch_last_json_line = true;
        command.grace = GRACE;
        command
    }
}

fn collected(collected: &Collected) -> Value {
    collected
        .iter()
        .map(|(name, files)| {
            let files: Vec<Value> = files
                .iter()
                .map(|file| json!({"path": file.path, "data": STANDARD.encode(&file.bytes)}))
                .collect();
            (name.clone(), Value::from(files))
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}
