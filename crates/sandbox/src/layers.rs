//! Which layers of a sandbox hold, and why the others do not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

/// One thing that confines. The table in the crate's documentation says what each one holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// Resource limits.
    Limits,
    /// The number of processes.
    Processes,
    /// A network namespace of its own.
    Network,
    /// A read-only view of all mounts.
    Mounts,
    /// No capabilities, and no way to get some.
    Capabilities,
    /// Landlock's rules for files.
    Files,
    /// Landlock's rules for TCP ports.
    Ports,
    /// Landlock's scopes for signals and abstract sockets.
    Signals,
    /// The seccomp filter.
    SystemCalls,
}

impl Layer {
    /// The name that is written in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Limits => "limits",
            Self::Processes => "processes",
            Self::Network => "network",
            Self::Mounts => "mounts",
            Self::Capabilities => "capabilities",
            Self::Files => "files",
            Self::Ports => "ports",
            Self::Signals => "signals",
            Self::SystemCalls => "system_calls",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What became of the layers of one sandbox. A layer that was not asked for is in neither.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layers {
    /// Those that hold.
    pub held: BTreeSet<Layer>,
    /// Those that this machine does not give, with what it said.
    pub missing: BTreeMap<Layer, String>,
}

impl Layers {
    /// Nothing was asked for.
    pub const fn none() -> Self {
        Self {
            held: BTreeSet::new(),
            missing: BTreeMap::new(),
        }
    }

    /// Whether a layer holds.
    pub fn holds(&self, layer: Layer) -> bool {
        self.held.contains(&layer)
    }

    /// Notes how the attempt at a layer ended.
    pub(crate) fn note<T>(&mut self, layer: Layer, result: Result<T, String>) -> Option<T> {
        match result {
            Ok(value) => {
                self.held.insert(layer);
                Some(value)
            }
            Err(reason) => {
                self.missing.insert(layer, reason);
                None
            }
        }
    }
}

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held: Vec<&str> = self.held.iter().map(|layer| layer.name()).collect();
        f.write_str(&held.join(", "))?;
        for (layer, reason) in &self.missing {
            write!(f, "; not {layer} ({reason})")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_and_what_does_not_is_said_and_survives_the_wire() {
        let mut layers = Layers::default();
        layers.note(Layer::Files, Ok(()));
        layers.note::<()>(Layer::Network, Err("EPERM".to_owned()));
        assert_eq!(layers.to_string(), "files; not network (EPERM)");
        let json = serde_json::to_string(&layers).unwrap();
        assert_eq!(json, r#"{"held":["files"],"missing":{"network":"EPERM"}}"#);
        assert_eq!(serde_json::from_str::<Layers>(&json).unwrap(), layers);
    }
}
