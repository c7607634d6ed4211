//! `concurrency`: how many of each at the same time.

use serde_json::{Value as Json, json};
use serde_yaml::Value;

use super::reader::{Context, Field};
use super::tree::Kind;
use super::{resolved, schema};

pub(super) const KEYS: [&str; 3] = ["environments", "agents", "verifiers"];

const MAX: u32 = 10_000;
const DEFAULT_AGENTS: u32 = 8;

/// How many of each at the same time; each at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConcurrencySpec {
    /// Running instances. More than agents lets the next ones start while agents work. Default: twice the agents.
    pub environments: u32,
    /// Running agents. Default: as many as there are environments, else eight.
    pub agents: u32,
    /// Running verifications. Default: as many as agents.
    pub verifiers: u32,
}

impl ConcurrencySpec {
    pub(super) fn read(ctx: &mut Context<'_>, field: Option<&Field<'_>>) -> Self {
        let Some(field) = field else {
            return Self::with(None, None, None);
        };
        if !matches!(field.node.kind, Kind::Map(_) | Kind::Seq(_)) {
            return match ctx.integer(field, 1..=MAX) {
                Some(number) => Self {
                    environments: number,
                    agents: number,
                    verifiers: number,
                },
                None => Self::with(None, None, None),
            };
        }
        let section = ctx.section(field, &KEYS);
        let mut limit = |key: &str| {
            let field = section.as_ref().and_then(|section| section.get(key))?;
            ctx.integer(&field, 1..=MAX)
        };
        let spec = Self::with(limit("environments"), limit("agents"), limit("verifiers"));
        if let Some(agents) = section.as_ref().and_then(|section| section.get("agents"))
            && spec.agents > spec.environments
        {
            let message = format!(
                "{} agents can never run in {} environments",
                spec.agents, spec.environments
            );
            let warning =
                super::Diagnostic::warning(agents.path.clone(), Some(agents.node.span), message);
            ctx.report(
                warning.hint("every agent has an environment of its own; raise `environments`"),
            );
        }
        spec
    }

    fn with(environments: Option<u32>, agents: Option<u32>, verifiers: Option<u32>) -> Self {
        let agents = agents.or(environments).unwrap_or(DEFAULT_AGENTS);
        Self {
            environments: environments.unwrap_or_else(|| agents.saturating_mul(2).min(MAX)),
            agents,
            verifiers: verifiers.unwrap_or(agents),
        }
    }

    pub(super) fn resolved(&self) -> Value {
        resolved::map([
            ("environments", Value::from(self.environments)),
            ("agents", Value::from(self.agents)),
            ("verifiers", Value::from(self.verifiers)),
        ])
    }
}

pub(super) fn json_schema() -> Json {
    let one = schema::integer(1, MAX, "As many of each.");
    let each = schema::object(
        "One limit for each.",
        vec![
            (
                "environments",
                schema::integer(1, MAX, "Running instances. Default: twice the agents."),
            ),
            (
                "agents",
                schema::integer(
                    1,
                    MAX,
                    "Running agents. Default: as many as environments, else 8.",
                ),
            ),
            (
                "verifiers",
                schema::integer(1, MAX, "Running verifications. Default: as many as agents."),
            ),
        ],
        &[],
    );
    json!({"description": "How many at the same time: one number, or one for each.", "anyOf": [one, each]})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::testing::{errors, spec};

    #[test]
    fn one_number_or_one_for_each() {
        let of = |environments, agents, verifiers| ConcurrencySpec {
            environments,
            agents,
            verifiers,
        };
        let cases = [
            ("", of(16, 8, 8)),
            ("concurrency: 3", of(3, 3, 3)),
            ("concurrency: ${NO:-3}", of(3, 3, 3)),
            ("concurrency: {}", of(16, 8, 8)),
            ("concurrency: {agents: 4}", of(8, 4, 4)),
            ("concurrency: {environments: 4}", of(4, 4, 4)),
            (
                "concurrency: {environments: 64, agents: 16, verifiers: 32}",
                of(64, 16, 32),
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(spec(text).concurrency, expected, "{text}");
        }
    }

    #[test]
    fn more_agents_than_environments_is_worth_a_word() {
        let spec = spec("concurrency: {environments: 2, agents: 4}");
        assert!(spec.warnings[0].message.contains("can never run"));
    }

    #[test]
    fn numbers_outside_are_refused() {
        for wrong in [
            "0",
            "-1",
            "1.5",
            "10001",
            "many",
            "\"4\"",
            "[4]",
            "{agents: 0}",
        ] {
            let text = format!(
                "version: 1\nfleet: {{endpoint: local, local: {{environments: [.], tasks: [spec.yaml]}}}}\ntasks: {{project: p}}\nagent: {{command: [a]}}\nconcurrency: {wrong}\n"
            );
            assert_eq!(errors(&text).len(), 1, "{wrong}: {:?}", errors(&text));
        }
    }
}
