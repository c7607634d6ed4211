//! Finds out which level of containment this machine allows, and which limits, by doing it.

use std::error::Error;
use std::ffi::OsString;

use crate::command::{Limits, Shim, TreeCommand};
use crate::error::SpawnError;
use crate::exit::{ContainmentReport, Held, HeldLimits, LeaderStatus};
use crate::os::NOOP;
use crate::os::cgroup::place;
use crate::tree::spawn_within;

/// Enough for the smallest command, so that it can be asked for.
const TRIAL_LIMITS: Limits = Limits {
    open_files: None,
    core_bytes: None,
    file_bytes: None,
    address_space_bytes: None,
    data_bytes: None,
    cpu_seconds: None,
    tree_memory_bytes: Some(1 << 30),
    tree_processes: Some(1000),
};

/// Runs the smallest possible command at each level, the highest first.
pub async fn probe(shim: &Shim) -> ContainmentReport {
    let mut report = ContainmentReport {
        level: 0,
        reasons: Vec::new(),
        limits: HeldLimits::default(),
        limit_reasons: Vec::new(),
        groups: place().ok().map(|place| place.folder.clone()),
    };
    for level in [3, 2, 1] {
        match attempt(shim, level).await {
            Ok(limits) => {
                report.level = level;
                report.limits = limits;
                report.limit_reasons = limit_reasons(limits);
                break;
            }
            Err(reason) => report.reasons.push(reason),
        }
    }
    report
}

async fn attempt(shim: &Shim, level: u8) -> Result<HeldLimits, String> {
    let mut args = shim.args.clone();
    args.push(OsString::from(NOOP));
    let command = TreeCommand {
        args,
        limits: TRIAL_LIMITS,
        // Seen from the new process this is the shim's program, under the new /proc.
        ..TreeCommand::new("/proc/self/exe", "/")
    };
    let mut tree = spawn_within(shim, command, level, level)
        .await
        .map_err(|error| reason(level, &error))?;
    let exit = tree.wait().await;
    match exit.status {
        LeaderStatus::Exited(0) => Ok(exit.limits),
        other => Err(format!(
            "level {level}: a trial command ended with {other:?}"
        )),
    }
}

fn reason(level: u8, error: &SpawnError) -> String {
    match error {
        // It names the level.
        SpawnError::Containment { reason, .. } => reason.clone(),
        other => {
            let cause = other.source().map(|cause| format!(": {cause}"));
            format!("level {level}: {other}{}", cause.unwrap_or_default())
        }
    }
}

/// Why limits are not held for the tree as a whole.
fn limit_reasons(held: HeldLimits) -> Vec<String> {
    let place = place();
    let mut reasons = Vec::new();
    for (what, held, by_group) in [
        ("memory", held.memory, place.map(|place| &place.memory)),
        (
            "processes",
            held.processes,
            place.map(|place| &place.processes),
        ),
    ] {
        if held == Held::Tree {
            continue;
        }
        let reason = match by_group {
            Err(reason) => reason,
            Ok(Err(reason)) => reason.as_str(),
            Ok(Ok(())) => "the tree has no control group of its own",
        };
        reasons.push(format!("{what}: {reason}"));
    }
    reasons
}
