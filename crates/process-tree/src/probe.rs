//! Finds out which level of containment this machine allows, by doing it.

use std::ffi::OsString;

use crate::command::{Containment, Shim, TreeCommand};
use crate::exit::{ContainmentReport, LeaderStatus};
use crate::os::NOOP;
use crate::tree::spawn;

/// Runs the smallest possible command at each level, the highest first.
pub async fn probe(shim: &Shim) -> ContainmentReport {
    let mut reasons = Vec::new();
    for level in [3, 1] {
        let containment = match level {
            1 => Containment::AtMost(1),
            level => Containment::Require(level),
        };
        match attempt(shim, containment).await {
            Ok(()) => return ContainmentReport { level, reasons },
            Err(reason) => reasons.push(reason),
        }
    }
    ContainmentReport { level: 0, reasons }
}

async fn attempt(shim: &Shim, containment: Containment) -> Result<(), String> {
    let mut args = shim.args.clone();
    args.push(OsString::from(NOOP));
    let command = TreeCommand {
        args,
        containment,
        // Seen from the new process this is the shim's program, under the new /proc.
        ..TreeCommand::new("/proc/self/exe", "/")
    };
    let mut tree = spawn(shim, command).await.map_err(|error| {
        let cause = std::error::Error::source(&error);
        let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
        format!("{error}{cause}")
    })?;
    match tree.wait().await.status {
        LeaderStatus::Exited(0) => Ok(()),
        other => Err(format!("a trial command ended with {other:?}")),
    }
}
