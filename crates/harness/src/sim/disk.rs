//! A disk that forgets what was not synced, keeps a part of it by chance, fills up and fails.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use run_record::{Entry, Event, JournalError, JournalStore, RunRecord};

use super::dice::Dice;

/// The journal of a run, whoever writes it.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    content: Arc<Mutex<Content>>,
    dice: Dice,
}

#[derive(Debug, Default)]
struct Content {
    entries: Vec<Entry>,
    durable: usize,
    sitting: u32,
    syncs: u64,
}

/// A sitting's way to the disk. It leads nowhere once the sitting is dead.
#[derive(Debug)]
pub(super) struct Store {
    disk: Disk,
    sitting: u32,
    /// Percent of syncs that fail.
    fails: u64,
}

impl Disk {
    pub(super) fn new(dice: Dice) -> Self {
        Self {
            content: Arc::default(),
            dice,
        }
    }

    /// For a new sitting, of which `fails` percent of the syncs fail. What is read at its beginning is synced, as a
    /// journal that is resumed is.
    pub(super) fn open(&self, fails: u64) -> Store {
        let mut content = self.content.lock().unwrap();
        content.sitting += 1;
        content.durable = content.entries.len();
        Store {
            disk: self.clone(),
            sitting: content.sitting,
            fails,
        }
    }

    /// The power goes: what was synced stays, and of the rest the beginning, by chance.
    pub(super) fn crash(&self) {
        let mut content = self.content.lock().unwrap();
        content.sitting += 1;
        let loose = content.entries.len() - content.durable;
        let kept = usize::try_from(self.dice.below(loose as u64 + 1)).expect("a length");
        let length = content.durable + kept;
        content.entries.truncate(length);
        content.durable = length;
    }

    /// What a reader finds. None before the plan was durable.
    pub(super) fn record(&self) -> Option<RunRecord> {
        let content = self.content.lock().unwrap();
        RunRecord::fold(&content.entries).expect("what the runner wrote is legal")
    }

    pub(super) fn syncs(&self) -> u64 {
        self.content.lock().unwrap().syncs
    }
}

impl Store {
    fn error(action: &'static str, kind: std::io::ErrorKind) -> JournalError {
        JournalError::Io {
            action,
            path: "journal.jsonl".into(),
            source: kind.into(),
        }
    }
}

impl JournalStore for Store {
    fn append(&mut self, events: Vec<Event>) -> Result<Vec<Entry>, JournalError> {
        let mut content = self.disk.content.lock().unwrap();
        if content.sitting != self.sitting {
            return Err(Self::error("write", std::io::ErrorKind::BrokenPipe));
        }
        let mut written = Vec::new();
        for event in events {
            let entry = Entry {
                seq: content.entries.len() as u64 + 1,
                at: Timestamp::UNIX_EPOCH,
                event,
            };
            content.entries.push(entry.clone());
            written.push(entry);
        }
        Ok(written)
    }

    fn sync(&mut self) -> Result<(), JournalError> {
        let mut content = self.disk.content.lock().unwrap();
        if content.sitting != self.sitting {
            return Err(Self::error("sync", std::io::ErrorKind::BrokenPipe));
        }
        if self.disk.dice.chance(self.fails) {
            return Err(Self::error("sync", std::io::ErrorKind::StorageFull));
        }
        content.durable = content.entries.len();
        content.syncs += 1;
        Ok(())
    }
}
