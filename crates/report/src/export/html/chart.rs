//! The drawings of the page as coordinates: intervals on an axis, the distribution of scores.

use run_record::{RunRecord, TrialRecord};

use crate::{
    stats::{Estimate, Interval},
    summary::{Bounds, Scores},
    text,
};

/// Height of the tallest bar of the distribution.
const BAR_HEIGHT: f64 = 142.0;
/// Where the bars of the distribution stand.
const BASE_LINE: f64 = 172.0;

/// Places on an axis from 0 to 100.
pub(super) struct Bar {
    pub(super) value: String,
    pub(super) interval: Option<Span>,
    pub(super) bounds: Option<Span>,
    pub(super) gate: Option<Tick>,
}

/// A part of an axis.
pub(super) struct Span {
    pub(super) x: String,
    pub(super) width: String,
    pub(super) title: String,
}

/// A place on an axis.
pub(super) struct Tick {
    pub(super) x: String,
    pub(super) title: String,
}

/// How the scores are distributed.
pub(super) struct Histogram {
    pub(super) bars: Vec<HistogramBar>,
    pub(super) spoken: String,
}

/// One bar of the distribution.
pub(super) struct HistogramBar {
    pub(super) class: &'static str,
    pub(super) count: usize,
    pub(super) x: String,
    pub(super) middle: String,
    pub(super) y: String,
    pub(super) height: String,
    pub(super) label_y: String,
    pub(super) tick: &'static str,
    pub(super) title: String,
}

/// How a number is written.
pub(super) type Show = fn(f64) -> String;

/// A number with its interval, its bounds and its gate, on an axis from 0 to 1.
pub(super) fn bar(
    estimate: &Estimate,
    scores: &Scores,
    bounds: Option<Bounds>,
    gate: Option<f64>,
    show: Show,
) -> Bar {
    let span = |low: f64, high: f64, title: String| Span {
        x: place(low),
        width: place(high - low),
        title,
    };
    Bar {
        value: place(estimate.value),
        interval: estimate.interval.map(|interval| {
            span(
                interval.low,
                interval.high,
                format!("95 % interval {}", range(interval, show)),
            )
        }),
        bounds: bounds.filter(|_| scores.missing() > 0).map(|bounds| {
            let title = "if everything without a score had failed or passed".to_owned();
            span(bounds.all_fail, bounds.all_pass, title)
        }),
        gate: gate.map(|gate| Tick {
            x: place(gate.clamp(0.0, 1.0)),
            title: format!("gate {}", show(gate)),
        }),
    }
}

/// Both ends of an interval with one unit: `57.9–66.7 %`.
pub(super) fn range(interval: Interval, show: Show) -> String {
    let (low, high) = (show(interval.low), show(interval.high));
    format!("{}–{high}", low.trim_end_matches("\u{a0}%"))
}

/// As [`text::percent`], never broken between number and unit.
pub(super) fn percent(share: f64) -> String {
    unbroken(&text::percent(share))
}

/// As [`text::duration`], never broken between numbers and units.
pub(super) fn duration(milliseconds: u64) -> String {
    unbroken(&text::duration(milliseconds))
}

fn unbroken(text: &str) -> String {
    text.replace(' ', "\u{a0}")
}

/// A share as a coordinate in percent.
pub(super) fn place(share: f64) -> String {
    format!("{:.2}", share * 100.0)
}

/// Bars for exactly 0, for ten steps between, and for exactly 1: those two are what most verifiers give.
pub(super) fn histogram(record: &RunRecord) -> Option<Histogram> {
    const TICKS: [&str; 12] = ["0", "", "", ".2", "", ".4", "", ".6", "", ".8", "", "1"];
    let scores: Vec<f64> = record
        .trials
        .iter()
        .filter_map(|trial: &TrialRecord| trial.score)
        .collect();
    if scores.is_empty() {
        return None;
    }
    let mut counts = [0_usize; 12];
    for &score in &scores {
        counts[bin(score)] += 1;
    }
    let most = counts.iter().copied().max().unwrap_or(1).max(1);
    let bars = counts
        .into_iter()
        .enumerate()
        .map(|(at, count)| {
            let height = BAR_HEIGHT * count as f64 / most as f64;
            let x = 4.0 + 33.0 * at as f64;
            let upper = if at == 11 {
                1.0
            } else {
                at.saturating_sub(1) as f64 / 10.0
            };
            HistogramBar {
                class: if upper >= record.info.pass_threshold {
                    "above"
                } else {
                    "below"
                },
                count,
                x: format!("{x:.1}"),
                middle: format!("{:.1}", x + 12.5),
                y: format!("{:.1}", BASE_LINE - height),
                height: format!("{height:.1}"),
                label_y: format!("{:.1}", BASE_LINE - height - 5.0),
                tick: TICKS[at],
                title: format!("{}: {}", bin_name(at), text::plural(count, "trial")),
            }
        })
        .collect();
    Some(Histogram {
        bars,
        spoken: format!(
            "{} scored 0, {} between, {} scored 1",
            counts[0],
            scores.len() - counts[0] - counts[11],
            counts[11]
        ),
    })
}

fn bin(score: f64) -> usize {
    if score <= 0.0 {
        return 0;
    }
    if score >= 1.0 {
        return 11;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 10"
    )]
    let step = (score * 10.0) as usize;
    step.min(9) + 1
}

fn bin_name(at: usize) -> String {
    match at {
        0 => "score 0".to_owned(),
        11 => "score 1".to_owned(),
        1 => "above 0, below 0.1".to_owned(),
        _ => format!("from 0.{}, below {}", at - 1, text::score(at as f64 / 10.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_separate_the_two_ends() {
        assert_eq!([0.0, 0.05, 0.1, 0.95, 1.0].map(bin), [0, 1, 2, 10, 11]);
        assert_eq!(
            [0, 1, 2, 10, 11].map(bin_name),
            [
                "score 0",
                "above 0, below 0.1",
                "from 0.1, below 0.2",
                "from 0.9, below 1",
                "score 1",
            ]
        );
    }
}
