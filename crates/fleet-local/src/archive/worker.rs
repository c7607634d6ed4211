//! A thread with a connection of its own, and a bounded queue in front of it.
//!
//! What waits in the queue is done in one transaction, each piece of work in a savepoint: a failing one takes nothing of
//! the others with it. Nobody is answered before the commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::error::{ArchiveError, Fault};

/// Pieces of work that may wait; whoever comes then waits for a place.
const QUEUE: usize = 1024;

/// Does one piece of work; what comes back answers its caller after the commit.
type Job = Box<dyn FnOnce(&Connection) -> Done + Send>;
type Done = Box<dyn FnOnce(Result<(), String>) + Send>;

/// What the thread does with its connection.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Commits whatever waits, at most so many pieces together.
    Writes {
        /// How many.
        together: usize,
    },
    /// One look at a time, each at one state of the database.
    Reads,
}

/// The queue's entry. The thread ends when every clone is gone and the queue is empty.
#[derive(Debug, Clone)]
pub(super) struct Worker(mpsc::Sender<Job>);

impl Worker {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(super) fn start(connection: Connection, kind: Kind) -> std::io::Result<Self> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        thread::Builder::new()
            .name("fleet-archive".to_owned())
            .spawn(move || serve(&connection, receiver, kind))?;
        Ok(Self(sender))
    }

    /// Does the work and answers when it is committed. Dropping the future does not take back what is queued.
    pub(super) async fn ask<T, E>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: Fault,
    {
        let (reply, answer) = oneshot::channel();
        self.0
            .send(job(work, move |result| {
                // The caller may have gone.
                let _ = reply.send(result);
            }))
            .await
            .map_err(|_| ArchiveError::Closed)?;
        // Not made unless it is needed: making an error of the API logs it.
        answer
            .await
            .unwrap_or_else(|_| Err(ArchiveError::Closed.into()))
    }

    /// Queues the work and waits for no more than a place in the queue. What goes wrong is logged.
    pub(super) async fn tell(
        &self,
        work: impl FnOnce(&Connection) -> Result<(), ArchiveError> + Send + 'static,
    ) {
        let queued = self
            .0
            .send(job(work, |result: Result<(), ArchiveError>| {
                if let Err(error) = result {
                    tracing::error!("not archived: {}", crate::error_chain(&error));
                }
            }))
            .await;
        if queued.is_err() {
            tracing::error!("not archived: {}", ArchiveError::Closed);
        }
    }
}

fn job<T, E>(
    work: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    answer: impl FnOnce(Result<T, E>) + Send + 'static,
) -> Job
where
    T: Send + 'static,
    E: Fault,
{
    Box::new(move |connection| {
        let result = within_savepoint(connection, work);
        Box::new(move |committed| {
            answer(match committed {
                Ok(()) => result,
                Err(reason) => result.and(Err(ArchiveError::Commit(reason).into())),
            });
        })
    })
}

fn within_savepoint<T, E: Fault>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, E>,
) -> Result<T, E> {
    let run = |statements| {
        connection
            .execute_batch(statements)
            .map_err(ArchiveError::from)
    };
    run("SAVEPOINT work")?;
    let result = work(connection);
    run(match &result {
        Ok(_) => "RELEASE work",
        Err(_) => UNDO,
    })?;
    result
}

const UNDO: &str = "ROLLBACK TO work; RELEASE work";

fn serve(connection: &Connection, mut queue: mpsc::Receiver<Job>, kind: Kind) {
    let together = match kind {
        Kind::Writes { together } => together,
        Kind::Reads => 1,
    };
    let mut waiting = Vec::new();
    while queue.blocking_recv_many(&mut waiting, together) > 0 {
        let begin = match kind {
            Kind::Writes { .. } => "BEGIN IMMEDIATE",
            Kind::Reads => "BEGIN DEFERRED",
        };
        if let Err(error) = connection.execute_batch(begin) {
            refuse(&mut waiting, &error);
            continue;
        }
        let done: Vec<Done> = waiting
            .drain(..)
            .filter_map(|job| guarded(connection, job))
            .collect();
        let committed = connection.execute_batch("COMMIT").map_err(|error| {
            // Of a full disk, for example. Nothing of it may stay open for the next round.
            let _ = connection.execute_batch("ROLLBACK");
            error.to_string()
        });
        for answer in done {
            answer(committed.clone());
        }
    }
}

/// A bug in one piece of work must not end the archive: its caller finds its answer gone.
fn guarded(connection: &Connection, job: Job) -> Option<Done> {
    let done = catch_unwind(AssertUnwindSafe(|| job(connection)));
    if done.is_err() {
        tracing::error!("a bug in the archive: a piece of work panicked");
        let _ = connection.execute_batch(UNDO);
    }
    done.ok()
}

/// Drops what waits, whose callers then see the archive as closed.
fn refuse(waiting: &mut Vec<Job>, error: &rusqlite::Error) {
    tracing::error!("the archive could not begin: {error}");
    waiting.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker() -> Worker {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE t (x INTEGER UNIQUE)")
            .unwrap();
        Worker::start(connection, Kind::Writes { together: 64 }).unwrap()
    }

    async fn insert(worker: &Worker, value: i64) -> Result<usize, ArchiveError> {
        worker
            .ask(move |connection| Ok(connection.execute("INSERT INTO t VALUES (?1)", [value])?))
            .await
    }

    async fn count(worker: &Worker) -> i64 {
        let counted: Result<i64, ArchiveError> = worker
            .ask(|connection| {
                Ok(connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0))?)
            })
            .await;
        counted.unwrap()
    }

    #[tokio::test]
    async fn a_failing_piece_takes_nothing_of_the_others_with_it() {
        let worker = worker();
        let all = futures::future::join_all([1, 2, 2, 3].map(|value| insert(&worker, value))).await;
        let failed: Vec<bool> = all.iter().map(Result::is_err).collect();
        assert_eq!(failed, [false, false, true, false]);
        assert_eq!(count(&worker).await, 3);
    }

    #[tokio::test]
    async fn a_panic_undoes_its_own_piece_and_the_archive_goes_on() {
        let worker = worker();
        let broken: Result<(), ArchiveError> = worker
            .ask(|connection| {
                connection.execute("INSERT INTO t VALUES (7)", [])?;
                panic!("a bug");
            })
            .await;
        assert!(matches!(broken, Err(ArchiveError::Closed)), "{broken:?}");
        insert(&worker, 1).await.unwrap();
        assert_eq!(count(&worker).await, 1);
    }
}
