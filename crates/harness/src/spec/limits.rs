//! `limits`: when a run stops by itself. What is not set has no limit.

use std::time::Duration;

use serde_json::Value as Json;
use serde_yaml::Value;

use super::reader::{Context, Field};
use super::{resolved, schema};

pub(super) const KEYS: [&str; 3] = ["run_deadline", "instance_minutes", "cost_usd"];

const SECOND: Duration = Duration::from_secs(1);
const LONGEST_RUN: Duration = Duration::from_hours(1440);
const SMALLEST: f64 = 0.000_001;
const LARGEST: f64 = 1e12;

/// When a run stops by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LimitsSpec {
    /// Counted from the start of the run.
    pub run_deadline: Option<Duration>,
    /// Minutes of all instances together.
    pub instance_minutes: Option<f64>,
    /// What the agents report as their cost, in US dollars.
    pub cost_usd: Option<f64>,
}

impl LimitsSpec {
    pub(super) fn read(ctx: &mut Context<'_>, field: Option<&Field<'_>>) -> Self {
        let section = field.and_then(|field| ctx.section(field, &KEYS));
        let get = |key: &str| section.as_ref().and_then(|section| section.get(key));
        Self {
            run_deadline: get("run_deadline")
                .and_then(|field| ctx.duration(&field, SECOND..=LONGEST_RUN)),
            instance_minutes: get("instance_minutes")
                .and_then(|field| ctx.number(&field, SMALLEST..=LARGEST)),
            cost_usd: get("cost_usd").and_then(|field| ctx.number(&field, SMALLEST..=LARGEST)),
        }
    }

    pub(super) fn resolved(&self) -> Option<Value> {
        let mut out = resolved::map([]);
        resolved::set(
            &mut out,
            "run_deadline",
            self.run_deadline.map(resolved::duration),
        );
        resolved::set(
            &mut out,
            "instance_minutes",
            self.instance_minutes.map(Value::from),
        );
        resolved::set(&mut out, "cost_usd", self.cost_usd.map(Value::from));
        (*self != Self::default()).then_some(out)
    }
}

pub(super) fn json_schema() -> Json {
    schema::object(
        "When a run stops by itself. What is not set has no limit.",
        vec![
            (
                "run_deadline",
                schema::duration("Counted from the start of the run."),
            ),
            (
                "instance_minutes",
                schema::number(SMALLEST, LARGEST, "Minutes of all instances together."),
            ),
            (
                "cost_usd",
                schema::number(
                    SMALLEST,
                    LARGEST,
                    "What the agents report as their cost, in US dollars.",
                ),
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
    fn limits_are_positive_and_have_units() {
        let limits =
            spec("limits: {run_deadline: 8h, instance_minutes: 5000, cost_usd: 0.5}").limits;
        assert_eq!(limits.run_deadline, Some(Duration::from_hours(8)));
        assert_eq!(
            (limits.instance_minutes, limits.cost_usd),
            (Some(5000.0), Some(0.5))
        );
        let text = "version: 1\nfleet: {endpoint: local, local: {environments: [.], tasks: [spec.yaml]}}\ntasks: {project: p}\nagent: {command: [a]}\nlimits: {run_deadline: 8, instance_minutes: 0, cost_usd: -1}\n";
        assert_eq!(errors(text).len(), 3);
    }
}
