//! The last words of a run: the result, what went wrong grouped by cause with the command that shows it, and
//! whether anything is left.

use std::fmt::Write as _;

use report::Summary;
use report::summary::{Cause, CauseClass};
use report::text;
use run_record::{
    ExitCode, InstanceId, RunLayout, RunRecord, StopReason, TrialRecord, TrialStatus, Verdict,
};

use crate::printer::{style, styled};

/// Commands shown per cause; the rest is counted.
const SHOWN_PER_CAUSE: usize = 3;

/// The word for how a trial ended, coloured, all of one width.
pub(crate) fn trial_word(record: &RunRecord, trial: &TrialRecord) -> String {
    match record.status_of(trial) {
        TrialStatus::Scored if trial.passed == Some(true) => styled(style::GOOD, "    PASS"),
        TrialStatus::Scored => styled(style::BAD, "    FAIL"),
        TrialStatus::Unscored => styled(style::WARN, "UNSCORED"),
        TrialStatus::Cancelled => styled(style::DIM, " STOPPED"),
        TrialStatus::Pending => styled(style::DIM, "    OPEN"),
    }
}

/// The whole block, without a trailing newline.
pub(crate) fn conclusion(record: &RunRecord, verdict: &Verdict, layout: &RunLayout) -> String {
    let summary = Summary::of(record);
    let mut out = String::new();
    causes(&mut out, record, &summary);
    out.push_str(&styled(style::DIM, "─".repeat(72)));
    out.push('\n');
    let mut row = |name: &str, value: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "{} {value}",
            styled(style::DIM, format_args!("{name:>9}"))
        );
    };
    row("result", &result(&summary));
    let mut heading = "score";
    for (name, line) in score_lines(&summary) {
        row(heading, &format!("{name}{line}"));
        heading = "";
    }
    for failure in &verdict.gate_failures {
        let reached = failure
            .reached
            .map_or_else(|| "nothing".to_owned(), |value| format!("{value:.3}"));
        let text = format!(
            "{} asks for {}, reached {reached}",
            failure.key, failure.bound
        );
        row("gate", &styled(style::BAD, text));
    }
    row("instances", &instances(record));
    if let Some(stop) = stopped(record) {
        row("stopped", &stop);
    }
    if let Some(command) = next_command(record, &summary) {
        row("next", &command);
    }
    row("files", &layout.root().display().to_string());
    row("exit", &exit(verdict.exit));
    out.trim_end().to_owned()
}

/// One line, or one per variant with its name in a column of its own.
fn score_lines(summary: &Summary) -> Vec<(String, String)> {
    if !summary.has_variants() {
        return vec![(String::new(), summary.all.line())];
    }
    let names = summary.variants.iter().map(|variant| variant.name.as_str());
    let width = names.map(|name| name.chars().count()).max().unwrap_or(0);
    summary
        .variants
        .iter()
        .map(|variant| (format!("{:<width$}  ", variant.name), variant.scores.line()))
        .collect()
}

fn result(summary: &Summary) -> String {
    let all = &summary.all;
    let mut parts = vec![
        styled(style::GOOD, format_args!("{} passed", all.passed)),
        if all.failed > 0 {
            styled(style::BAD, format_args!("{} failed", all.failed))
        } else {
            "0 failed".to_owned()
        },
    ];
    if all.unscored > 0 {
        parts.push(styled(
            style::WARN,
            format_args!("{} unscored", all.unscored),
        ));
    }
    if all.cancelled + all.pending > 0 {
        parts.push(format!("{} not finished", all.cancelled + all.pending));
    }
    format!("{} of {} trials", parts.join(", "), all.total)
}

fn causes(out: &mut String, record: &RunRecord, summary: &Summary) {
    for cause in &summary.causes {
        let color = match cause.class {
            CauseClass::Failed => style::BAD,
            _ => style::WARN,
        };
        let _ = writeln!(out, "{} ({})", styled(color, &cause.title), cause.count);
        if !cause.message.is_empty() && cause.message != cause.title {
            // Behind a bar, so that a CI that reads our output takes an agent's `::error` for no command of its own.
            let message = text::shorten(&text::one_line(&cause.message), 110);
            let _ = writeln!(out, "  │ {message}");
        }
        for command in commands(record, cause) {
            let _ = writeln!(out, "  {}", styled(style::DIM, command));
        }
    }
}

/// `harness show RUN TASK` for the first trials of a cause. Trials that were stopped have nothing to show.
fn commands(record: &RunRecord, cause: &Cause) -> Vec<String> {
    if cause.class == CauseClass::Cancelled {
        return Vec::new();
    }
    let mut commands: Vec<String> = Vec::new();
    for trial in &cause.trials {
        let task = text::shell_word(trial.task.as_str());
        let command = format!("harness show {} {task}", record.info.run_id);
        if !commands.contains(&command) {
            commands.push(command);
        }
    }
    let more = commands.len().saturating_sub(SHOWN_PER_CAUSE);
    commands.truncate(SHOWN_PER_CAUSE);
    if more > 0 {
        commands.push(format!("and {} more", text::plural(more, "task")));
    }
    commands
}

fn instances(record: &RunRecord) -> String {
    let Some(end) = &record.end else {
        let open = record.open_leases().len();
        return format!("the run has not ended; {open} may be live");
    };
    let swept = match end.swept.len() {
        0 => String::new(),
        n => format!(" ({n} found and closed at the end)"),
    };
    let open = record.open_leases();
    if end.proven_empty && end.unconfirmed.is_empty() && open.is_empty() {
        return format!("none left{swept}");
    }
    let mut names: Vec<&str> = end.unconfirmed.iter().map(InstanceId::as_str).collect();
    names.extend(
        open.iter()
            .filter_map(|lease| lease.instance.as_ref())
            .map(InstanceId::as_str),
    );
    names.sort_unstable();
    names.dedup();
    let close = if names.is_empty() {
        format!("harness fleet close --run-id {}", record.info.run_id)
    } else {
        format!("harness fleet close {}", names.join(" "))
    };
    styled(
        style::BAD,
        format_args!("some may still be live; close them with\n            {close}"),
    )
}

/// The command that gets the scores which are missing.
fn next_command(record: &RunRecord, summary: &Summary) -> Option<String> {
    let all = &summary.all;
    let run = text::shell_word(record.info.run_id.as_str());
    // A budget that is used up stays so for this run; a new one has its own.
    let is_spent = matches!(
        record.end.as_ref().map(|end| &end.reason),
        Some(StopReason::Budget { .. })
    );
    if all.cancelled + all.pending > 0 && !is_spent {
        Some(format!("harness resume {run}"))
    } else if all.total > all.passed + all.failed {
        Some(format!("harness rerun {run} --only unscored"))
    } else {
        None
    }
}

fn stopped(record: &RunRecord) -> Option<String> {
    let why = match &record.end.as_ref()?.reason {
        StopReason::Completed => return None,
        StopReason::Interrupted => "interrupted".to_owned(),
        StopReason::Terminated => "terminated".to_owned(),
        StopReason::Deadline => "limits.run_deadline was reached".to_owned(),
        StopReason::Budget { what } => format!("{what} was reached"),
        StopReason::Fatal { why } => why.clone(),
    };
    Some(styled(style::WARN, why))
}

fn exit(exit: ExitCode) -> String {
    let meaning = match exit {
        ExitCode::Success => "all is well",
        ExitCode::GateFailed => "the gate failed",
        ExitCode::Usage => "the spec is wrong",
        ExitCode::Unscored => "too many trials have no score",
        ExitCode::Leaked => "some instance could not be confirmed closed",
        ExitCode::Fatal => "the run could not go on",
        ExitCode::Internal => "a bug in the harness",
        ExitCode::TryAgain => "try again",
        ExitCode::Interrupted | ExitCode::Terminated => "stopped after a clean teardown",
    };
    format!("{} ({meaning})", exit.code())
}
