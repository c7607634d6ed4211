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
                    .filter(|text| !text.trim().is_empty())
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

/// What the verifier printed, below the record: its checks as lines, the rest as it is.
fn printed(said: &ExecuteResponse, out: Output) {
    let Some(text) = &said.stdout else {
        return;
    };
    let printed = Printed::read(text);
    let section = |title: &str, text: &str| {
        let heading = styled(style::BOLD, title);
        out.printer
            .data(format_args!("{heading}\n{}", report::text::visible(text)));
    };
    if !printed.failed.is_empty() {
        section("failed checks", &printed.failed.join("\n"));
    }
    if !printed.passed.is_empty() {
        section("passed checks", &printed.passed.join("\n"));
    }
    let rest = printed.rest.trim();
    if !rest.is_empty() {
        section("stdout", rest);
    }
}

/// Output of a verifier, its blocks of checks taken out.
#[derive(Debug, Default, PartialEq, Eq)]
struct Printed {
    failed: Vec<String>,
    passed: Vec<String>,
    rest: String,
}

impl Printed {
    fn read(text: &str) -> Self {
        let (rest, failed) = without_block(text, "ERROR_ACCUMULATOR");
        let (rest, passed) = without_block(&rest, "SUCCESS_ACCUMULATOR");
        Self {
            failed,
            passed,
            rest,
        }
    }
}

/// Takes out `>>> NAME >>> [json] <<< NAME <<<`. A block that is no list of texts stays where it is.
fn without_block(text: &str, name: &str) -> (String, Vec<String>) {
    let (open, close) = (format!(">>> {name} >>>"), format!("<<< {name} <<<"));
    let block = text.split_once(&open).and_then(|(before, rest)| {
        let (inside, after) = rest.split_once(&close)?;
        let checks: Vec<String> = serde_json::from_str(inside.trim()).ok()?;
        Some((before, after, checks))
    });
    match block {
        Some((before, after, checks)) => {
            let checks = checks.iter().map(|check| format!("  {check}")).collect();
            (
                format!("{}{}", before, after.trim_start_matches('\n')),
                checks,
            )
        }
        None => (text.to_owned(), Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_taken_out_of_what_was_printed() {
        let text = "looking\n>>> ERROR_ACCUMULATOR >>>\n[\"[X] a\"]\n<<< ERROR_ACCUMULATOR <<<\n\
                    >>> SUCCESS_ACCUMULATOR >>>\n[]\n<<< SUCCESS_ACCUMULATOR <<<\nend";
        let printed = Printed::read(text);
        assert_eq!(printed.failed, ["  [X] a"]);
        assert!(printed.passed.is_empty());
        assert_eq!(printed.rest, "looking\nend");
        let odd = ">>> ERROR_ACCUMULATOR >>>\n['python']\n<<< ERROR_ACCUMULATOR <<<";
        assert_eq!(Printed::read(odd).rest, odd);
    }
}
