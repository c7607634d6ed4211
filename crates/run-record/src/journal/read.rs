//! Replays a journal, one line at a time: memory holds the record and one line, never the file.
//!
//! A last line that is cut short is dropped with a note; a bad line anywhere else is an error, because what follows
//! it cannot be trusted.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::line::{Damage, FORMAT_VERSION, MAX_LINE, decode};
use crate::{Entry, FoldError, RunRecord};

/// A journal replayed to its end.
#[derive(Debug)]
pub struct Replay {
    /// The run as its events tell it; absent when the journal is empty.
    pub record: Option<RunRecord>,
    /// Number of the last event; 0 when there is none.
    pub last_seq: u64,
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
    /// A line that was written as it stands, but cannot follow those before it.
    #[error("line {line} of the journal `{}` does not follow from the lines before it", path.display())]
    Order {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// What is wrong.
        #[source]
        source: FoldError,
    },
}

/// Folds a whole journal.
pub fn replay(path: &Path) -> Result<Replay, ReplayError> {
    let mut reader = JournalReader::open(path)?;
    let mut record: Option<RunRecord> = None;
    while let Some(entry) = reader.next_entry()? {
        let folded = match &mut record {
            None => RunRecord::start(&entry).map(|started| record = Some(started)),
            Some(record) => record.apply(&entry),
        };
        folded.map_err(|source| ReplayError::Order {
            path: path.to_owned(),
            line: entry.seq,
            source,
        })?;
    }
    Ok(Replay {
        record,
        last_seq: reader.last_seq,
        good_len: reader.good_len,
        torn: reader.torn,
    })
}

/// Reads a journal entry by entry.
#[derive(Debug)]
pub struct JournalReader {
    reader: BufReader<File>,
    path: PathBuf,
    line: Vec<u8>,
    last_seq: u64,
    good_len: u64,
    torn: u64,
}

/// A line as it came off the disk.
pub(super) enum RawLine {
    /// The file has ended.
    End,
    /// It ended without a newline, after so many bytes.
    Torn(u64),
    /// A whole line, and whether it checks.
    Whole(Result<Box<Entry>, Damage>),
}

impl JournalReader {
    /// Opens a journal at its beginning.
    pub fn open(path: &Path) -> Result<Self, ReplayError> {
        let file = File::open(path).map_err(|source| ReplayError::Io {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            reader: BufReader::new(file),
            path: path.to_owned(),
            line: Vec::new(),
            last_seq: 0,
            good_len: 0,
            torn: 0,
        })
    }

    /// Bytes of what was read and good, and of a torn last line.
    pub fn lengths(&self) -> (u64, u64) {
        (self.good_len, self.torn)
    }

    /// The next entry; `None` at the end, whether or not a torn line stands there.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, ReplayError> {
        let before = self.good_len;
        match self.next_line()? {
            RawLine::End => Ok(None),
            // Only a line without its newline can be the mark of a crash. A whole line that does not check was
            // damaged later, and may have been a score: that is for a person to decide.
            RawLine::Torn(bytes) => {
                self.torn = bytes;
                Ok(None)
            }
            RawLine::Whole(Ok(entry)) if entry.seq == self.last_seq + 1 => {
                self.last_seq = entry.seq;
                Ok(Some(*entry))
            }
            bad @ RawLine::Whole(_) => {
                self.good_len = before;
                Err(self.damaged(bad))
            }
        }
    }

    fn damaged(&self, line: RawLine) -> ReplayError {
        let path = self.path.clone();
        let due = self.last_seq + 1;
        let reason = match line {
            RawLine::Whole(Err(Damage::TooNew(found))) => {
                return ReplayError::TooNew { path, found };
            }
            RawLine::Whole(Err(Damage::Unreadable(reason))) => reason,
            RawLine::Whole(Ok(entry)) => {
                format!("it has number {} where {due} is due", entry.seq)
            }
            RawLine::End | RawLine::Torn(_) => "it has ended".to_owned(),
        };
        let line = due;
        ReplayError::Corrupt { path, line, reason }
    }

    /// The next line, whatever it is worth. Counts it into the good part.
    pub(super) fn next_line(&mut self) -> Result<RawLine, ReplayError> {
        let path = &self.path;
        let failed = |source| ReplayError::Io {
            path: path.clone(),
            source,
        };
        self.line.clear();
        let read = read_line(&mut self.reader, &mut self.line).map_err(failed)?;
        if read == 0 {
            return Ok(RawLine::End);
        }
        if self.line.pop_if(|last| *last == b'\n').is_none() {
            if self.reader.fill_buf().map_err(failed)?.is_empty() {
                return Ok(RawLine::Torn(read as u64));
            }
            skip_line(&mut self.reader).map_err(failed)?;
            let too_long = Damage::Unreadable("it is too long".to_owned());
            return Ok(RawLine::Whole(Err(too_long)));
        }
        self.good_len += read as u64;
        Ok(RawLine::Whole(decode(&self.line)))
    }
}

/// Reads up to and including a newline, at most [`MAX_LINE`] bytes.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<usize> {
    io::Read::take(reader, MAX_LINE as u64).read_until(b'\n', line)
}

/// Passes over the rest of a line, keeping nothing of it.
fn skip_line(reader: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = reader.fill_buf()?;
        let newline = buffer.iter().position(|&byte| byte == b'\n');
        let passed = newline.map_or(buffer.len(), |at| at + 1);
        reader.consume(passed);
        if newline.is_some() || passed == 0 {
            return Ok(());
        }
    }
}
