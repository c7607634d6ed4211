//! Disk space put aside for the journal, so that a disk that others fill up does not take the last scores.
//!
//! A file beside the journal that is given up at the first "no space left": what runs can then still be recorded and
//! ended in order. It holds no data and is removed when the journal is closed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Thousands of events: enough to end every trial that any run has under way.
const BYTES: u64 = 8 * 1024 * 1024;

/// Space that is kept for the journal at `path`. Gone when dropped.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
}

impl Reserve {
    /// Puts the space aside. `None` if the file system cannot: the run goes on without.
    pub(super) fn make(journal: &Path) -> Option<Self> {
        let path = journal.with_extension("reserve");
        let file = File::create(&path).ok()?;
        // Owned from here on, so that a half-made file is removed as well.
        let reserve = Self { path };
        allocate(&file)?;
        Some(reserve)
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        // Whoever cleans up the folder later finds a file without content.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(target_os = "linux")]
fn allocate(file: &File) -> Option<()> {
    let bytes = i64::try_from(BYTES).expect("eight megabytes fit");
    nix::fcntl::posix_fallocate(file, 0, bytes).ok()
}

#[cfg(not(target_os = "linux"))]
fn allocate(mut file: &File) -> Option<()> {
    use std::io::Write as _;
    let block = [0_u8; 64 * 1024];
    (0..BYTES / block.len() as u64).try_for_each(|_| file.write_all(&block).ok())
}
