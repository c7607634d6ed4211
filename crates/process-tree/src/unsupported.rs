//! Systems other than Linux: the crate builds and says that it cannot run anything.

use std::convert::Infallible;
use std::io;
use std::process::ExitCode;

use crate::command::{Shim, TreeCommand};
use crate::error::SpawnError;
use crate::exit::{ContainmentReport, HeldLimits, Stray, StraysEnd, TreeExit};

/// There is no supervisor on this system.
pub fn shim_main() -> ExitCode {
    ExitCode::FAILURE
}

/// Does nothing on this system.
///
/// # Errors
/// None; the signature is that of Linux.
pub fn become_subreaper() -> io::Result<()> {
    Ok(())
}

/// Reports level 0.
#[expect(clippy::unused_async, reason = "the signature is that of Linux")]
pub async fn probe(_shim: &Shim) -> ContainmentReport {
    ContainmentReport {
        level: 0,
        reasons: vec![SpawnError::Unsupported.to_string()],
        limits: HeldLimits::default(),
        limit_reasons: Vec::new(),
        groups: None,
    }
}

/// Finds nothing on this system.
pub fn strays(_name: &str, _value: &str) -> Vec<Stray> {
    Vec::new()
}

/// Ends nothing on this system.
pub fn end_strays(_name: &str, _value: &str) -> StraysEnd {
    StraysEnd::default()
}

/// Refuses every command.
///
/// # Errors
/// Always [`SpawnError::Unsupported`].
#[expect(clippy::unused_async, reason = "the signature is that of Linux")]
pub async fn spawn(_shim: &Shim, _command: TreeCommand) -> Result<ProcessTree, SpawnError> {
    Err(SpawnError::Unsupported)
}

/// Never made on this system.
#[derive(Debug)]
pub struct ProcessTree(Infallible);

impl ProcessTree {
    /// Never called: there is no such tree.
    pub fn pid(&self) -> u32 {
        match self.0 {}
    }

    /// Never called: there is no such tree.
    pub fn level(&self) -> u8 {
        match self.0 {}
    }

    /// Never called: there is no such tree.
    #[expect(clippy::unused_async, reason = "the signature is that of Linux")]
    pub async fn wait(&mut self) -> TreeExit {
        match self.0 {}
    }

    /// Never called: there is no such tree.
    pub fn terminate(&self) {
        match self.0 {}
    }

    /// Never called: there is no such tree.
    pub fn kill(&self) {
        match self.0 {}
    }
}
