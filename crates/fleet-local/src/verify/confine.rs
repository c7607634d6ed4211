//! How verifiers are confined: what they may have, which layers are enough, and the way to their own instance's manager.
//!
//! A verifier is code that came with a task. It gets its scratch folder, programs and libraries to read, and two loopback ports: at one its
//! instance answers, at the other the server's door with the judge behind it. The sandbox itself is the crate `sandbox`; this module only decides.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};
use std::time::Duration;

use sandbox::{Gate, GateError, Launcher, Layer, Layers, Limits, Policy, Role};
use serde_json::{Value, json};
use url::Url;

use super::outcome::Outcome;
use super::tunnel::Tunnel;
use crate::error_chain;
use crate::seam::InstanceView;

/// A copy of a large database fits; a disk is not filled by one slip.
const FILE_BYTES: u64 = 128 * 1024 * 1024;

/// A verifier reads some databases and speaks to one server.
const OPEN_FILES: u64 = 256;

/// Threads count too: a JVM has some thirty.
pub(super) const PROCESSES: u64 = 128;

/// Beyond the time limit, which ends verifiers that only wait.
const CPU_MARGIN: Duration = Duration::from_secs(5);

/// Of a home folder that holds task files. The list travels on a command line, which is no place for thousands.
const FILES_OF_HOME: usize = 256;

/// What is needed whatever else is missing. Without one of them a verifier reads the user's files, fills the memory, or reaches other processes.
const ALWAYS: [Layer; 4] = [
    Layer::Limits,
    Layer::Capabilities,
    Layer::Files,
    Layer::SystemCalls,
];

/// The kind of error of a verification that was not run for want of a sandbox.
pub(super) const REFUSED: &str = "SandboxUnavailable";

/// How strictly verifiers that are programs are confined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SandboxMode {
    /// Without the layers that matter no verifier is run.
    #[default]
    Require,
    /// With the layers that this machine gives.
    Best,
    /// Not at all: with the rights of the user who runs the server.
    Off,
}

/// How verifiers are confined.
#[derive(Debug, Clone)]
pub struct SandboxConfig {
    /// How strictly.
    pub mode: SandboxMode,
    /// How the confining process is started.
    pub launcher: Launcher,
    /// Folders and files that verifiers may read beside programs and libraries.
    pub read: Vec<PathBuf>,
}

/// Confines the verifiers of one service.
#[derive(Debug)]
pub(super) struct Confinement {
    pub(super) mode: SandboxMode,
    pub(super) launcher: Launcher,
    /// What every verifier may read.
    read: Vec<PathBuf>,
    /// Where the server answers verifiers.
    door: Option<u16>,
    /// What holds is the same for all of them, so it is logged once.
    logged: Once,
}

/// No verifier was run, or none with the layers that are asked for.
#[derive(Debug, Clone)]
pub(super) struct Refused {
    /// Named as Python names its exceptions.
    pub(super) kind: &'static str,
    pub(super) reason: String,
}

impl Refused {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self {
            kind: REFUSED,
            reason: reason.into(),
        }
    }
}

impl From<GateError> for Refused {
    fn from(error: GateError) -> Self {
        match &error {
            GateError::NotExecuted { reason } => Self {
                kind: "OSError",
                reason: format!("the verifier could not be started: {reason}"),
            },
            _ => Self::new(error_chain(&error)),
        }
    }
}

impl From<Refused> for Outcome {
    fn from(refused: Refused) -> Self {
        Self::failed(refused.kind, refused.reason)
    }
}

/// A confined program that was let through its gate.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) layers: Layers,
    /// Open as long as the verification runs.
    _tunnels: Vec<Tunnel>,
}

impl Confinement {
    /// `door`: the address of the server's door for verifiers.
    pub(super) fn new(config: &SandboxConfig, door: &str) -> Self {
        let search = std::env::var_os("PATH").unwrap_or_default();
        let folders: Vec<PathBuf> = std::env::split_paths(&search).collect();
        let mut read = sandbox::system_paths();
        read.extend(sandbox::installations(folders.iter().map(PathBuf::as_path)));
        read.extend(certificates());
        read.extend(config.read.iter().flat_map(|path| opened(path)));
        read.retain(|path| path.exists());
        Self {
            mode: config.mode,
            launcher: config.launcher.clone(),
            read,
            door: port(door),
            logged: Once::new(),
        }
    }

    /// What a verifier may have that runs as a program.
    pub(super) fn policy(
        &self,
        scratch: &Path,
        instance: &Arc<dyn InstanceView>,
        usage: Usage,
    ) -> Policy {
        Policy {
            read: self.read.clone(),
            write: vec![scratch.to_owned()],
            ports: self.ports(instance),
            role: Role::Program,
            limits: usage.limits(),
        }
    }

    /// Where a verifier of this instance may go: to the instance, and to the server's door.
    pub(super) fn ports(&self, instance: &Arc<dyn InstanceView>) -> Vec<u16> {
        let own = port(&instance.root_url());
        own.into_iter().chain(self.door).collect()
    }

    /// The same for a child of the worker with this policy, which adds its scratch folder itself.
    pub(super) fn child_policy(
        &self,
        worker: &Policy,
        instance: &Arc<dyn InstanceView>,
        usage: Usage,
    ) -> Policy {
        Policy {
            read: worker.read.clone(),
            write: Vec::new(),
            ports: self.ports(instance),
            role: Role::Program,
            limits: usage.limits(),
        }
    }

    /// What the process may have that forks a child per verification.
    pub(super) fn worker_policy(&self, folder: &Path, python: &Path) -> Policy {
        let programs = [Some(python.to_owned()), python.canonicalize().ok()];
        let folders: Vec<PathBuf> = programs
            .into_iter()
            .flatten()
            .filter_map(|program| program.parent().map(Path::to_owned))
            .collect();
        let mut read = self.read.clone();
        read.extend(sandbox::installations(folders.iter().map(PathBuf::as_path)));
        read.retain(|path| path.exists());
        Policy {
            read,
            // The children's user namespaces are set up through /proc.
            write: vec![folder.to_owned(), "/proc".into()],
            ports: Vec::new(),
            role: Role::Worker,
            limits: Limits::default(),
        }
    }

    /// Waits at the gate and lets through whoever is confined well enough. Until the answer is dropped the sandbox's own network leads to
    /// these ports.
    pub(super) async fn admit(
        &self,
        gate: &Gate,
        ports: &[u16],
        inherited: &Layers,
    ) -> Result<Admitted, Refused> {
        let mut visitor = gate.meet().await?;
        inherit(&mut visitor.layers, inherited);
        if self.mode == SandboxMode::Require {
            sufficient(&visitor.layers).map_err(Refused::new)?;
        }
        let tunnels =
            open_tunnels(std::mem::take(&mut visitor.listeners), ports).map_err(GateError::from)?;
        let layers = visitor.layers.clone();
        self.logged
            .call_once(|| tracing::info!(%layers, "verifiers are confined"));
        visitor.admit().await?;
        Ok(Admitted {
            layers,
            _tunnels: tunnels,
        })
    }

    /// What the record says of a verification.
    pub(super) fn record(&self, layers: Option<&Layers>) -> Value {
        let mode = match self.mode {
            SandboxMode::Require => "require",
            SandboxMode::Best => "best",
            SandboxMode::Off => return json!({"mode": "off"}),
        };
        match layers {
            Some(layers) => json!({"mode": mode, "held": layers.held, "missing": layers.missing}),
            None => json!({"mode": mode}),
        }
    }
}

/// What one verification may use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usage {
    pub(super) time_limit: Duration,
    pub(super) memory_limit: u64,
}

impl Usage {
    pub(super) fn limits(self) -> Limits {
        Limits {
            memory_bytes: Some(self.memory_limit),
            cpu_seconds: Some((self.time_limit + CPU_MARGIN).as_secs() + 1),
            file_bytes: Some(FILE_BYTES),
            open_files: Some(OPEN_FILES),
            processes: Some(PROCESSES),
        }
    }

    /// The same without a sandbox, as far as it goes.
    pub(super) fn of_each_process(self) -> process_tree::Limits {
        let limits = self.limits();
        process_tree::Limits {
            address_space_bytes: limits.memory_bytes,
            cpu_seconds: limits.cpu_seconds,
            file_bytes: limits.file_bytes,
            open_files: limits.open_files,
            ..process_tree::Limits::default()
        }
    }
}

/// Whether these layers keep a verifier from everything that is not its own. The error says what to do.
pub fn sufficient(layers: &Layers) -> Result<(), String> {
    let lacks = |layer: Layer| {
        let reason = layers.missing.get(&layer);
        let reason = reason.map_or("it was not tried", String::as_str);
        format!("{layer} ({reason})")
    };
    let mut lacking: Vec<String> = ALWAYS
        .into_iter()
        .filter(|layer| !layers.holds(*layer))
        .map(lacks)
        .collect();
    // Either keeps it from other instances; both are better: a namespace has no other address, and the rules are per port.
    if !layers.holds(Layer::Network) && !layers.holds(Layer::Ports) {
        lacking.push(format!(
            "{} or {}",
            lacks(Layer::Network),
            lacks(Layer::Ports)
        ));
    }
    if lacking.is_empty() {
        return Ok(());
    }
    Err(format!(
        "verifiers run in a sandbox only, and this machine lacks for it: {}. `harness doctor` says what holds; \
         `fleet.local.verifier_sandbox: best` in the spec, or `harness local --verifier-sandbox best`, runs them with what there is",
        lacking.join("; ")
    ))
}

/// A port inside leads to the same port outside, and only if it is one of these.
fn open_tunnels(listeners: Vec<TcpListener>, ports: &[u16]) -> std::io::Result<Vec<Tunnel>> {
    let mut tunnels = Vec::new();
    for listener in listeners {
        let port = listener.local_addr()?.port();
        if ports.contains(&port) {
            tunnels.push(Tunnel::open(listener, port)?);
        }
    }
    Ok(tunnels)
}

/// A child has the layers of the process that it was forked from, too.
fn inherit(layers: &mut Layers, from: &Layers) {
    for layer in [Layer::Mounts] {
        if from.holds(layer) {
            layers.held.insert(layer);
        } else if let Some(reason) = from.missing.get(&layer) {
            layers.missing.insert(layer, reason.clone());
        }
    }
}

/// The port of an address, if it has one.
fn port(address: &str) -> Option<u16> {
    Url::parse(address).ok()?.port()
}

/// What is opened for a folder that was named or in which task files lie: the folder with all below. Of the home folder, and of one that
/// holds it, only the visible files that lie directly in it: below it are everybody's keys.
fn opened(path: &Path) -> Vec<PathBuf> {
    if !sandbox::holds_home(path) {
        return vec![path.to_owned()];
    }
    tracing::debug!(path = %path.display(), "it is or holds the home folder: verifiers may read its own files, and no folder in it");
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries
        .filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."))
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .take(FILES_OF_HOME)
        .collect()
}

fn certificates() -> impl Iterator<Item = PathBuf> {
    ["SSL_CERT_FILE", "SSL_CERT_DIR"]
        .into_iter()
        .filter_map(std::env::var_os)
        .map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(held: &[Layer]) -> Layers {
        let mut layers = Layers::default();
        layers.held.extend(held);
        layers
            .missing
            .insert(Layer::Files, "no Landlock".to_owned());
        layers
    }

    #[test]
    fn of_a_folder_that_holds_the_home_folder_only_the_visible_files_are_opened() {
        let home = std::env::var_os("HOME").map_or_else(|| "/".into(), PathBuf::from);
        for path in opened(&home) {
            assert!(
                path.is_file() && path.parent() == Some(&home),
                "{}",
                path.display()
            );
        }
        assert!(opened(Path::new("/")).iter().all(|path| path.is_file()));
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(opened(folder.path()), [folder.path()]);
    }

    #[test]
    fn what_is_enough_needs_all_of_the_basics_and_one_for_the_network() {
        let mut held = ALWAYS.to_vec();
        assert!(sufficient(&layers(&held)).is_err());
        for network in [Layer::Network, Layer::Ports] {
            held.push(network);
            assert_eq!(sufficient(&layers(&held)), Ok(()));
            held.pop();
        }
        let without_files = [
            Layer::Limits,
            Layer::Capabilities,
            Layer::SystemCalls,
            Layer::Network,
        ];
        let reason = sufficient(&layers(&without_files)).unwrap_err();
        assert!(
            reason.contains("files (no Landlock)") && reason.contains("verifier_sandbox: best"),
            "{reason}"
        );
    }
}
