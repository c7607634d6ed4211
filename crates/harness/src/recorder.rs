//! Writes the journal: one thread that appends what trials report and syncs it in groups.
//!
//! A caller gets its answer when its events are durable, and only then are they shown to anybody else: what a
//! person has seen is on disk. Fifty trials that record at once share one sync. The recorder decides nothing.

use std::io;
use std::path::Path;
use std::sync::Arc;

use run_record::{Entry, Event, JournalError, JournalStore, Room};
use tokio::sync::{mpsc, oneshot};

/// Where trials put their events. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    jobs: mpsc::UnboundedSender<Job>,
}

/// The journal could not be written: nothing with an effect may be started any more.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the journal cannot be written")]
pub(crate) struct JournalBroken(#[source] pub(crate) Arc<JournalError>);

impl JournalBroken {
    /// The disk neither takes the events nor says why.
    pub(crate) fn silent(path: &Path) -> Self {
        Self(Arc::new(JournalError::Io {
            action: "write",
            path: path.to_owned(),
            source: io::ErrorKind::TimedOut.into(),
        }))
    }
}

/// What the recorder tells the dispatcher.
#[derive(Debug)]
pub(crate) enum Recorded {
    /// An entry is durable.
    Entry(Box<Entry>),
    /// The disk is full; what is under way can still be recorded. Said once.
    LastRoom,
    /// The journal cannot be written; said once.
    Broken(Arc<JournalError>),
}

#[derive(Debug)]
struct Job {
    events: Vec<Event>,
    done: oneshot::Sender<Result<(), JournalBroken>>,
}

/// The most jobs that share one sync, so that the first of a group never waits for an endless queue.
const GROUP: usize = 256;

impl Recorder {
    /// Starts the thread. It ends when the last clone of the recorder is gone.
    pub(crate) fn start<S, T>(store: S, told: mpsc::UnboundedSender<T>) -> Self
    where
        S: JournalStore + 'static,
        T: From<Recorded> + Send + 'static,
    {
        let (jobs, mut queue) = mpsc::unbounded_channel();
        let mut writer = Writer::new(store, told);
        std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || {
                while let Some(first) = queue.blocking_recv() {
                    writer.serve(first, &mut queue);
                }
            })
            .expect("a thread can be started before any trial runs");
        Self { jobs }
    }

    /// Writes on the main runtime itself: in a simulation there is one thread and no real disk.
    #[cfg(test)]
    pub(crate) fn simulated<S, T>(store: S, told: mpsc::UnboundedSender<T>) -> Self
    where
        S: JournalStore + 'static,
        T: From<Recorded> + Send + 'static,
    {
        let (jobs, mut queue) = mpsc::unbounded_channel();
        let mut writer = Writer::new(store, told);
        tokio::spawn(async move {
            while let Some(first) = queue.recv().await {
                writer.serve(first, &mut queue);
            }
        });
        Self { jobs }
    }

    /// Returns once `events` are durable, in this order and without others between them.
    pub(crate) async fn record(&self, events: Vec<Event>) -> Result<(), JournalBroken> {
        let (done, answer) = oneshot::channel();
        self.jobs
            .send(Job { events, done })
            .expect("the recorder lives as long as a handle to it");
        answer
            .await
            .expect("the recorder answers every job before it ends")
    }
}

/// The side that owns the journal.
struct Writer<S, T> {
    store: S,
    told: mpsc::UnboundedSender<T>,
    broken: Option<JournalBroken>,
    last_room_told: bool,
}

impl<S: JournalStore, T: From<Recorded>> Writer<S, T> {
    fn new(store: S, told: mpsc::UnboundedSender<T>) -> Self {
        Self {
            store,
            told,
            broken: None,
            last_room_told: false,
        }
    }

    /// Writes a job and those that wait behind it as one group, and answers them.
    fn serve(&mut self, first: Job, queue: &mut mpsc::UnboundedReceiver<Job>) {
        let mut group = vec![first];
        while group.len() < GROUP
            && let Ok(job) = queue.try_recv()
        {
            group.push(job);
        }
        let answer = self.write(&mut group);
        for job in group {
            // A caller that was dropped needs no answer.
            let _ = job.done.send(answer.clone());
        }
    }

    fn write(&mut self, group: &mut [Job]) -> Result<(), JournalBroken> {
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        match write(&mut self.store, group) {
            Ok(entries) => {
                for entry in entries {
                    self.tell(Recorded::Entry(Box::new(entry)));
                }
                if self.store.room() == Room::Last && !self.last_room_told {
                    self.last_room_told = true;
                    self.tell(Recorded::LastRoom);
                }
                Ok(())
            }
            Err(error) => {
                self.tell(Recorded::Broken(Arc::clone(&error.0)));
                self.broken = Some(error.clone());
                Err(error)
            }
        }
    }

    fn tell(&self, recorded: Recorded) {
        // The dispatcher may be gone after a third signal; the journal is what counts.
        let _ = self.told.send(recorded.into());
    }
}

fn write(store: &mut impl JournalStore, group: &mut [Job]) -> Result<Vec<Entry>, JournalBroken> {
    let events = group
        .iter_mut()
        .flat_map(|job| std::mem::take(&mut job.events))
        .collect();
    let entries = store
        .append(events)
        .map_err(|error| JournalBroken(Arc::new(error)))?;
    store
        .sync()
        .map_err(|error| JournalBroken(Arc::new(error)))?;
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use run_record::{RunEnd, StopReason};
    use std::sync::Mutex;

    #[derive(Default)]
    struct Disk {
        appended: usize,
        synced: usize,
        syncs: usize,
        fails: bool,
    }

    struct FakeStore(Arc<Mutex<Disk>>);

    impl JournalStore for FakeStore {
        fn append(&mut self, events: Vec<Event>) -> Result<Vec<Entry>, JournalError> {
            let mut disk = self.0.lock().unwrap();
            let entries = events
                .into_iter()
                .map(|event| {
                    disk.appended += 1;
                    Entry {
                        seq: disk.appended as u64,
                        at: jiff::Timestamp::UNIX_EPOCH,
                        event,
                    }
                })
                .collect();
            Ok(entries)
        }

        fn sync(&mut self) -> Result<(), JournalError> {
            let mut disk = self.0.lock().unwrap();
            disk.syncs += 1;
            if disk.fails {
                return Err(JournalError::Io {
                    action: "sync",
                    path: "journal.jsonl".into(),
                    source: io::Error::other("no space"),
                });
            }
            disk.synced = disk.appended;
            Ok(())
        }
    }

    fn event() -> Event {
        Event::RunFinished {
            end: Box::new(RunEnd {
                reason: StopReason::Completed,
                unconfirmed: vec![],
                swept: vec![],
                proven_empty: true,
                elapsed_ms: 0,
            }),
        }
    }

    #[tokio::test]
    async fn an_answer_means_durable_and_groups_share_a_sync() {
        let disk = Arc::new(Mutex::new(Disk::default()));
        let (told, mut heard) = mpsc::unbounded_channel::<Recorded>();
        let recorder = Recorder::start(FakeStore(Arc::clone(&disk)), told);
        let all = (0..100).map(|_| {
            let recorder = recorder.clone();
            let disk = Arc::clone(&disk);
            async move {
                recorder.record(vec![event()]).await.unwrap();
                assert!(disk.lock().unwrap().synced > 0);
            }
        });
        futures::future::join_all(all).await;
        let disk = disk.lock().unwrap();
        assert_eq!((disk.appended, disk.synced), (100, 100));
        assert!(disk.syncs <= 100);
        let mut last = 0;
        while let Ok(Recorded::Entry(entry)) = heard.try_recv() {
            assert_eq!(entry.seq, last + 1);
            last = entry.seq;
        }
        assert_eq!(last, 100);
    }

    #[tokio::test]
    async fn k9_a_failed_sync_is_final_and_said_once() {
        let disk = Arc::new(Mutex::new(Disk {
            fails: true,
            ..Disk::default()
        }));
        let (told, mut heard) = mpsc::unbounded_channel::<Recorded>();
        let recorder = Recorder::start(FakeStore(Arc::clone(&disk)), told);
        assert!(recorder.record(vec![event()]).await.is_err());
        disk.lock().unwrap().fails = false;
        assert!(recorder.record(vec![event()]).await.is_err());
        assert_eq!(
            disk.lock().unwrap().syncs,
            1,
            "a failed sync is not tried again"
        );
        assert!(matches!(heard.try_recv(), Ok(Recorded::Broken(_))));
        assert!(heard.try_recv().is_err());
    }
}
