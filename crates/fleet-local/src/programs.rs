//! Programs that run for a request: judges, verifiers, what verifiers in Python need, readers of documents. Whoever started one may be dropped at any moment (a
//! client hangs up, the time is up, the server ends); the program is then killed, and the server can wait until it is gone.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use process_tree::{ProcessTree, Shim, SpawnError, TreeCommand, TreeExit};
use tokio_util::task::TaskTracker;

/// All that were started through it. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    shim: Shim,
    /// Starts, and the ends of what nobody waits for any more.
    tasks: TaskTracker,
    leftovers: Arc<Mutex<Vec<String>>>,
}

impl Programs {
    pub(crate) fn new(shim: Shim) -> Self {
        Self {
            shim,
            tasks: TaskTracker::new(),
            leftovers: Arc::default(),
        }
    }

    /// Starts a program. `what` it is called, should processes of it survive.
    pub(crate) async fn start(
        &self,
        what: &'static str,
        command: TreeCommand,
    ) -> Result<Program, SpawnError> {
        let programs = self.clone();
        // A task of its own: a start that nobody waits for any more ends in a program that is dropped, and not in one unknown.
        let starting = self.tasks.spawn(async move {
            let tree = process_tree::spawn(&programs.shim, command).await?;
            Ok(Program {
                what,
                tree: Some(tree),
                programs,
            })
        });
        starting
            .await
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    /// Returns when none is left; what could not be ended, a line each. Nobody may start one any more.
    pub(crate) async fn ended(&self) -> Vec<String> {
        self.tasks.close();
        self.tasks.wait().await;
        std::mem::take(&mut self.leftovers())
    }

    fn leftovers(&self) -> MutexGuard<'_, Vec<String>> {
        self.leftovers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// What of a program could not be ended, a line each.
pub(crate) fn survivors(what: &str, exit: &TreeExit) -> Vec<String> {
    if exit.survivors.is_empty() && !exit.proven_dead {
        return vec![format!("{what}: its processes may still run")];
    }
    let survivors = exit.survivors.iter();
    survivors
        .map(|survivor| {
            let (pid, comm, state) = (survivor.pid, &survivor.comm, survivor.state);
            format!("{what}: process {pid} ({comm}) in state {state}")
        })
        .collect()
}

/// A program, with all that it started. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Program {
    what: &'static str,
    /// There until it is dropped.
    tree: Option<ProcessTree>,
    programs: Programs,
}

impl Deref for Program {
    type Target = ProcessTree;

    fn deref(&self) -> &ProcessTree {
        self.tree.as_ref().expect("it is there until the drop")
    }
}

impl DerefMut for Program {
    fn deref_mut(&mut self) -> &mut ProcessTree {
        self.tree.as_mut().expect("it is there until the drop")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let Some(mut tree) = self.tree.take() else {
            return;
        };
        tree.kill();
        let (what, programs) = (self.what, self.programs.clone());
        let end = async move {
            let exit = tree.wait().await;
            programs.leftovers().extend(survivors(what, &exit));
        };
        // Without a runtime nobody can wait: the tree's supervisor ends it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            self.programs.tasks.spawn_on(end, &runtime);
        }
    }
}
