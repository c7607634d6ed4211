//! `environment`: how long an instance lives, how often its lease is renewed, how long it may take to be ready.

use std::fmt;
use std::time::Duration;

use serde_json::{Value as Json, json};
use serde_yaml::Value;

use super::agent::AgentSpec;
use super::reader::{Context, Field};
use super::units::format_duration;
use super::{resolved, schema};

pub(super) const KEYS: [&str; 4] = ["ttl", "heartbeat", "ready_timeout", "quota_timeout"];

/// How long a verification may take, tries included. The service stops one after five minutes by itself.
pub const VERIFY_TIMEOUT: Duration = Duration::from_mins(5);
/// What is added to a ttl for the waits between the stages and for clocks that differ.
pub const TTL_MARGIN: Duration = Duration::from_mins(5);
const DEFAULT_HEARTBEAT: Duration = Duration::from_secs(30);
/// The service refuses shorter and longer intervals.
const MIN_HEARTBEAT: Duration = Duration::from_secs(30);
const MAX_HEARTBEAT: Duration = Duration::from_hours(1);
const DEFAULT_READY_TIMEOUT: Duration = Duration::from_mins(15);
const MAX_READY_TIMEOUT: Duration = Duration::from_hours(2);
/// Waiting is better than failing for as long as somebody else's night run may take.
const DEFAULT_QUOTA_TIMEOUT: Duration = Duration::from_hours(24);
const MAX_QUOTA_TIMEOUT: Duration = Duration::from_hours(1440);
const MIN_TTL: Duration = Duration::from_secs(1);
const MAX_TTL: Duration = Duration::from_hours(336);

/// The lease of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentSpec {
    /// When the service closes an instance by itself.
    pub ttl: Ttl,
    /// Within which time the service must hear of us.
    pub heartbeat: Duration,
    /// How long an instance may take until it can be used.
    pub ready_timeout: Duration,
    /// How long a trial waits for room under the service's limits before it ends without a score.
    pub quota_timeout: Duration,
}

/// When the service closes an instance by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// As long as a trial can take, see [`TtlBudget`].
    Auto,
    /// Never shorter than the budget.
    Fixed(Duration),
}

/// The longest that a trial can need its instance, part by part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TtlBudget {
    /// Until the instance is ready; the service's clock may start with the request.
    pub ready: Duration,
    /// The agent's timeout.
    pub agent: Duration,
    /// For the agent to stop.
    pub grace: Duration,
    /// For the verification.
    pub verify: Duration,
    /// For everything in between.
    pub margin: Duration,
}

impl TtlBudget {
    /// The budget of a spec's trials.
    pub fn new(agent: &AgentSpec, ready_timeout: Duration) -> Self {
        Self {
            ready: ready_timeout,
            agent: agent.timeout,
            grace: agent.grace_period,
            verify: VERIFY_TIMEOUT,
            margin: TTL_MARGIN,
        }
    }

    /// The sum.
    pub fn total(&self) -> Duration {
        self.ready + self.agent + self.grace + self.verify + self.margin
    }
}

impl fmt::Display for TtlBudget {
    /// `15m ready + 30m agent + … = 55m10s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ready_timeout + {} agent.timeout + {} agent.grace_period + {} to verify + {} margin = {}",
            format_duration(self.ready),
            format_duration(self.agent),
            format_duration(self.grace),
            format_duration(self.verify),
            format_duration(self.margin),
            format_duration(self.total()),
        )
    }
}

impl EnvironmentSpec {
    /// How long an instance is asked for.
    pub fn ttl(&self, agent: &AgentSpec) -> Duration {
        match self.ttl {
            Ttl::Auto => TtlBudget::new(agent, self.ready_timeout).total(),
            Ttl::Fixed(ttl) => ttl,
        }
    }

    pub(super) fn read(
        ctx: &mut Context<'_>,
        field: Option<&Field<'_>>,
        agent: &AgentSpec,
    ) -> Self {
        let section = field.and_then(|field| ctx.section(field, &KEYS));
        let get = |key: &str| section.as_ref().and_then(|section| section.get(key));
        let heartbeat =
            get("heartbeat").and_then(|field| ctx.duration(&field, MIN_HEARTBEAT..=MAX_HEARTBEAT));
        let ready = get("ready_timeout")
            .and_then(|field| ctx.duration(&field, MIN_TTL..=MAX_READY_TIMEOUT));
        let ready_timeout = ready.unwrap_or(DEFAULT_READY_TIMEOUT);
        let quota_timeout = get("quota_timeout")
            .and_then(|field| ctx.duration(&field, Duration::ZERO..=MAX_QUOTA_TIMEOUT));
        let ttl = get("ttl")
            .and_then(|field| read_ttl(ctx, &field, TtlBudget::new(agent, ready_timeout)));
        Self {
            ttl: ttl.unwrap_or(Ttl::Auto),
            heartbeat: heartbeat.unwrap_or(DEFAULT_HEARTBEAT),
            ready_timeout,
            quota_timeout: quota_timeout.unwrap_or(DEFAULT_QUOTA_TIMEOUT),
        }
    }

    pub(super) fn resolved(&self) -> Value {
        let ttl = match self.ttl {
            Ttl::Auto => Value::from("auto"),
            Ttl::Fixed(ttl) => resolved::duration(ttl),
        };
        resolved::map([
            ("ttl", ttl),
            ("heartbeat", resolved::duration(self.heartbeat)),
            ("ready_timeout", resolved::duration(self.ready_timeout)),
            ("quota_timeout", resolved::duration(self.quota_timeout)),
        ])
    }
}

fn read_ttl(ctx: &mut Context<'_>, field: &Field<'_>, budget: TtlBudget) -> Option<Ttl> {
    if let super::tree::Kind::String(text) = &field.node.kind
        && text == "auto"
    {
        return Some(Ttl::Auto);
    }
    let ttl = ctx.duration(field, MIN_TTL..=MAX_TTL)?;
    if ttl < budget.total() {
        let message = "the ttl is shorter than a trial can take, so that instances would vanish under their agents";
        ctx.report(field.error(message).note(budget.to_string()).hint(format!(
            "write `ttl: auto`, or at least `{}`, or shorten `agent.timeout`",
            format_duration(budget.total())
        )));
        return None;
    }
    Some(Ttl::Fixed(ttl))
}

pub(super) fn json_schema() -> Json {
    let mut ttl = schema::duration(
        "When the service closes an instance by itself. `auto` is the agent's timeout and grace period, the ready and verify budgets and a margin. Default: auto.",
    );
    ttl = json!({"description": ttl["description"], "anyOf": [{"const": "auto"}, ttl]});
    schema::object(
        "The lease of an environment instance.",
        vec![
            ("ttl", ttl),
            (
                "heartbeat",
                schema::duration(
                    "Within which time the service must hear of us, 30s to 1h. Default: 30s.",
                ),
            ),
            (
                "ready_timeout",
                schema::duration(
                    "How long an instance may take until it can be used. Default: 15m.",
                ),
            ),
            (
                "quota_timeout",
                schema::duration(
                    "How long a trial waits for room under the service's limits before it ends without a score. Default: 24h.",
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

    fn base(environment: &str) -> String {
        format!(
            "version: 1\nfleet: {{endpoint: local, local: {{environments: [.], tasks: [spec.yaml]}}}}\ntasks: {{project: p}}\nagent: {{command: [a], timeout: 10m}}\nenvironment: {environment}\n"
        )
    }

    #[test]
    fn auto_is_the_sum_of_what_a_trial_can_take() {
        let spec = spec(
            "agent: {command: [a], timeout: 10m, grace_period: 20s}\nenvironment: {ready_timeout: 2m}",
        );
        let expected = Duration::from_secs(2 * 60 + 10 * 60 + 20 + 5 * 60 + 5 * 60);
        assert_eq!(spec.environment.ttl(&spec.agent), expected);
    }

    #[test]
    fn an_explicit_ttl_holds_if_it_is_long_enough() {
        let enough = spec("agent: {command: [a], timeout: 10m}\nenvironment: {ttl: 35m10s}");
        assert_eq!(
            enough.environment.ttl,
            Ttl::Fixed(Duration::from_secs(35 * 60 + 10))
        );
        assert!(errors(&base("{ttl: 35m9s}"))[0].contains("shorter than a trial"));
    }

    #[test]
    fn quota_is_waited_for_through_a_night_unless_said_otherwise() {
        assert_eq!(spec("").environment.quota_timeout, Duration::from_hours(24));
        let short = spec("environment: {quota_timeout: 10m}").environment;
        assert_eq!(short.quota_timeout, Duration::from_mins(10));
    }

    #[test]
    fn heartbeats_are_those_that_the_service_takes() {
        for heartbeat in ["29s", "61m", "30"] {
            assert_eq!(
                errors(&base(&format!("{{heartbeat: {heartbeat}}}"))).len(),
                1,
                "{heartbeat}"
            );
        }
        assert_eq!(
            spec("environment: {heartbeat: 1h}").environment.heartbeat,
            Duration::from_hours(1)
        );
    }
}
