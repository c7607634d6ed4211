//! What would hold for verifiers on this machine, found out by trying.

use std::time::Duration;

use process_tree::{Shim, TreeCommand};
use sandbox::{Gate, Launcher, Layers, Policy, Role};

use super::confine::Usage;
use crate::error_chain;

/// A machine that needs longer to confine a process than this has no room for verifiers.
const PROBE_TIME: Duration = Duration::from_secs(20);
const PROBE_MEMORY: u64 = 1024 * 1024 * 1024;
/// Any port does, in a network where nobody else listens.
const PROBE_PORT: u16 = 8080;

/// What would hold for a verifier on this machine, found out by confining a process that then runs nothing.
///
/// # Errors
/// No such process could be started.
pub async fn probe_sandbox(shim: &Shim, launcher: &Launcher) -> Result<Layers, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let gate = Gate::new().map_err(|error| error.to_string())?;
    let usage = Usage {
        time_limit: PROBE_TIME,
        memory_limit: PROBE_MEMORY,
    };
    let policy = Policy {
        read: sandbox::system_paths(),
        write: vec![folder.path().to_owned()],
        ports: vec![PROBE_PORT],
        role: Role::Program,
        limits: usage.limits(),
    };
    let (program, arguments) = launcher.wrap(&policy, gate.path(), &["true".into()]);
    let mut command = TreeCommand::new(program, folder.path());
    command.args = arguments;
    let mut tree = process_tree::spawn(shim, command)
        .await
        .map_err(|error| error_chain(&error))?;
    // Dropping `wait` loses nothing, as it may be called again; dropped at the gate, nothing runs.
    let met = tokio::select! {
        biased;
        met = tokio::time::timeout(PROBE_TIME, gate.meet()) => met,
        _ = tree.wait() => return Err("the sandbox's process ended at once".to_owned()),
    };
    let layers = match met {
        Ok(Ok(visitor)) => Ok(visitor.layers.clone()),
        Ok(Err(error)) => Err(error_chain(&error)),
        Err(_) => Err("the sandbox's process did not answer".to_owned()),
    };
    tree.kill();
    tree.wait().await;
    layers
}
