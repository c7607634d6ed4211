//! `gate`: what a run must reach for exit code 0.

use serde_json::Value as Json;
use serde_yaml::Value;

use super::reader::{Context, Field};
use super::{resolved, schema};

pub(super) const KEYS: [&str; 5] = [
    "min_pass_rate",
    "min_mean_score",
    "max_unscored",
    "baseline",
    "max_regression",
];
/// Comparing with an older run needs the paired statistics, which are not there yet.
const NOT_YET: [&str; 2] = ["baseline", "max_regression"];

/// What a run must reach. All numbers are fractions from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GateSpec {
    /// Of the scored trials, at least this part must have passed.
    pub min_pass_rate: Option<f64>,
    /// The mean score of the scored trials must be at least this.
    pub min_mean_score: Option<f64>,
    /// Of all trials, at most this part may have no score. Default: 0.
    pub max_unscored: f64,
}

impl GateSpec {
    pub(super) fn read(ctx: &mut Context<'_>, field: Option<&Field<'_>>) -> Self {
        let section = field.and_then(|field| ctx.section(field, &KEYS));
        let get = |key: &str| section.as_ref().and_then(|section| section.get(key));
        for key in NOT_YET {
            if let Some(field) = get(key) {
                let diagnostic = field.error(format!("not supported yet: `gate.{key}`"));
                ctx.report(diagnostic.hint("remove the key; runs cannot be compared yet"));
            }
        }
        let mut fraction = |key: &str| get(key).and_then(|field| ctx.number(&field, 0.0..=1.0));
        Self {
            min_pass_rate: fraction("min_pass_rate"),
            min_mean_score: fraction("min_mean_score"),
            max_unscored: fraction("max_unscored").unwrap_or(0.0),
        }
    }

    pub(super) fn resolved(&self) -> Value {
        let mut out = resolved::map([]);
        resolved::set(
            &mut out,
            "min_pass_rate",
            self.min_pass_rate.map(Value::from),
        );
        resolved::set(
            &mut out,
            "min_mean_score",
            self.min_mean_score.map(Value::from),
        );
        resolved::set(
            &mut out,
            "max_unscored",
            Some(Value::from(self.max_unscored)),
        );
        out
    }
}

pub(super) fn json_schema() -> Json {
    schema::object(
        "What a run must reach for exit code 0. All numbers are fractions from 0 to 1.",
        vec![
            (
                "min_pass_rate",
                schema::number(
                    0.0,
                    1.0,
                    "Of the scored trials, at least this part must have passed.",
                ),
            ),
            (
                "min_mean_score",
                schema::number(
                    0.0,
                    1.0,
                    "The mean score of the scored trials must be at least this.",
                ),
            ),
            (
                "max_unscored",
                schema::number(
                    0.0,
                    1.0,
                    "Of all trials, at most this part may have no score. Default: 0.",
                ),
            ),
            ("baseline", schema::not_yet("An older run to compare with.")),
            (
                "max_regression",
                schema::not_yet("How much worse than the baseline the run may be."),
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
    fn gates_are_fractions_and_comparisons_come_later() {
        let gate = spec("gate: {min_pass_rate: 0.8, min_mean_score: 1}").gate;
        assert_eq!(
            gate,
            GateSpec {
                min_pass_rate: Some(0.8),
                min_mean_score: Some(1.0),
                max_unscored: 0.0
            }
        );
        let text = "version: 1\nfleet: {endpoint: local, local: {environments: [.], tasks: [spec.yaml]}}\ntasks: {project: p}\nagent: {command: [a]}\ngate: {min_pass_rate: 80, min_mean_score: 80%, baseline: x, max_regression: 0.1}\n";
        let found = errors(text);
        assert_eq!(found.len(), 4, "{found:?}");
        assert_eq!(
            found
                .iter()
                .filter(|message| message.starts_with("not supported yet: "))
                .count(),
            2
        );
    }
}
