//! Starting agents and ending them with everything that they started.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use process_tree::{ProcessTree, Shim, SpawnError, StraysEnd, TreeCommand, TreeExit};
use run_record::RunId;

/// Starts the processes of agents.
pub(crate) trait Agents: Send + Sync {
    /// Returns once the command runs.
    fn start(&self, command: TreeCommand) -> BoxFuture<'_, Result<Box<dyn AgentTree>, SpawnError>>;

    /// Ends what an earlier sitting of the run left running on this machine, as far as it can be found.
    fn end_strays(&self, run: &RunId) -> BoxFuture<'_, StraysEnd>;
}

/// The variable by which every process of a run can be known.
pub(crate) const RUN_MARKER: &str = "HARNESS_RUN_ID";

/// An agent and everything that it started. Dropping it kills all of that, but proves nothing.
pub(crate) trait AgentTree: Send {
    /// Process id of the agent.
    fn pid(&self) -> u32;

    /// Asks every process to end; after the grace period they are killed.
    fn terminate(&self);

    /// Kills every process now.
    fn kill(&self);

    /// Waits until no process is left. May be dropped and called again.
    fn wait(&mut self) -> BoxFuture<'_, TreeExit>;
}

/// Agents as real processes under a supervisor each.
#[derive(Clone, Debug)]
pub(crate) struct Supervised(pub(crate) Shim);

impl Agents for Supervised {
    fn start(&self, command: TreeCommand) -> BoxFuture<'_, Result<Box<dyn AgentTree>, SpawnError>> {
        async move {
            let tree = process_tree::spawn(&self.0, command).await?;
            Ok(Box::new(tree) as Box<dyn AgentTree>)
        }
        .boxed()
    }

    fn end_strays(&self, run: &RunId) -> BoxFuture<'_, StraysEnd> {
        let run = run.as_str().to_owned();
        let ending =
            tokio::task::spawn_blocking(move || process_tree::end_strays(RUN_MARKER, &run));
        async move { ending.await.unwrap_or_default() }.boxed()
    }
}

impl AgentTree for ProcessTree {
    fn pid(&self) -> u32 {
        Self::pid(self)
    }

    fn terminate(&self) {
        Self::terminate(self);
    }

    fn kill(&self) {
        Self::kill(self);
    }

    fn wait(&mut self) -> BoxFuture<'_, TreeExit> {
        Self::wait(self).boxed()
    }
}
