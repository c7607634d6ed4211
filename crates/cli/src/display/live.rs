//! The live area: one line of counts, then the trials that have been at it the longest.

use std::time::Duration;

use harness::runner::{LivePhase, View};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use report::text;

use super::keys::SilentKeys;
use super::log;
use crate::printer::{style, styled};

/// Trials named at once; more would push the lines above off the screen.
const ROWS: usize = 8;

/// Columns of a phase: the longest is `waiting for an agent slot`.
const PHASE: usize = 25;

/// Redraws a second: quick enough for clocks that show seconds, cheap enough for ssh.
const REDRAWS: u8 = 8;

/// Finished trials that an estimate of the end needs.
const ENOUGH_FOR_AN_ESTIMATE: usize = 3;

pub(crate) struct LiveArea {
    area: MultiProgress,
    head: ProgressBar,
    rows: Vec<ProgressBar>,
    /// What stands in a message is written as it is, so it has no colours where none are wanted.
    has_color: bool,
    /// Until the area is gone.
    _keys: Option<SilentKeys>,
}

impl LiveArea {
    pub(crate) fn new(has_color: bool) -> Self {
        let area = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(REDRAWS));
        let head = area.add(ProgressBar::new(0));
        let template = if has_color {
            "{bar:24.green/dim} {wide_msg}"
        } else {
            "{bar:24} {wide_msg}"
        };
        head.set_style(
            ProgressStyle::with_template(template)
                .expect("the template is constant")
                .progress_chars("━╸─"),
        );
        log::set_area(Some(area.clone()));
        Self {
            area,
            head,
            rows: Vec::new(),
            has_color,
            _keys: SilentKeys::begin(),
        }
    }

    pub(crate) fn draw(&mut self, view: View<'_>) {
        let stats = view.record.stats();
        self.head.set_length(stats.total as u64);
        self.head.set_position(stats.finished() as u64);
        let mut counts = vec![
            format!("{}/{}", stats.finished(), stats.total),
            styled(style::GOOD, format_args!("{} passed", stats.passed)),
        ];
        if stats.failed() > 0 {
            counts.push(styled(
                style::BAD,
                format_args!("{} failed", stats.failed()),
            ));
        }
        if stats.unscored > 0 {
            counts.push(styled(
                style::WARN,
                format_args!("{} unscored", stats.unscored),
            ));
        }
        counts.push(clock(view.elapsed));
        if let Some(left) = estimate(stats.finished(), stats.total, view.elapsed) {
            counts.push(format!("about {} left", clock(left)));
        }
        self.head.set_message(self.shown(counts.join(" · ")));
        self.draw_rows(view);
    }

    fn draw_rows(&mut self, view: View<'_>) {
        let mut live: Vec<_> = view.live.iter().collect();
        live.sort_by_key(|(id, trial)| (trial.since, (*id).clone()));
        let hidden = live.len().saturating_sub(ROWS);
        let mut lines: Vec<String> = live
            .iter()
            .take(ROWS)
            .map(|(id, trial)| {
                let phase = text::fit(trial.phase.as_str(), PHASE);
                let phase = match trial.phase {
                    LivePhase::WaitingForQuota | LivePhase::WaitingToRetry => {
                        styled(style::WARN, phase)
                    }
                    _ => phase,
                };
                let name = text::name(&id.to_string());
                let time = clock(trial.phase_since.elapsed());
                format!("  {time:>7}  {phase}  {name}")
            })
            .collect();
        if hidden > 0 {
            lines.push(styled(
                style::DIM,
                format_args!("           and {hidden} more"),
            ));
        }
        while self.rows.len() < lines.len() {
            let row = self.area.add(ProgressBar::new_spinner());
            row.set_style(
                ProgressStyle::with_template("{wide_msg}").expect("the template is constant"),
            );
            self.rows.push(row);
        }
        while self.rows.len() > lines.len() {
            if let Some(row) = self.rows.pop() {
                row.finish_and_clear();
                self.area.remove(&row);
            }
        }
        for (row, line) in self.rows.iter().zip(lines) {
            row.set_message(self.shown(line));
        }
    }

    fn shown(&self, line: String) -> String {
        if self.has_color {
            line
        } else {
            anstream::adapter::strip_str(&line).to_string()
        }
    }

    pub(crate) fn close(self) {
        for row in &self.rows {
            row.finish_and_clear();
        }
        self.head.finish_and_clear();
        log::set_area(None);
    }
}

/// What is left at the pace so far.
fn estimate(finished: usize, total: usize, elapsed: Duration) -> Option<Duration> {
    if finished < ENOUGH_FOR_AN_ESTIMATE || finished == total {
        return None;
    }
    let each = elapsed.as_secs_f64() / finished as f64;
    Some(Duration::from_secs_f64(each * (total - finished) as f64))
}

/// `3.2s`, `3m12s`, `1h02m`.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{:.1}s", time.as_secs_f64()),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_short() {
        let clocks: Vec<String> = [3, 192, 3720].map(Duration::from_secs).map(clock).into();
        assert_eq!(clocks, ["3.0s", "3m12s", "1h02m"]);
    }

    #[test]
    fn an_estimate_needs_a_few_trials_and_something_left() {
        let minute = Duration::from_secs(60);
        assert_eq!(estimate(2, 10, minute), None);
        assert_eq!(estimate(10, 10, minute), None);
        assert_eq!(estimate(5, 10, minute), Some(minute));
    }
}
