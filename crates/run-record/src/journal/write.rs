//! Writes a journal: appends, syncs in groups, and holds the run's lock.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use super::holder::holder;
use super::line::encode;
use super::read::Replay;
use super::reserve::Reserve;
use crate::{Entry, Event};

/// Where events go. A run on one machine has a file; a cluster may have something else.
pub trait JournalStore: Send {
    /// Appends events in order and returns them as entries. Nothing is promised to be durable yet.
    fn append(&mut self, events: Vec<Event>) -> Result<Vec<Entry>, JournalError>;

    /// Returns once everything appended before is durable.
    fn sync(&mut self) -> Result<(), JournalError>;

    /// How much more can be written.
    fn room(&self) -> Room {
        Room::Enough
    }
}

/// How much more can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// As far as is known.
    Enough,
    /// The disk is full and the space put aside is being used: what runs can be ended in order, nothing new begun.
    Last,
}

/// A journal file opened for appending. Holding it holds the run's lock.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    next_seq: u64,
    /// Length of what was written whole.
    good_len: u64,
    reserve: Option<Reserve>,
    room: Room,
}

/// A run that nobody works on, and nobody begins to work on while this lives.
#[derive(Debug)]
pub struct JournalHold(#[expect(dead_code, reason = "held for its lock")] File);

/// What went wrong with a journal that is written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file could not be made, opened, written or synced.
    #[error("could not {action} the journal `{}`", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is not what was read: another process wrote to it in between.
    #[error("the journal `{}` changed while it was read", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// Another process has it.
    #[error("another harness{} is working on this run (`{}` is locked)", named(*holder), path.display())]
    Locked {
        /// The file.
        path: PathBuf,
        /// The other process, if the system tells.
        holder: Option<u32>,
    },
}

fn named(holder: Option<u32>) -> String {
    holder.map_or_else(String::new, |pid| format!(" (process {pid})"))
}

impl Journal {
    /// Makes a journal that must not exist yet, and syncs its folder so that the name survives a crash.
    pub fn create(path: &Path) -> Result<Self, JournalError> {
        let failed = |action| io_error(action, path);
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(path)
            .map_err(failed("create"))?;
        lock(&file, path)?;
        sync_folder(path).map_err(failed("sync the folder of"))?;
        Ok(Self::over(file, path, 1, 0))
    }

    /// Opens a journal that was replayed, cutting a torn tail, to go on after its last entry. All that was read is
    /// durable then.
    pub fn resume(path: &Path, replay: &Replay) -> Result<Self, JournalError> {
        let failed = |action| io_error(action, path);
        let file = OpenOptions::new()
            .append(true)
            .open(path)
            .map_err(failed("open"))?;
        lock(&file, path)?;
        let length = file.metadata().map_err(failed("look at"))?.len();
        if length != replay.good_len + replay.torn {
            return Err(JournalError::Changed {
                path: path.to_owned(),
            });
        }
        if replay.torn > 0 {
            file.set_len(replay.good_len).map_err(failed("cut"))?;
        }
        // Whoever wrote the last lines may have died before they were synced, and what was read of them is told now.
        file.sync_all().map_err(failed("sync"))?;
        Ok(Self::over(file, path, replay.last_seq + 1, replay.good_len))
    }

    /// Keeps every harness from working on the journal at `path` for as long as the answer lives.
    pub fn hold(path: &Path) -> Result<JournalHold, JournalError> {
        let file = File::open(path).map_err(io_error("open", path))?;
        lock(&file, path)?;
        Ok(JournalHold(file))
    }

    /// Whether a living process works on the journal at `path`.
    pub fn is_locked(path: &Path) -> bool {
        matches!(Self::hold(path), Err(JournalError::Locked { .. }))
    }

    fn over(file: File, path: &Path, next_seq: u64, good_len: u64) -> Self {
        Self {
            file,
            path: path.to_owned(),
            next_seq,
            good_len,
            reserve: Reserve::make(path),
            room: Room::Enough,
        }
    }

    /// Writes all bytes or none: a full disk may take a part of them, and a line that follows half a line would
    /// make a damaged journal of a full one.
    fn write_whole(&mut self, bytes: &[u8]) -> io::Result<()> {
        let written = self.file.write_all(bytes);
        match written {
            Ok(()) => self.good_len += bytes.len() as u64,
            Err(_) => self.file.set_len(self.good_len)?,
        }
        written
    }

    /// As [`Journal::write_whole`], giving up the reserve if the disk is full.
    fn write_with_reserve(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.write_whole(bytes) {
            Err(error) if error.kind() == io::ErrorKind::StorageFull && self.reserve.is_some() => {
                self.reserve = None;
                self.room = Room::Last;
                self.write_whole(bytes)
            }
            result => result,
        }
    }
}

impl JournalStore for Journal {
    fn append(&mut self, events: Vec<Event>) -> Result<Vec<Entry>, JournalError> {
        let at = Timestamp::now();
        let mut bytes = Vec::new();
        let mut entries = Vec::with_capacity(events.len());
        for event in events {
            let entry = Entry {
                seq: self.next_seq,
                at,
                event,
            };
            self.next_seq += 1;
            encode(&entry, &mut bytes);
            entries.push(entry);
        }
        self.write_with_reserve(&bytes)
            .map_err(io_error("write", &self.path))?;
        Ok(entries)
    }

    fn sync(&mut self) -> Result<(), JournalError> {
        // A failed sync is not tried again: the kernel may have dropped the pages, so a second success would lie.
        self.file.sync_data().map_err(io_error("sync", &self.path))
    }

    fn room(&self) -> Room {
        self.room
    }
}

/// Makes the name of a file in its folder durable.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

/// Who only looks whether a run is worked on holds the lock for a moment, so one refusal is no answer.
const LOCK_TRIES: u32 = 5;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

pub(super) fn lock(file: &File, path: &Path) -> Result<(), JournalError> {
    let mut tries = 1;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(std::fs::TryLockError::WouldBlock) if tries < LOCK_TRIES => {
                tries += 1;
                std::thread::sleep(LOCK_PAUSE);
            }
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(JournalError::Locked {
                    path: path.to_owned(),
                    holder: holder(file),
                });
            }
            Err(std::fs::TryLockError::Error(source)) => {
                return Err(io_error("lock", path)(source));
            }
        }
    }
}

pub(super) fn io_error(action: &'static str, path: &Path) -> impl Fn(io::Error) -> JournalError {
    let path = path.to_owned();
    move |source| JournalError::Io {
        action,
        path: path.clone(),
        source,
    }
}
