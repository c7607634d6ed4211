//! Makes a damaged journal usable again, keeping what can still be proven.
//!
//! Lines that do not check are left out, and so is every later event that does not follow without them: a trial whose
//! lease or score was in a damaged line is open again, never guessed. The damaged file stays beside the new one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use super::line::{Damage, encode};
use super::read::{JournalReader, RawLine, ReplayError};
use super::write::{JournalError, io_error, lock, sync_folder};
use crate::{Entry, Event, RunRecord, TrialId};

/// What was saved and what was lost.
#[derive(Debug)]
pub struct Salvaged {
    /// Lines that are damaged, from 1, at most twenty of them.
    pub damaged: Vec<u64>,
    /// How many lines are damaged.
    pub damaged_count: u64,
    /// Good lines that were left out because they do not follow without the damaged ones.
    pub dropped: u64,
    /// Trials that lost something, at most twenty: each may have had a score.
    pub affected: Vec<TrialId>,
    /// Where the damaged journal was put.
    pub kept: PathBuf,
}

/// The most lines and trials that are named one by one.
const NAMED: usize = 20;

/// Why a journal could not be salvaged. It is as it was.
#[derive(Debug, thiserror::Error)]
pub enum SalvageError {
    /// Reading it failed for another reason than damage.
    #[error(transparent)]
    Read(ReplayError),
    /// It could not be locked or written.
    #[error(transparent)]
    Write(JournalError),
    /// The damage is in the lines that say what the run is.
    #[error(
        "line {line} of the journal `{}` is damaged, which belongs to the run's plan: what the run was cannot be told any more",
        path.display()
    )]
    Plan {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: u64,
    },
}

/// Rewrites the journal at `path` without what is damaged.
pub fn salvage(path: &Path) -> Result<Salvaged, SalvageError> {
    // Held to the end, so that no harness works on the run meanwhile.
    let locked = File::open(path).map_err(io_error("open", path));
    let locked = locked.map_err(SalvageError::Write)?;
    lock(&locked, path).map_err(SalvageError::Write)?;
    let fresh = path.with_extension("salvaged");
    let result = rewrite(path, &fresh).and_then(|mut salvaged| {
        salvaged.kept = swap(path, &fresh).map_err(write_error("replace", path))?;
        Ok(salvaged)
    });
    if result.is_err() {
        // Nothing depends on it, and the next try makes it anew.
        let _ = fs::remove_file(&fresh);
    }
    result
}

fn write_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SalvageError {
    let failed = io_error(action, path);
    move |source| SalvageError::Write(failed(source))
}

/// Copies what can be proven, numbered anew.
fn rewrite(path: &Path, fresh: &Path) -> Result<Salvaged, SalvageError> {
    let mut reader = JournalReader::open(path).map_err(SalvageError::Read)?;
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(fresh)
        .map_err(write_error("write", fresh))?;
    let mut out = BufWriter::new(file);
    let mut kept = Kept::new(path);
    let mut bytes = Vec::new();
    while let Some(line) = whole_line(&mut reader, path)? {
        if let Some(entry) = kept.take(line.ok()) {
            bytes.clear();
            encode(&entry, &mut bytes);
            out.write_all(&bytes).map_err(write_error("write", fresh))?;
        }
    }
    let file = out.into_inner().map_err(io::IntoInnerError::into_error);
    file.and_then(|file| file.sync_all())
        .map_err(write_error("sync", fresh))?;
    kept.finish()
}

/// A line that cannot be read.
struct Damaged;

/// The next whole line; a torn tail is the mark of a crash and simply ends the file.
fn whole_line(
    reader: &mut JournalReader,
    path: &Path,
) -> Result<Option<Result<Box<Entry>, Damaged>>, SalvageError> {
    Ok(match reader.next_line().map_err(SalvageError::Read)? {
        RawLine::End | RawLine::Torn(_) => None,
        RawLine::Whole(Ok(entry)) => Some(Ok(entry)),
        RawLine::Whole(Err(Damage::Unreadable(_))) => Some(Err(Damaged)),
        RawLine::Whole(Err(Damage::TooNew(found))) => {
            let path = path.to_owned();
            return Err(SalvageError::Read(ReplayError::TooNew { path, found }));
        }
    })
}

/// What was kept so far.
struct Kept {
    path: PathBuf,
    line: u64,
    next_seq: u64,
    record: Option<RunRecord>,
    /// The first line that was damaged before anything ran: it may have been part of the plan.
    damaged_early: Option<u64>,
    salvaged: Salvaged,
}

impl Kept {
    fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            line: 0,
            next_seq: 1,
            record: None,
            damaged_early: None,
            salvaged: Salvaged {
                damaged: Vec::new(),
                damaged_count: 0,
                dropped: 0,
                affected: Vec::new(),
                kept: PathBuf::new(),
            },
        }
    }

    /// The entry as it goes into the new journal, if it can be kept.
    fn take(&mut self, line: Option<Box<Entry>>) -> Option<Entry> {
        self.line += 1;
        let Some(entry) = line else {
            self.note_damage();
            return None;
        };
        let mut entry = Entry {
            seq: self.next_seq,
            ..*entry
        };
        self.doubt(&mut entry.event);
        let follows = match &mut self.record {
            None => RunRecord::start(&entry)
                .map(|record| self.record = Some(record))
                .is_ok(),
            Some(record) => record.apply(&entry).is_ok(),
        };
        if follows {
            self.next_seq += 1;
            return Some(entry);
        }
        self.salvaged.dropped += 1;
        if let Some((trial, _)) = entry.event.attempt() {
            self.note_affected(trial);
        }
        None
    }

    /// After damage an attempt that is not known to hold an instance may hold one: its lease may have been in the
    /// damaged line.
    fn doubt(&self, event: &mut Event) {
        if let Event::Unscored { ambiguous, .. } = event {
            *ambiguous |= self.salvaged.damaged_count > 0;
        }
    }

    fn note_damage(&mut self) {
        self.salvaged.damaged_count += 1;
        if self.salvaged.damaged.len() < NAMED {
            self.salvaged.damaged.push(self.line);
        }
        let nothing_ran = self
            .record
            .as_ref()
            .is_none_or(|record| record.trials.iter().all(|trial| trial.attempts.is_empty()));
        if nothing_ran {
            self.damaged_early.get_or_insert(self.line);
        }
    }

    fn note_affected(&mut self, trial: &TrialId) {
        let affected = &mut self.salvaged.affected;
        if affected.len() < NAMED && !affected.contains(trial) {
            affected.push(trial.clone());
        }
    }

    fn finish(self) -> Result<Salvaged, SalvageError> {
        let plan_is_whole = self.record.as_ref().is_some_and(|record| {
            match record.info.planned {
                Some(planned) => record.trials.len() == planned,
                // Written before plans were counted.
                None => self.damaged_early.is_none(),
            }
        });
        if plan_is_whole {
            return Ok(self.salvaged);
        }
        Err(SalvageError::Plan {
            path: self.path,
            line: self.damaged_early.unwrap_or(1),
        })
    }
}

/// Puts the new journal in the place of the old one, which gets a name of its own. At every moment one of the two is
/// at `path`.
fn swap(path: &Path, fresh: &Path) -> io::Result<PathBuf> {
    let kept = (1..=u32::MAX)
        .map(|number| path.with_extension(format!("damaged-{number}.jsonl")))
        .find(|name| !name.exists())
        .expect("there are more numbers than files");
    fs::hard_link(path, &kept)?;
    fs::rename(fresh, path)?;
    sync_folder(path)?;
    Ok(kept)
}
