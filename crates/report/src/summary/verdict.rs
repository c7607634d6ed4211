//! The verdict in words. It shows what `run_record::Verdict` decided and decides nothing itself.

use run_record::{ExitCode, GateFailure, RunRecord, StopReason, Verdict};
use serde::{Deserialize, Serialize};

use crate::text;

/// How a run is judged, for people and for programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerdictView {
    /// Good, bad, or a question.
    pub tone: Tone,
    /// A few words.
    pub headline: String,
    /// What else must be known, one sentence each.
    pub notes: Vec<String>,
    /// What the process exits with; absent while the run has no end.
    pub exit_code: Option<u8>,
}

/// Whether a verdict is good news.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// Everything as asked.
    Good,
    /// The result is there, with gaps, or not complete yet.
    Uncertain,
    /// The gate failed, the run could not go on, or something is left behind.
    Bad,
}

impl VerdictView {
    /// Puts the verdict on a record in words.
    pub fn of(record: &RunRecord) -> Self {
        let verdict = Verdict::of(record);
        let Some(end) = &record.end else {
            return unfinished(record, &verdict);
        };
        let stats = verdict.stats;
        let without = stats.total - stats.scored;
        let (tone, headline) = match verdict.exit {
            ExitCode::Success if has_gate(record) => (Tone::Good, "The gate passed".to_owned()),
            ExitCode::Success if without == 0 => (Tone::Good, "Every trial has a score".to_owned()),
            ExitCode::Success => (
                Tone::Good,
                format!(
                    "Complete enough: {} without a score",
                    of_total(without, stats.total)
                ),
            ),
            ExitCode::GateFailed => (Tone::Bad, "The gate failed".to_owned()),
            ExitCode::Unscored => (
                Tone::Uncertain,
                format!(
                    "Too many trials without a score: {}",
                    of_total(without, stats.total)
                ),
            ),
            ExitCode::Leaked => (Tone::Bad, "Some instance may still be alive".to_owned()),
            ExitCode::Fatal => (Tone::Bad, "The run could not go on".to_owned()),
            ExitCode::Interrupted => (Tone::Uncertain, "Interrupted".to_owned()),
            ExitCode::Terminated => (Tone::Uncertain, "Terminated".to_owned()),
            ExitCode::Usage => (Tone::Bad, "The spec was refused".to_owned()),
            // The last is the demo agent's own code and never a run's.
            ExitCode::Internal | ExitCode::TryAgain => (Tone::Bad, "The harness failed".to_owned()),
        };
        let mut notes: Vec<String> = verdict.gate_failures.iter().map(gate_note).collect();
        if verdict.too_many_unscored && verdict.exit != ExitCode::Unscored {
            notes.push(format!("{} have no score.", of_total(without, stats.total)));
        }
        notes.extend(stop_note(&end.reason));
        if !end.unconfirmed.is_empty() {
            let named: Vec<&str> = end
                .unconfirmed
                .iter()
                .map(run_record::InstanceId::as_str)
                .collect();
            notes.push(format!("Not confirmed closed: {}.", named.join(", ")));
        } else if !end.proven_empty {
            notes.push(
                "The service did not confirm that no instance of the run is left.".to_owned(),
            );
        }
        if stats.cancelled > 0 {
            notes.push(resume_note(record));
        }
        Self {
            tone,
            headline,
            notes,
            exit_code: Some(verdict.exit.code()),
        }
    }
}

fn unfinished(record: &RunRecord, verdict: &Verdict) -> VerdictView {
    let done = verdict.stats.finished();
    VerdictView {
        tone: Tone::Uncertain,
        headline: format!("Not finished: {} done", of_total(done, verdict.stats.total)),
        notes: vec![
            "The run is under way, or was killed.".to_owned(),
            resume_note(record),
        ],
        exit_code: None,
    }
}

fn resume_note(record: &RunRecord) -> String {
    format!(
        "Go on with: harness resume {}",
        text::shell_word(record.info.run_id.as_str())
    )
}

fn has_gate(record: &RunRecord) -> bool {
    let gate = &record.info.gate;
    gate.min_pass_rate.is_some() || gate.min_mean_score.is_some()
}

fn of_total(count: usize, total: usize) -> String {
    format!("{count} of {}", text::plural(total, "trial"))
}

fn gate_note(failure: &GateFailure) -> String {
    let reached = failure.reached.map_or_else(
        || "nothing is scored".to_owned(),
        |reached| format!("reached {}", text::score(reached)),
    );
    format!("{} {}: {reached}.", failure.key, text::score(failure.bound))
}

fn stop_note(reason: &StopReason) -> Option<String> {
    match reason {
        StopReason::Completed | StopReason::Interrupted | StopReason::Terminated => None,
        StopReason::Deadline => {
            Some("The run's deadline came before every trial was done.".to_owned())
        }
        StopReason::Budget { what } => Some(format!("A limit was reached: {what}.")),
        StopReason::Fatal { why } => Some(format!("{why}.")),
    }
}

#[cfg(test)]
mod tests {
    use run_record::{ErrorKind, GateSpec, InstanceId, Phase};

    use super::*;
    use crate::fixture::{Outcome, RunBuilder};

    fn mixed() -> RunBuilder {
        let mut run = RunBuilder::new();
        run.trial("a", 1, &Outcome::Score(1.0));
        run.trial("b", 1, &Outcome::Score(0.0));
        run
    }

    fn view(run: RunBuilder) -> VerdictView {
        VerdictView::of(&run.finish())
    }

    #[test]
    fn all_scored_is_good() {
        let view = view(mixed());
        assert_eq!((view.tone, view.exit_code), (Tone::Good, Some(0)));
        assert_eq!(view.headline, "Every trial has a score");
        assert!(view.notes.is_empty(), "{:?}", view.notes);
    }

    #[test]
    fn a_failed_gate_says_what_was_reached() {
        let mut run = mixed();
        run.gate(GateSpec {
            min_pass_rate: Some(0.8),
            ..GateSpec::default()
        });
        let view = view(run);
        assert_eq!((view.tone, view.exit_code), (Tone::Bad, Some(1)));
        assert_eq!(view.notes, ["gate.min_pass_rate 0.8: reached 0.5."]);
    }

    #[test]
    fn too_many_gaps_are_uncertain() {
        let mut run = mixed();
        run.trial(
            "c",
            1,
            &Outcome::Unscored(Phase::Verify, ErrorKind::VerifierError, "x"),
        );
        let view = view(run);
        assert_eq!((view.tone, view.exit_code), (Tone::Uncertain, Some(3)));
        assert_eq!(
            view.headline,
            "Too many trials without a score: 1 of 3 trials"
        );
    }

    #[test]
    fn a_leak_is_named() {
        let mut run = mixed();
        run.end(StopReason::Completed, &[InstanceId::new("inst-9")]);
        let view = view(run);
        assert_eq!((view.tone, view.exit_code), (Tone::Bad, Some(4)));
        assert_eq!(view.notes, ["Not confirmed closed: inst-9."]);
    }

    #[test]
    fn an_interrupted_run_says_how_to_go_on() {
        let mut run = mixed();
        run.trial("c", 1, &Outcome::Pending);
        run.end(StopReason::Interrupted, &[]);
        let view = view(run);
        assert_eq!(view.exit_code, Some(130));
        assert!(
            view.notes
                .contains(&"Go on with: harness resume demo-20261102-030405-beef".to_owned())
        );
    }

    #[test]
    fn a_run_without_an_end_has_no_exit_code() {
        let mut run = mixed();
        run.trial("c", 1, &Outcome::Pending);
        let view = VerdictView::of(&run.unfinished());
        assert_eq!((view.tone, view.exit_code), (Tone::Uncertain, None));
        assert_eq!(view.headline, "Not finished: 2 of 3 trials done");
    }
}
