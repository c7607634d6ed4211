//! What the head of the page shows, as texts and coordinates.

use run_record::RunRecord;

use super::chart::{Bar, Histogram, Show, bar, duration, histogram, percent, place, range};

use crate::{
    Summary,
    stats::{Estimate, Method},
    summary::{Bounds, Cause, CauseClass, Scores, Tone},
    text,
};

/// Groups of causes in the head of the page; the table has them all.
const SHOWN_CAUSES: usize = 12;
/// Length of a message in the head of the page.
const SHOWN_CHARS: usize = 600;
/// The head of the page.
pub(super) struct View {
    pub(super) title: String,
    pub(super) facts: Vec<Fact>,
    pub(super) tone: &'static str,
    pub(super) mark: &'static str,
    pub(super) gauges: Vec<Gauge>,
    pub(super) counts: Vec<Share>,
    pub(super) counts_spoken: String,
    pub(super) trial_lines: Vec<String>,
    pub(super) variants: Vec<VariantView>,
    pub(super) histogram: Option<Histogram>,
    pub(super) pass_k: Vec<PassKView>,
    pub(super) pass_k_lines: Vec<String>,
    pub(super) phases: Vec<PhaseView>,
    pub(super) used: Vec<Fact>,
    pub(super) causes: Vec<CauseView>,
    pub(super) more_causes: usize,
    pub(super) is_clustered: bool,
}

/// A name and a value.
pub(super) struct Fact {
    pub(super) label: &'static str,
    pub(super) value: String,
}

/// A number with its interval.
pub(super) struct Gauge {
    pub(super) label: &'static str,
    pub(super) value: String,
    pub(super) bar: Option<Bar>,
    pub(super) spoken: String,
    pub(super) axis_low: &'static str,
    pub(super) axis_high: &'static str,
    pub(super) lines: Vec<String>,
}

/// Trials of one status, and their part of the stacked bar.
pub(super) struct Share {
    pub(super) class: &'static str,
    pub(super) glyph: &'static str,
    pub(super) count: usize,
    pub(super) x: String,
    pub(super) width: String,
}

/// One variant.
pub(super) struct VariantView {
    pub(super) name: String,
    pub(super) rate: String,
    pub(super) interval: String,
    pub(super) bar: Option<Bar>,
    pub(super) spoken: String,
    pub(super) mean: String,
    pub(super) counts: String,
    pub(super) cost: String,
}

/// pass@k and pass^k of one k.
pub(super) struct PassKView {
    pub(super) k: usize,
    pub(super) at: String,
    pub(super) at_interval: String,
    pub(super) hat: String,
    pub(super) hat_interval: String,
}

/// How long a phase took.
pub(super) struct PhaseView {
    pub(super) name: &'static str,
    pub(super) median: String,
    pub(super) p95: String,
    pub(super) max: String,
}

/// A group of trials that went wrong for the same reason.
pub(super) struct CauseView {
    pub(super) index: usize,
    pub(super) class: &'static str,
    pub(super) glyph: &'static str,
    pub(super) count: usize,
    pub(super) title: String,
    pub(super) message: String,
    pub(super) command: String,
}

impl View {
    pub(super) fn of(record: &RunRecord, summary: &Summary) -> Self {
        let all = &summary.all;
        let (tone, mark) = match summary.verdict.tone {
            Tone::Good => ("good", "✓"),
            Tone::Uncertain => ("uncertain", "!"),
            Tone::Bad => ("bad", "✕"),
        };
        let counts = counts(all);
        let spoken: Vec<String> = counts
            .iter()
            .map(|count| format!("{} {}", count.count, count.class))
            .collect();
        Self {
            title: format!("{} · {}", summary.verdict.headline, record.info.run_id),
            facts: facts(record),
            tone,
            mark,
            gauges: vec![rate_gauge(record, all), mean_gauge(record, all)],
            counts_spoken: spoken.join(", "),
            counts,
            trial_lines: trial_lines(all),
            variants: if summary.has_variants() {
                summary
                    .variants
                    .iter()
                    .map(|variant| variant_view(record, variant.name.as_str(), &variant.scores))
                    .collect()
            } else {
                Vec::new()
            },
            histogram: histogram(record),
            pass_k: all.pass_k.iter().map(pass_k_view).collect(),
            pass_k_lines: pass_k_lines(all),
            phases: phases(all),
            used: used(all),
            causes: summary
                .causes
                .iter()
                .take(SHOWN_CAUSES)
                .enumerate()
                .map(|(index, cause)| cause_view(record, index, cause))
                .collect(),
            more_causes: summary.causes.len().saturating_sub(SHOWN_CAUSES),
            is_clustered: all.pass_rate.is_some_and(|rate| rate.n > rate.clusters),
        }
    }
}

fn facts(record: &RunRecord) -> Vec<Fact> {
    let info = &record.info;
    let mut facts = vec![
        Fact {
            label: "Agent",
            value: text::one_line(&info.agent),
        },
        Fact {
            label: "Endpoint",
            value: info.endpoint.clone(),
        },
        Fact {
            label: "Spec",
            value: text::one_line(&info.spec_path),
        },
        Fact {
            label: "Started",
            value: info
                .started_at
                .strftime("%Y-%m-%d %H:%M:%S UTC")
                .to_string(),
        },
    ];
    if let Some(end) = &record.end {
        facts.push(Fact {
            label: "Took",
            value: duration(end.elapsed_ms),
        });
    }
    facts.push(Fact {
        label: "Passes with",
        value: format!("score ≥ {}", text::score(info.pass_threshold)),
    });
    facts.extend(record.job_id().map(|job| Fact {
        label: "Sessions in job",
        value: text::one_line(job),
    }));
    facts
}

fn rate_gauge(record: &RunRecord, scores: &Scores) -> Gauge {
    let mut lines = Vec::new();
    if let Some(rate) = &scores.pass_rate {
        lines.push(interval_line(rate, percent));
    }
    lines.extend(bounds_line(scores, scores.pass_rate_bounds, percent));
    if let Some(rate) = &scores.pass_rate_first_attempt {
        lines.push(format!(
            "{} without the {} that needed several attempts",
            percent(rate.value),
            text::plural(scores.retried, "trial")
        ));
    }
    Gauge {
        label: "Pass rate",
        value: scores
            .pass_rate
            .map_or_else(|| "n/a".to_owned(), |rate| percent(rate.value)),
        bar: scores.pass_rate.map(|rate| {
            bar(
                &rate,
                scores,
                scores.pass_rate_bounds,
                record.info.gate.min_pass_rate,
                percent,
            )
        }),
        spoken: spoken(scores.pass_rate.as_ref(), "pass rate", percent),
        axis_low: "0 %",
        axis_high: "100 %",
        lines,
    }
}

fn mean_gauge(record: &RunRecord, scores: &Scores) -> Gauge {
    let mut lines = Vec::new();
    if let Some(mean) = &scores.mean_score {
        lines.push(interval_line(mean, text::score));
    }
    lines.extend(bounds_line(scores, scores.mean_score_bounds, text::score));
    Gauge {
        label: "Mean score",
        value: scores
            .mean_score
            .map_or_else(|| "n/a".to_owned(), |mean| text::score(mean.value)),
        bar: scores.mean_score.map(|mean| {
            bar(
                &mean,
                scores,
                scores.mean_score_bounds,
                record.info.gate.min_mean_score,
                text::score,
            )
        }),
        spoken: spoken(scores.mean_score.as_ref(), "mean score", text::score),
        axis_low: "0",
        axis_high: "1",
        lines,
    }
}

fn interval_line(estimate: &Estimate, show: Show) -> String {
    let basis = match estimate.method {
        Method::Wilson => format!("Wilson, {}", text::plural(estimate.n, "trial")),
        Method::T => format!("t, {}", text::plural(estimate.n, "trial")),
        Method::WilsonOverClusters | Method::ClusteredT => {
            format!(
                "{} over {}",
                text::plural(estimate.n, "trial"),
                text::plural(estimate.clusters, "task")
            )
        }
        Method::Undefined => return "no interval: too little data".to_owned(),
    };
    match estimate.interval {
        Some(interval) => format!("95 % interval {} ({basis})", range(interval, show)),
        None => "no interval: too little data".to_owned(),
    }
}

fn bounds_line(scores: &Scores, bounds: Option<Bounds>, show: Show) -> Option<String> {
    let bounds = bounds.filter(|_| scores.missing() > 0)?;
    Some(format!(
        "{} if all {} without a score had failed, {} if passed",
        show(bounds.all_fail),
        scores.missing(),
        show(bounds.all_pass)
    ))
}

fn spoken(estimate: Option<&Estimate>, what: &str, show: Show) -> String {
    match estimate {
        Some(Estimate {
            value,
            interval: Some(interval),
            ..
        }) => {
            format!(
                "{what} {}, 95 % interval {} to {}",
                show(*value),
                show(interval.low),
                show(interval.high)
            )
        }
        Some(estimate) => format!("{what} {}", show(estimate.value)),
        None => format!("{what} not known"),
    }
}

fn counts(scores: &Scores) -> Vec<Share> {
    let parts = [
        ("passed", "✓", scores.passed),
        ("failed", "✕", scores.failed),
        ("unscored", "!", scores.unscored),
        ("cancelled", "–", scores.cancelled),
        ("pending", "…", scores.pending),
    ];
    let total = scores.total.max(1) as f64;
    let mut before = 0;
    parts
        .into_iter()
        .map(|(class, glyph, count)| {
            let x = place(before as f64 / total);
            before += count;
            Share {
                class,
                glyph,
                count,
                x,
                width: place(count as f64 / total),
            }
        })
        .collect()
}

fn trial_lines(scores: &Scores) -> Vec<String> {
    let mut lines = Vec::new();
    if scores.trials_per_task > 1 || scores.tasks < scores.total {
        let mut parts = vec![text::plural(scores.tasks, "task")];
        if scores.trials_per_task > 1 {
            parts.push(format!("up to {} trials each", scores.trials_per_task));
        }
        if scores.flaky_tasks > 0 {
            parts.push(format!("{} both passed and failed", scores.flaky_tasks));
        }
        lines.push(parts.join(", "));
    }
    if scores.retried > 0 {
        lines.push(format!("{} needed more than one attempt", scores.retried));
    }
    if scores.unconfirmed > 0 {
        lines.push(format!(
            "{} not confirmed closed",
            text::plural(scores.unconfirmed, "instance")
        ));
    }
    lines
}

fn variant_view(record: &RunRecord, name: &str, scores: &Scores) -> VariantView {
    let passed = format!("{} of {} passed", scores.passed, scores.scored);
    let counts = match scores.missing() {
        0 => passed,
        missing => format!("{passed}, {missing} without a score"),
    };
    VariantView {
        name: text::one_line(name),
        rate: scores
            .pass_rate
            .map_or_else(|| "n/a".to_owned(), |rate| percent(rate.value)),
        interval: scores
            .pass_rate
            .and_then(|rate| rate.interval)
            .map(|interval| range(interval, percent))
            .unwrap_or_default(),
        bar: scores.pass_rate.map(|rate| {
            bar(
                &rate,
                scores,
                scores.pass_rate_bounds,
                record.info.gate.min_pass_rate,
                percent,
            )
        }),
        spoken: spoken(scores.pass_rate.as_ref(), "pass rate", percent),
        mean: scores
            .mean_score
            .map_or_else(|| "n/a".to_owned(), |mean| text::score(mean.value)),
        counts,
        cost: scores.used.cost_usd.map(text::dollars).unwrap_or_default(),
    }
}

fn pass_k_view(at: &crate::summary::PassAtK) -> PassKView {
    let interval = |estimate: &Estimate| {
        estimate
            .interval
            .map(|interval| range(interval, percent))
            .unwrap_or_default()
    };
    PassKView {
        k: at.k,
        at: percent(at.pass_at.value),
        at_interval: interval(&at.pass_at),
        hat: percent(at.pass_hat.value),
        hat_interval: interval(&at.pass_hat),
    }
}

fn pass_k_lines(scores: &Scores) -> Vec<String> {
    let most = scores
        .pass_k
        .iter()
        .map(|at| at.left_out)
        .max()
        .unwrap_or(0);
    if most == 0 {
        return Vec::new();
    }
    vec![format!(
        "Up to {most} left out for large k: too few of their trials have a score."
    )]
}

fn phases(scores: &Scores) -> Vec<PhaseView> {
    scores
        .durations
        .phases()
        .into_iter()
        .filter_map(|(name, spread)| {
            let spread = spread?;
            let [median, p95, max] = [spread.median, spread.p95, spread.max].map(duration);
            Some(PhaseView {
                name,
                median,
                p95,
                max,
            })
        })
        .collect()
}

fn used(scores: &Scores) -> Vec<Fact> {
    let used = &scores.used;
    let mut facts = Vec::new();
    let mut add =
        |label, value: Option<String>| facts.extend(value.map(|value| Fact { label, value }));
    add("Cost", used.cost_usd.map(text::dollars));
    add("Steps", used.steps.map(text::count));
    add("Tokens in", used.input_tokens.map(text::count));
    add("Tokens out", used.output_tokens.map(text::count));
    if (1..scores.total).contains(&used.reporting) {
        facts.push(Fact {
            label: "Tokens and cost from",
            value: format!(
                "{} of {}",
                used.reporting,
                text::plural(scores.total, "trial")
            ),
        });
    }
    facts
}

fn cause_view(record: &RunRecord, index: usize, cause: &Cause) -> CauseView {
    let (class, glyph) = match cause.class {
        CauseClass::Unscored => ("unscored", "!"),
        CauseClass::Failed => ("failed", "✕"),
        CauseClass::Cancelled => ("cancelled", "–"),
    };
    let task = cause
        .trials
        .first()
        .map(|trial| text::shell_word(trial.task.as_str()))
        .unwrap_or_default();
    CauseView {
        index,
        class,
        glyph,
        count: cause.count,
        title: match cause.class {
            CauseClass::Unscored => format!("without a score, {}", cause.title.replace('_', " ")),
            CauseClass::Failed | CauseClass::Cancelled => cause.title.clone(),
        },
        message: text::visible(&text::shorten(&cause.message, SHOWN_CHARS)),
        command: format!(
            "harness show {} {task}",
            text::shell_word(record.info.run_id.as_str())
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::used;
    use crate::Summary;
    use crate::fixture::{Outcome, RunBuilder};
    use crate::summary::Used;

    fn labels(outcomes: &[Outcome]) -> Vec<&'static str> {
        let mut run = RunBuilder::new();
        for (task, outcome) in ["a", "b"].iter().zip(outcomes) {
            run.trial(task, 1, outcome);
        }
        let summary = Summary::of(&run.finish());
        used(&summary.all).iter().map(|fact| fact.label).collect()
    }

    #[test]
    fn who_reported_is_said_where_some_did_and_not_all() {
        let facts = ["Cost", "Steps", "Tokens in", "Tokens out"];
        assert_eq!(labels(&[Outcome::Score(1.0), Outcome::Score(0.0)]), facts);
        let some = labels(&[Outcome::Score(1.0), Outcome::Pending]);
        assert_eq!(some.last(), Some(&"Tokens and cost from"));
        assert!(labels(&[Outcome::Pending, Outcome::Pending]).is_empty());
    }

    #[test]
    fn steps_alone_say_nothing_of_tokens_and_cost() {
        let mut run = RunBuilder::new();
        run.trial("a", 1, &Outcome::Score(1.0));
        let mut scores = Summary::of(&run.finish()).all;
        scores.used = Used {
            steps: Some(91),
            ..Used::default()
        };
        let labels: Vec<_> = used(&scores).iter().map(|fact| fact.label).collect();
        assert_eq!(labels, ["Steps"]);
    }
}
