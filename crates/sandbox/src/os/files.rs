//! Landlock: which files, which TCP ports, and no signal to anybody outside.

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, LandlockStatus, NetPort,
    PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus,
    Scope, path_beneath_rules,
};

use crate::layers::{Layer, Layers};
use crate::policy::{Policy, Role};

/// What the rules are written for; an older kernel gets those that it knows.
const WRITTEN_FOR: ABI = ABI::V6;

/// Read by what every language's runtime does at its start.
const DEVICES_READ: [&str; 2] = ["/dev/random", "/dev/urandom"];
const DEVICES_WRITTEN: [&str; 3] = ["/dev/null", "/dev/zero", "/dev/full"];

pub(super) fn restrict(policy: &Policy, layers: &mut Layers) {
    let mut asked = vec![(Layer::Files, ABI::V1), (Layer::Signals, ABI::V6)];
    if policy.role == Role::Program {
        asked.push((Layer::Ports, ABI::V4));
    }
    let abi = enforce(policy).map_err(|error| error.to_string());
    for (layer, since) in asked {
        let held = match &abi {
            Ok(Some(abi)) if *abi >= since => Ok(()),
            Ok(Some(abi)) => Err(format!(
                "Landlock of this kernel is version {}, needed is {}",
                *abi as u32, since as u32
            )),
            Ok(None) => Err("this kernel has no Landlock, or it is switched off".to_owned()),
            Err(error) => Err(error.clone()),
        };
        layers.note(layer, held);
    }
}

/// The version in force; none if nothing is.
fn enforce(policy: &Policy) -> Result<Option<ABI>, RulesetError> {
    let read = AccessFs::from_read(WRITTEN_FOR);
    let all = AccessFs::from_all(WRITTEN_FOR);
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)?
        .scope(Scope::from_all(WRITTEN_FOR))?;
    if policy.role == Role::Program {
        ruleset = ruleset.handle_access(AccessNet::from_all(WRITTEN_FOR))?;
    }
    let mut ruleset = ruleset
        .create()?
        .add_rules(path_beneath_rules(&policy.read, read))?
        .add_rules(path_beneath_rules(&policy.write, all))?
        .add_rules(path_beneath_rules(DEVICES_READ, AccessFs::ReadFile))?
        .add_rules(path_beneath_rules(
            DEVICES_WRITTEN,
            AccessFs::ReadFile | AccessFs::WriteFile,
        ))?;
    if let Ok(own) = PathFd::new("/proc/self") {
        ruleset = ruleset.add_rule(PathBeneath::new(own, AccessFs::from_read(WRITTEN_FOR)))?;
    }
    for &port in &policy.ports {
        ruleset = ruleset.add_rule(NetPort::new(port, AccessNet::ConnectTcp))?;
    }
    let status = ruleset.restrict_self()?;
    Ok(match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, _) => None,
        (_, LandlockStatus::Available { effective_abi, .. }) => Some(effective_abi),
        _ => None,
    })
}
