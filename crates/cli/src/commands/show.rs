//! `harness show`: a run, or one task of it with its logs.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use report::{Format, Summary};
use run_record::{ExitCode, RunRecord, TrialRecord, TrialStatus, Verdict};
use serde_json::Value;

use crate::args::ShowArgs;
use crate::display::{conclusion, trial_word};
use crate::failure::{Failure, Outcome};
use crate::printer::{Printer, style, styled};
use crate::runs::{self, FoundRun};

/// How much of a log is shown: the end, where the reason usually stands.
const TAIL: u64 = 4096;

pub(crate) fn show(args: &ShowArgs, printer: Printer) -> Outcome {
    let found = runs::find(&args.dir.runs, &args.run)?;
    if found.replay.torn > 0 {
        printer.say(format_args!(
            "{}: the last line of the journal is torn ({} bytes) and left out",
            styled(style::WARN, "warning"),
            found.replay.torn
        ));
    }
    match &args.task {
        None => show_run(&found, args.json, printer),
        Some(task) => show_task(&found, task, args, printer),
    }
}

fn show_run(found: &FoundRun, as_json: bool, printer: Printer) -> Outcome {
    let record = &found.record;
    if as_json {
        printer.bytes(&Format::Json.render(record, &Summary::of(record)));
        return Ok(ExitCode::Success);
    }
    for trial in &record.trials {
        printer.data(format_args!(
            "{} {}",
            trial_word(record, trial),
            describe(trial)
        ));
    }
    printer.data("");
    printer.data(conclusion(record, &Verdict::of(record), &found.layout));
    Ok(ExitCode::Success)
}

fn describe(trial: &TrialRecord) -> String {
    let score = trial
        .score
        .map(|score| format!("{score:.2}"))
        .unwrap_or_default();
    let time = trial
        .times()
        .total_ms()
        .map(report::text::duration)
        .unwrap_or_default();
    let why = trial
        .failure
        .as_ref()
        .map(|failure| report::text::one_line(&failure.to_string()));
    format!(
        "{score:>5}  {}  {}  {}",
        report::text::name(&trial.id.to_string()),
        styled(style::DIM, time),
        why.unwrap_or_default()
    )
}

fn show_task(found: &FoundRun, task: &str, args: &ShowArgs, printer: Printer) -> Outcome {
    let wanted = |trial: &&TrialRecord| {
        trial.id.task.as_str() == task
            && args.trial.is_none_or(|number| trial.id.trial == number)
            && args
                .variant
                .as_deref()
                .is_none_or(|name| trial.id.variant.as_str() == name)
    };
    let trials: Vec<&TrialRecord> = found.record.trials.iter().filter(wanted).collect();
    if trials.is_empty() {
        return Err(Failure::usage(format!(
            "error: the run {} has no such trial of `{}`",
            found.record.info.run_id,
            report::text::name(task)
        ))
        .hint(format!("`harness show {}` names its trials", args.run)));
    }
    if args.json {
        let all = Format::Json.render(&found.record, &Summary::of(&found.record));
        printer.json(&only(&all, &trials));
        return Ok(ExitCode::Success);
    }
    for trial in trials {
        show_trial(found, trial, printer);
    }
    Ok(ExitCode::Success)
}

/// The entries of these trials in the run's JSON.
fn only(all: &[u8], trials: &[&TrialRecord]) -> Vec<Value> {
    let all: Value = serde_json::from_slice(all).expect("our own report is JSON");
    let listed = all["trials"].as_array().cloned().unwrap_or_default();
    let matches = |value: &Value, trial: &TrialRecord| {
        value["task_key"] == trial.id.task.as_str()
            && value["variant"] == trial.id.variant.as_str()
            && value["trial"] == trial.id.trial
    };
    listed
        .into_iter()
        .filter(|value| trials.iter().any(|trial| matches(value, trial)))
        .collect()
}

fn show_trial(found: &FoundRun, trial: &TrialRecord, printer: Printer) {
    let folder = found.layout.root().join(&trial.trial_dir);
    printer.data(format_args!(
        "{} {}",
        trial_word(&found.record, trial),
        styled(style::BOLD, report::text::name(&trial.id.to_string()))
    ));
    for (name, value) in facts(&found.record, trial) {
        printer.data(format_args!(
            "{} {value}",
            styled(style::DIM, format_args!("{name:>12}"))
        ));
    }
    printer.data(format_args!(
        "{} {}",
        styled(style::DIM, format_args!("{:>12}", "files")),
        folder.display()
    ));
    verifier_section(&folder, printer);
    for name in ["stdout.log", "stderr.log"] {
        section(name, &tail(&folder.join(name)), printer);
    }
    printer.data("");
}

fn facts(record: &RunRecord, trial: &TrialRecord) -> Vec<(&'static str, String)> {
    let mut facts = vec![("status", record.status_of(trial).to_string())];
    let mut add = |name, value: Option<String>| {
        facts.extend(value.map(|value| (name, value)));
    };
    add("score", trial.score.map(report::text::score));
    add(
        "why",
        trial
            .failure
            .as_ref()
            .map(|failure| report::text::one_line(&failure.to_string())),
    );
    let agent = trial.agent();
    add(
        "agent",
        Some(match agent.and_then(|agent| agent.exit_code) {
            Some(code) => format!("{} (exit {code})", trial.agent_outcome()),
            None => trial.agent_outcome().to_string(),
        }),
    );
    add(
        "agent says",
        agent
            .and_then(|agent| agent.error.as_deref())
            .map(report::text::one_line),
    );
    add(
        "answer",
        agent
            .and_then(|agent| agent.final_answer.as_deref())
            .map(report::text::one_line),
    );
    add(
        "steps",
        agent
            .and_then(|agent| agent.steps)
            .map(|steps| steps.to_string()),
    );
    add(
        "attempts",
        (trial.attempts.len() > 1).then(|| trial.attempts.len().to_string()),
    );
    add(
        "instance",
        trial.instance().map(|instance| match trial.teardown() {
            Some(teardown) => format!("{instance} ({teardown})"),
            None => instance.to_string(),
        }),
    );
    let session = trial
        .last_attempt()
        .and_then(|attempt| attempt.session.as_ref());
    add(
        "session",
        trial.session_id().map(|id| match session {
            Some(session) => format!("{} ({})", report::text::one_line(id), session.as_str()),
            None => report::text::one_line(id),
        }),
    );
    let times = trial.times();
    let phases = [
        ("created in", times.provision_ms),
        ("agent ran", times.agent_ms),
        ("verified in", times.verify_ms),
        ("released in", times.teardown_ms),
    ];
    for (name, milliseconds) in phases {
        add(name, milliseconds.map(report::text::duration));
    }
    if trial.status == TrialStatus::Pending && trial.attempts.is_empty() {
        add("note", Some("it was never started".to_owned()));
    }
    facts
}

fn verifier_section(folder: &Path, printer: Printer) {
    let Ok(bytes) = std::fs::read(folder.join("verifier.json")) else {
        return;
    };
    let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let text = |name: &str| answer[name].as_str().unwrap_or_default().trim().to_owned();
    section("verifier", &text("stdout"), printer);
    if let Some(message) = answer["error"]["message"].as_str() {
        section("verifier error", message, printer);
    }
}

/// A part of what others wrote, as text that cannot move the cursor.
fn section(name: &str, text: &str, printer: Printer) {
    if !text.is_empty() {
        printer.data(format_args!(
            "\n{}",
            styled(style::BOLD, format_args!("── {name}"))
        ));
        printer.data(quoted(&report::text::visible(text)));
    }
}

/// Every line behind a bar: whose words these are is seen at once, and a CI system that reads our output takes none of them
/// for a command of its own (`::error`, `##[group]`, `+++`).
fn quoted(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("│ {line}")).collect();
    lines.join("\n")
}

/// The end of a file as text that cannot move the cursor.
fn tail(path: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = std::fs::File::open(path)?;
        let size = file.metadata()?.len();
        file.seek(SeekFrom::Start(size.saturating_sub(TAIL)))?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes)?;
        // The carriage returns of a Windows program are no news.
        let shown = String::from_utf8_lossy(&bytes).replace("\r\n", "\n");
        Ok(if size > TAIL {
            format!("… ({size} bytes in all)\n{}", shown.trim_end())
        } else {
            shown.trim_end().to_owned()
        })
    };
    read().unwrap_or_default()
}
