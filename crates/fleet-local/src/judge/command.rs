//! A judge that is a program: the request as JSON on its standard input, the grade as JSON on its standard output.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fleet_api::types::GradeResponse;
use process_tree::{LeaderStatus, OutputSink, Shim, StdinSource, TreeCommand};
use serde_json::{Value, json};

use super::collect::Collected;
use super::service::{GradeError, Question};
use crate::error_chain;

/// Bytes of each stream that are kept.
const OUTPUT: u64 = 1 << 20;

/// From TERM to KILL.
const GRACE: Duration = Duration::from_secs(1);

/// The judge is the user's own program and may need its own keys: it has the server's environment.
pub(super) async fn ask(
    words: &[String],
    shim: &Shim,
    scratch: &Path,
    question: &Question<'_>,
) -> Result<GradeResponse, GradeError> {
    let failed = |text: String| GradeError::Failed(text);
    let (program, args) = words
        .split_first()
        .ok_or_else(|| failed("the judge's command is empty".to_owned()))?;
    let folder = tempfile::Builder::new()
        .prefix("judge-")
        .tempdir_in(scratch)
        .map_err(|error| failed(error.to_string()))?;
    let request = folder.path().join("request.json");
    let text = request_text(question).map_err(|error| failed(error.to_string()))?;
    fs_err::tokio::write(&request, text)
        .await
        .map_err(|error| failed(error.to_string()))?;
    // Relative paths of the command are meant from where the server was started.
    let cwd = std::env::current_dir().unwrap_or_else(|_| folder.path().to_owned());
    let mut command = TreeCommand::new(program, cwd);
    command.args = args.iter().map(OsString::from).collect();
    command.env = std::env::vars_os().collect();
    command.stdin = StdinSource::File(request);
    command.stdout = OutputSink::Memory { limit: OUTPUT };
    command.stderr = OutputSink::Memory { limit: OUTPUT };
    command.watch_last_json_line = true;
    command.grace = GRACE;
    // Dropped at the time limit, which ends the tree.
    let mut tree = process_tree::spawn(shim, command)
        .await
        .map_err(|error| failed(error_chain(&error)))?;
    let exit = tree.wait().await;
    let text = |bytes: &Option<Vec<u8>>| {
        String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()).into_owned()
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
    let stdout = text(&exit.stdout.memory);
    let whole = serde_json::from_str(stdout.trim()).ok();
    let last = || serde_json::from_slice(exit.last_json_line.as_deref()?).ok();
    whole
        .or_else(last)
        .ok_or_else(|| failed(format!("{program} printed no JSON answer")))
}

fn request_text(question: &Question<'_>) -> serde_json::Result<String> {
    let mut request = serde_json::to_value(question.body)?;
    request["collected"] = collected(question.collected);
    Ok(request.to_string())
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
