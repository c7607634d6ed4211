//! `harness list`: the runs on this machine.

use run_record::{ExitCode, RunRecord, Verdict};
use serde_json::json;

use crate::args::ListArgs;
use crate::failure::Outcome;
use crate::printer::{Printer, table};
use crate::runs;

pub(crate) fn list(args: &ListArgs, printer: Printer) -> Outcome {
    let mut found = Vec::new();
    for folder in runs::folders(&args.dir.runs).into_iter().rev() {
        match runs::read(&folder) {
            Ok(run) => found.push(run.record),
            // One damaged run must not hide the others.
            Err(failure) => printer.error(failure.message),
        }
    }
    if args.json {
        let rows: Vec<_> = found.iter().map(as_json).collect();
        printer.json(&rows);
        return Ok(ExitCode::Success);
    }
    if found.is_empty() {
        printer.say(format_args!("no runs in {}", args.dir.runs.display()));
        return Ok(ExitCode::Success);
    }
    let rows: Vec<Vec<String>> = found.iter().map(as_row).collect();
    printer.data(table(
        &[
            "run", "state", "trials", "passed", "failed", "unscored", "mean", "agent",
        ],
        &rows,
    ));
    Ok(ExitCode::Success)
}

/// Finished, stopped, or not ended: under way, or its harness was killed.
fn state(record: &RunRecord) -> String {
    if record.end.is_none() {
        return "unfinished".to_owned();
    }
    match Verdict::of(record).exit.code() {
        0 => "ok".to_owned(),
        130 | 143 => "stopped".to_owned(),
        code => format!("exit {code}"),
    }
}

fn mean(record: &RunRecord) -> Option<f64> {
    let scores: Vec<f64> = record
        .trials
        .iter()
        .filter_map(|trial| trial.score)
        .collect();
    (!scores.is_empty()).then(|| scores.iter().sum::<f64>() / scores.len() as f64)
}

fn as_row(record: &RunRecord) -> Vec<String> {
    let stats = record.stats();
    vec![
        record.info.run_id.to_string(),
        state(record),
        stats.total.to_string(),
        stats.passed.to_string(),
        stats.failed().to_string(),
        (stats.unscored + stats.cancelled + stats.pending).to_string(),
        mean(record).map_or_else(String::new, |mean| format!("{mean:.3}")),
        record.info.agent.clone(),
    ]
}

fn as_json(record: &RunRecord) -> serde_json::Value {
    let stats = record.stats();
    json!({
        "run_id": record.info.run_id,
        "agent": record.info.agent,
        "started_at": record.info.started_at,
        "finished": record.end.is_some(),
        "exit_code": record.end.as_ref().map(|_| Verdict::of(record).exit.code()),
        "trials": stats.total,
        "scored": stats.scored,
        "passed": stats.passed,
        "unscored": stats.unscored,
        "cancelled": stats.cancelled,
        "pending": stats.pending,
        "mean_score": mean(record),
    })
}
