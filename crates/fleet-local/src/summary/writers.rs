//! Those who write summaries, behind the backs of who asked for them: a few at a time, and none longer than the server.

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Summaries that are written at a time; others wait.
const AT_A_TIME: usize = 2;

#[derive(Debug)]
pub(crate) struct Writers {
    tasks: TaskTracker,
    stop: CancellationToken,
    turns: Semaphore,
}

impl Writers {
    pub(crate) fn new() -> Self {
        Self {
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            turns: Semaphore::new(AT_A_TIME),
        }
    }

    /// Work that outlives who asked for it. It must end soon after [`Writers::stopped`].
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.tasks.spawn(work)
    }

    /// Waits for its turn.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.turns.acquire().await.ok()
    }

    /// When everything is to end.
    pub(crate) async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// Tells all of them to end.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
    }

    /// Waits until they have, and have said why.
    pub(crate) async fn ended(&self) {
        self.tasks.wait().await;
    }
}
