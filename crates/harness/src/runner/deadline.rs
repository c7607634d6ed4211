//! What `limits.run_deadline` means: for new trials, for agents at work, and at its end. Pure.
//!
//! The deadline is when the run is over, not when it begins to stop. So no trial is begun that could not be expected to
//! finish, agents are ended while there is still time to score what is finished and to give everything back, and at
//! the deadline itself nothing is waited for any more.

use std::collections::VecDeque;
use std::time::Duration;

/// How many of the latest trials are looked at to tell how long one takes.
const REMEMBERED: usize = 101;

/// One long trial must not stop a run of short ones.
const ENOUGH: usize = 3;

/// Of the time between the last agent and the deadline; a short run keeps most of its time for its agents.
const LARGEST_SHARE: u32 = 4;

/// A deadline, and what is known of how long trials take.
#[derive(Clone, Debug)]
pub(crate) struct Deadline {
    at: Duration,
    reserve: Duration,
    recent: VecDeque<Duration>,
}

/// Where a run stands before its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Agents may work.
    Open,
    /// What has finished is scored and everything is given back; agents that still work are ended.
    WindingDown,
    /// It has come.
    Over,
}

impl Deadline {
    /// A run that must be over after `at`, and needs `winding_down` between the end of its last agent and its own.
    pub(crate) fn new(at: Duration, winding_down: Duration) -> Self {
        Self {
            at,
            reserve: winding_down.min(at / LARGEST_SHARE),
            recent: VecDeque::with_capacity(REMEMBERED),
        }
    }

    /// A trial took so long, its release included.
    pub(crate) fn took(&mut self, time: Duration) {
        if self.recent.len() == REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back(time);
    }

    /// How long trials take: the median of the latest; unknown before a few have finished.
    pub(crate) fn typical(&self) -> Option<Duration> {
        if self.recent.len() < ENOUGH {
            return None;
        }
        let mut sorted: Vec<Duration> = self.recent.iter().copied().collect();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied()
    }

    /// Whether a trial that starts now can be expected to finish.
    pub(crate) fn may_start(&self, elapsed: Duration) -> bool {
        elapsed + self.typical().unwrap_or_default() < self.agents_end()
    }

    /// When agents that still work are ended.
    pub(crate) fn agents_end(&self) -> Duration {
        self.at.saturating_sub(self.reserve)
    }

    /// Where the run stands.
    pub(crate) fn stage(&self, elapsed: Duration) -> Stage {
        if elapsed >= self.at {
            Stage::Over
        } else if elapsed >= self.agents_end() {
            Stage::WindingDown
        } else {
            Stage::Open
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn a_trial_starts_only_if_it_can_be_expected_to_finish() {
        let mut deadline = Deadline::new(60 * MINUTE, 5 * MINUTE);
        assert!(deadline.may_start(54 * MINUTE), "nothing is known yet");
        assert!(!deadline.may_start(55 * MINUTE));
        for minutes in [1, 10, 100] {
            deadline.took(minutes * MINUTE);
        }
        assert_eq!(deadline.typical(), Some(10 * MINUTE));
        assert!(deadline.may_start(44 * MINUTE));
        assert!(!deadline.may_start(45 * MINUTE));
    }

    #[test]
    fn there_is_time_to_score_and_give_back_before_it_comes() {
        let deadline = Deadline::new(60 * MINUTE, 5 * MINUTE);
        let stages = [54, 55, 59, 60, 99].map(|minutes| deadline.stage(minutes * MINUTE));
        let expected = [
            Stage::Open,
            Stage::WindingDown,
            Stage::WindingDown,
            Stage::Over,
            Stage::Over,
        ];
        assert_eq!(stages, expected);
        let short = Deadline::new(4 * MINUTE, 5 * MINUTE);
        assert_eq!(
            short.agents_end(),
            3 * MINUTE,
            "not all of a short run is winding down"
        );
    }

    #[test]
    fn only_the_latest_trials_count() {
        let mut deadline = Deadline::new(60 * MINUTE, MINUTE);
        for _ in 0..REMEMBERED {
            deadline.took(30 * MINUTE);
        }
        for _ in 0..REMEMBERED {
            deadline.took(MINUTE);
        }
        assert_eq!(deadline.typical(), Some(MINUTE));
    }
}
