//! The journal file: one checksummed JSON line per event, appended and synced in groups.
//!
//! A line is `{"v":1,"seq":…,"at":…,"event":…,…,"crc":"xxxxxxxx"}`; the checksum (CRC-32, hex) covers every
//! byte before `,"crc"`. A last line that is cut short is dropped with a note; a bad line anywhere else is an
//! error, because what follows it cannot be trusted.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Entry, Event};

/// Version of the line format. A reader refuses a newer one.
pub const FORMAT_VERSION: u32 = 1;

/// The longest line a reader accepts; final answers and errors are bounded far below it before they get here.
const MAX_LINE: usize = 16 * 1024 * 1024;

/// `,"crc":"xxxxxxxx"}`
const TRAILER: usize = 18;

/// Where events go. A run on one machine has a file; a cluster may have something else.
pub trait JournalStore: Send {
    /// Appends events in order and returns them as entries. Nothing is promised to be durable yet.
    fn append(&mut self, events: Vec<Event>) -> Result<Vec<Entry>, JournalError>;

    /// Returns once everything appended before is durable.
    fn sync(&mut self) -> Result<(), JournalError>;
}

/// A journal file opened for appending. Holding it holds the run's lock.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    next_seq: u64,
}

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
    #[error("another harness is working on this run (`{}` is locked)", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
}

/// A journal read to its end.
#[derive(Debug)]
pub struct Replay {
    /// The events in order.
    pub entries: Vec<Entry>,
    /// Length of the good part, bytes.
    pub good_len: u64,
    /// Bytes of a torn last line that were left out; 0 if there was none.
    pub torn: u64,
}

/// Why a journal cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The file could not be read.
    #[error("could not read the journal `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A line in the middle is not what was written.
    #[error("line {line} of the journal `{}` is damaged: {reason}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A newer harness wrote it.
    #[error("the journal `{}` has format {found}, this harness reads up to {FORMAT_VERSION}", path.display())]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
}

#[derive(Serialize, Deserialize)]
struct Line<T> {
    v: u32,
    #[serde(flatten)]
    entry: T,
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
        if let Some(folder) = path.parent() {
            File::open(folder)
                .and_then(|folder| folder.sync_all())
                .map_err(failed("sync the folder of"))?;
        }
        Ok(Self {
            file,
            path: path.to_owned(),
            next_seq: 1,
        })
    }

    /// Opens a journal that was replayed, cutting a torn tail, to go on after its last entry.
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
            file.sync_all().map_err(failed("sync"))?;
        }
        Ok(Self {
            file,
            path: path.to_owned(),
            next_seq: replay.entries.last().map_or(1, |last| last.seq + 1),
        })
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
        self.file
            .write_all(&bytes)
            .map_err(io_error("write", &self.path))?;
        Ok(entries)
    }

    fn sync(&mut self) -> Result<(), JournalError> {
        // A failed sync is not tried again: the kernel may have dropped the pages, so a second success would lie.
        self.file.sync_data().map_err(io_error("sync", &self.path))
    }
}

fn lock(file: &File, path: &Path) -> Result<(), JournalError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(std::fs::TryLockError::WouldBlock) => Err(JournalError::Locked {
            path: path.to_owned(),
        }),
        Err(std::fs::TryLockError::Error(source)) => Err(io_error("lock", path)(source)),
    }
}

fn io_error(action: &'static str, path: &Path) -> impl Fn(io::Error) -> JournalError {
    let path = path.to_owned();
    move |source| JournalError::Io {
        action,
        path: path.clone(),
        source,
    }
}

fn encode(entry: &Entry, out: &mut Vec<u8>) {
    let line = Line {
        v: FORMAT_VERSION,
        entry,
    };
    let text = serde_json::to_vec(&line).expect("events have text keys and finite numbers only");
    let body = &text[..text.len() - 1];
    let crc = crc32fast::hash(body);
    out.extend_from_slice(body);
    out.extend_from_slice(format!(",\"crc\":\"{crc:08x}\"}}\n").as_bytes());
}

fn decode(line: &[u8]) -> Result<Line<Entry>, String> {
    let body_len = line.len().checked_sub(TRAILER).ok_or("too short")?;
    let (body, trailer) = line.split_at(body_len);
    let crc = format!(",\"crc\":\"{:08x}\"}}", crc32fast::hash(body));
    if trailer != crc.as_bytes() {
        return Err("its checksum does not match".to_owned());
    }
    serde_json::from_slice(line).map_err(|error| error.to_string())
}

/// Reads a journal line by line. Memory is bounded by the events themselves and one line.
pub fn read_journal(path: &Path) -> Result<Replay, ReplayError> {
    let failed = |source| ReplayError::Io {
        path: path.to_owned(),
        source,
    };
    let mut reader = BufReader::new(File::open(path).map_err(failed)?);
    let mut replay = Replay {
        entries: Vec::new(),
        good_len: 0,
        torn: 0,
    };
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = read_line(&mut reader, &mut line).map_err(failed)?;
        if read == 0 {
            return Ok(replay);
        }
        let number = replay.entries.len() as u64 + 1;
        let complete = line.pop_if(|last| *last == b'\n').is_some();
        match decode(&line) {
            Ok(decoded) if complete => {
                if decoded.v > FORMAT_VERSION {
                    return Err(ReplayError::TooNew {
                        path: path.to_owned(),
                        found: decoded.v,
                    });
                }
                check_sequence(&replay, &decoded.entry, path)?;
                replay.entries.push(decoded.entry);
                replay.good_len += read as u64;
            }
            // Only a line without its newline can be the mark of a crash. A whole line that does not check was
            // damaged later, and may have been a score: that is for a person to decide.
            _ if !complete && reader.fill_buf().map_err(failed)?.is_empty() => {
                replay.torn = read as u64;
                return Ok(replay);
            }
            bad => {
                let reason = bad.err().unwrap_or_else(|| "it is too long".to_owned());
                return Err(corrupt(path, number, reason));
            }
        }
    }
}

fn check_sequence(replay: &Replay, entry: &Entry, path: &Path) -> Result<(), ReplayError> {
    let expected = replay.entries.last().map_or(1, |last| last.seq + 1);
    if entry.seq == expected {
        return Ok(());
    }
    let reason = format!("it has number {} where {expected} is due", entry.seq);
    Err(corrupt(path, expected, reason))
}

fn corrupt(path: &Path, line: u64, reason: String) -> ReplayError {
    ReplayError::Corrupt {
        path: path.to_owned(),
        line,
        reason,
    }
}

/// Reads up to and including a newline, at most [`MAX_LINE`] bytes.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<usize> {
    io::Read::take(reader, MAX_LINE as u64).read_until(b'\n', line)
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
