//! `agent.containment`: how strictly the agent's processes must be held, and whether this machine can do it.

use process_tree::{Containment, ContainmentReport};

use super::SpecError;
use super::run_spec::RunSpec;

/// How strictly an agent's processes are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainmentSpec {
    /// As strictly as the machine can.
    Best,
    /// At this level or a higher one, or not at all.
    Require(u8),
}

/// What can be written in a spec.
pub(super) const CHOICES: [(&str, ContainmentSpec); 4] = [
    ("best", ContainmentSpec::Best),
    ("require:1", ContainmentSpec::Require(1)),
    ("require:2", ContainmentSpec::Require(2)),
    ("require:3", ContainmentSpec::Require(3)),
];

impl From<ContainmentSpec> for Containment {
    fn from(spec: ContainmentSpec) -> Self {
        match spec {
            ContainmentSpec::Best => Self::Best,
            ContainmentSpec::Require(level) => Self::Require(level),
        }
    }
}

/// Whether this machine holds agents as strictly as the spec requires.
///
/// # Errors
/// It does not, as a problem of the spec that says why and what to do.
pub fn agent_containment(spec: &RunSpec, machine: &ContainmentReport) -> Result<(), SpecError> {
    let ContainmentSpec::Require(required) = spec.agent.containment else {
        return Ok(());
    };
    if machine.level >= required {
        return Ok(());
    }
    let message = format!(
        "agents must be held at level {required}, but this machine reaches level {}: {}",
        machine.level,
        machine.reasons.join("; ")
    );
    let hint = format!("{}, or require less", remedy(required));
    let problem = spec.error_at("agent.containment", message).hint(hint);
    Err(spec.error_of(vec![problem]))
}

/// What makes a level possible.
fn remedy(level: u8) -> &'static str {
    match level {
        3 => "allow unprivileged user namespaces on this machine, or run as root",
        2 => {
            "start the harness in a control group of its own, for instance with `systemd-run --user --scope -p \
             Delegate=yes`"
        }
        _ => "run on Linux",
    }
}

#[cfg(test)]
mod tests {
    use process_tree::HeldLimits;

    use super::*;
    use crate::spec::testing::{errors, spec};

    fn machine(level: u8) -> ContainmentReport {
        ContainmentReport {
            level,
            reasons: vec!["level 3: making a user namespace: not permitted".to_owned()],
            limits: HeldLimits::default(),
            limit_reasons: Vec::new(),
            groups: None,
        }
    }

    #[test]
    fn a_level_that_is_not_reached_is_refused_with_the_reason_and_a_way_out() {
        for (required, remedy) in [(3, "user namespaces"), (2, "Delegate=yes")] {
            let yaml = format!("agent: {{command: [a], containment: 'require:{required}'}}");
            let spec = spec(&yaml);
            let error = agent_containment(&spec, &machine(1)).unwrap_err();
            let problem = &error.diagnostics[0];
            assert!(problem.span.is_some());
            let told = format!("{problem:?}");
            for expected in [
                format!("at level {required}"),
                "reaches level 1".to_owned(),
                "not permitted".to_owned(),
                remedy.to_owned(),
            ] {
                assert!(told.contains(&expected), "{told}");
            }
        }
    }

    #[test]
    fn a_level_that_is_reached_and_the_best_there_is_are_accepted() {
        let two = spec("agent: {command: [a], containment: require:2}");
        assert_eq!(two.agent.containment, ContainmentSpec::Require(2));
        assert!(agent_containment(&two, &machine(2)).is_ok());
        assert!(agent_containment(&two, &machine(3)).is_ok());
        let best = spec("agent: {command: [a]}");
        assert_eq!(best.agent.containment, ContainmentSpec::Best);
        assert!(agent_containment(&best, &machine(0)).is_ok());
    }

    #[test]
    fn a_level_that_does_not_exist_is_an_error() {
        for wrong in ["require:4", "require:0", "require", "3"] {
            let yaml = format!(
                "version: 1\nfleet: {{endpoint: local, local: {{environments: [.], tasks: [spec.yaml]}}}}\n\
                 tasks: {{project: p}}\nagent: {{command: [a], containment: '{wrong}'}}\n"
            );
            let found = errors(&yaml);
            assert!(
                found.len() == 1 && found[0].contains("agent.containment"),
                "{found:?}"
            );
        }
    }
}
