//! `retry`: how often and how fast a trial is tried again after a fault of the infrastructure. An agent's failure is never tried again.

use std::time::Duration;

use serde_json::Value as Json;
use serde_yaml::Value;

use super::reader::{Context, Field};
use super::units::format_duration;
use super::{resolved, schema};

pub(super) const KEYS: [&str; 3] = ["attempts", "initial_delay", "max_delay"];

const DEFAULT_ATTEMPTS: u32 = 3;
const MAX_ATTEMPTS: u32 = 20;
const DEFAULT_INITIAL_DELAY: Duration = Duration::from_secs(2);
const DEFAULT_MAX_DELAY: Duration = Duration::from_mins(1);
const LONGEST_DELAY: Duration = Duration::from_hours(1);

/// Attempts of a trial and the waits between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetrySpec {
    /// Attempts in all; 1 means no second one.
    pub attempts: u32,
    /// The wait before the second attempt; it doubles from there.
    pub initial_delay: Duration,
    /// The longest wait.
    pub max_delay: Duration,
}

impl RetrySpec {
    pub(super) fn read(ctx: &mut Context<'_>, field: Option<&Field<'_>>) -> Self {
        let section = field.and_then(|field| ctx.section(field, &KEYS));
        let get = |key: &str| section.as_ref().and_then(|section| section.get(key));
        let attempts = get("attempts").and_then(|field| ctx.integer(&field, 1..=MAX_ATTEMPTS));
        let mut delay = |key: &str| {
            get(key).and_then(|field| ctx.duration(&field, Duration::ZERO..=LONGEST_DELAY))
        };
        let (initial, max) = (delay("initial_delay"), delay("max_delay"));
        if let (Some(initial), Some(max), Some(field)) = (initial, max, get("max_delay"))
            && max < initial
        {
            let message = format!(
                "`retry.max_delay` is shorter than `retry.initial_delay` ({})",
                format_duration(initial)
            );
            ctx.report(field.error(message));
        }
        let initial_delay = initial.unwrap_or_else(|| {
            max.map_or(DEFAULT_INITIAL_DELAY, |max| max.min(DEFAULT_INITIAL_DELAY))
        });
        Self {
            attempts: attempts.unwrap_or(DEFAULT_ATTEMPTS),
            initial_delay,
            max_delay: max.unwrap_or_else(|| initial_delay.max(DEFAULT_MAX_DELAY)),
        }
    }

    pub(super) fn resolved(&self) -> Value {
        resolved::map([
            ("attempts", Value::from(self.attempts)),
            ("initial_delay", resolved::duration(self.initial_delay)),
            ("max_delay", resolved::duration(self.max_delay)),
        ])
    }
}

pub(super) fn json_schema() -> Json {
    schema::object(
        "Attempts of a trial after faults of the infrastructure. An agent's failure is never tried again.",
        vec![
            (
                "attempts",
                schema::integer(1, MAX_ATTEMPTS, "Attempts in all. Default: 3."),
            ),
            (
                "initial_delay",
                schema::duration(
                    "The wait before the second attempt; it doubles from there. Default: 2s.",
                ),
            ),
            (
                "max_delay",
                schema::duration("The longest wait. Default: 60s."),
            ),
        ],
        &[],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::testing::{errors, spec};

    #[test]
    fn a_lone_delay_moves_the_other_default() {
        let seconds = Duration::from_secs;
        assert_eq!(
            spec("retry: {max_delay: 1s}").retry.initial_delay,
            seconds(1)
        );
        assert_eq!(
            spec("retry: {initial_delay: 2m}").retry.max_delay,
            seconds(120)
        );
        assert_eq!(
            spec("").retry,
            RetrySpec {
                attempts: 3,
                initial_delay: seconds(2),
                max_delay: seconds(60)
            }
        );
    }

    #[test]
    fn delays_must_grow() {
        let text = "version: 1\nfleet: {endpoint: local, local: {environments: [.], tasks: [spec.yaml]}}\ntasks: {project: p}\nagent: {command: [a]}\nretry: {attempts: 0, initial_delay: 5s, max_delay: 1s}\n";
        assert_eq!(errors(text).len(), 2);
    }
}
