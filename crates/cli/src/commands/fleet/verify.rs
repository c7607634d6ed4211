//! `harness fleet verify`: what a task's verifier says of an instance.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use fleet_api::types::{ExecuteResponse, InstanceId, TaskKey};
use fleet_api::{Client, VerifierSource, native_verifier};
use run_record::ExitCode;
use serde_json::Value;

use super::failed::{Done, Failed};
use super::input;
use super::output::{Output, text};
use crate::printer::{style, styled};

#[derive(Debug, Args)]
#[command(after_help = "Exit code: 0 with a score, whatever it is; 3 when the verifier gave none.")]
pub(crate) struct VerifyArgs {
    /// The task; with --verifier only the name under which the result is reported
    task: String,
    /// The instance that was worked in
    instance: String,
    /// The agent's answer
    #[arg(long, value_name = "TEXT", conflicts_with = "answer_file")]
    answer: Option<String>,
    /// A file with the agent's answer; `-` is stdin
    #[arg(long, value_name = "FILE")]
    answer_file: Option<PathBuf>,
    /// This verifier in place of the task's: Python source, or a native definition as JSON
    #[arg(long, value_name = "FILE")]
    verifier: Option<PathBuf>,
    /// How long it may run, 1s to 5m
    #[arg(long, value_name = "TIME", value_parser = timeout)]
    timeout: Option<Duration>,
    /// Where to run it
    #[arg(long)]
    region: Option<String>,
}

/// The range of the API.
fn timeout(text: &str) -> Result<Duration, String> {
    let timeout = input::duration(text)?;
    if (Duration::from_secs(1)..=Duration::from_mins(5)).contains(&timeout) {
        return Ok(timeout);
    }
    Err("must be between 1s and 5m".to_owned())
}

pub(super) async fn verify(args: VerifyArgs, client: &Client, out: Output) -> Done {
    let answer = input::text(args.answer, args.answer_file.as_deref())?;
    let verifier = match &args.verifier {
        Some(file) => source(&args.task, file)?,
        None => stored(&TaskKey::new(args.task), client).await?,
    };
    let mut options = fleet_api::VerifyArgs::answer(answer);
    options.timeout = args.timeout;
    options.region = args.region;
    let instance = InstanceId::new(args.instance);
    let said = client.verify(&verifier, &instance, &options).await?;
    tell(&said, out)
}

/// Reads a verifier from a file: `.json` is a native definition, everything else Python.
pub(super) fn source(key: &str, file: &Path) -> Result<VerifierSource, Failed> {
    let text = input::read(file)?;
    let name = file.display();
    if file.extension().is_none_or(|end| end != "json") {
        return Ok(VerifierSource::new(key, text));
    }
    let definition: Value = serde_json::from_str(&text)
        .map_err(|error| Failed::usage(format!("{name} is not JSON: {error}")))?;
    if definition.get("kind").and_then(Value::as_str).is_none() {
        return Err(
            Failed::usage(format!("{name} is no verifier: it has no `kind`"))
                .help("docs/environments.md describes native verifiers"),
        );
    }
    Ok(VerifierSource::new(
        key,
        native_verifier::render(&definition),
    ))
}

async fn stored(key: &TaskKey, client: &Client) -> Result<VerifierSource, Failed> {
    client.task(key).await?.verifier.ok_or_else(|| {
        Failed::usage(format!("the task {key} has no verifier that can be had"))
            .help("--verifier FILE gives one")
    })
}

fn tell(said: &ExecuteResponse, out: Output) -> Done {
    let score = said.score();
    if out.json {
        out.printer.json(said);
    } else {
        let shown = match &score {
            Ok(score) => report::text::score(*score),
            Err(_) => "none".to_owned(),
        };
        out.record(
            said,
            &[
                ("score", shown),
                ("verifier", said.key.clone().unwrap_or_default()),
                ("took", report::text::duration(said.execution_time_ms)),
                ("execution", text(said.execution_id.as_ref())),
            ],
        )?;
        printed(said, out);
    }
    match score {
        Ok(_) => Ok(ExitCode::Success),
        Err(error) => {
            let failed = Failed::unscored(report::text::visible(&error.to_string()));
            Err(
                match said
                    .error
                    .as_ref()
                    .and_then(|error| error.traceback.as_ref())
                {
                    Some(traceback) if !out.json => failed.help(format!(
                        "the verifier's traceback:\n{}",
                        report::text::visible(traceback.trim_end())
                    )),
                    _ => failed,
                },
            )
        }
    }
}

/// What the verifier printed, below the record.
fn printed(said: &ExecuteResponse, out: Output) {
    let Some(text) = said.stdout.as_deref().map(str::trim_end) else {
        return;
    };
    if !text.is_empty() {
        let heading = styled(style::BOLD, "stdout");
        out.printer
            .data(format_args!("{heading}\n{}", report::text::visible(text)));
    }
}
