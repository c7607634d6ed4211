//! What files an instance began with.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt as _;

use sha2::{Digest as _, Sha256};

use super::tree::{Place, Tree};
use super::walk::walk;

/// Files remembered at most. An instance with more is told apart from a package that unpacks a whole system.
pub(super) const FILES: usize = 20_000;

/// Bytes that are hashed at most; larger files beyond it are known by size and times only.
const HASHED: u64 = 512 * 1024 * 1024;

/// The files at one moment.
#[derive(Debug, Default)]
pub struct Baseline {
    marks: BTreeMap<String, Mark>,
    cut: bool,
}

/// By what a file is recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark {
    stamp: Stamp,
    content: Option<[u8; 32]>,
}

/// What changes whenever a file is written or replaced: the kernel sets the last two itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    size: u64,
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// How a file stands to the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    New,
    Changed,
    Same,
}

impl Baseline {
    /// Looks at every file of the tree. Blocking.
    pub fn take(tree: &Tree) -> Self {
        let (files, cut) = walk(tree, FILES);
        let mut left = HASHED;
        let mut marks = BTreeMap::new();
        for file in files {
            let Some(stamp) = Stamp::of(&file) else {
                continue;
            };
            let content = match left.checked_sub(stamp.size) {
                Some(rest) => {
                    left = rest;
                    hash(&file)
                }
                None => None,
            };
            marks.insert(file.path, Mark { stamp, content });
        }
        Self { marks, cut }
    }

    /// Whether there were more files than are remembered.
    pub(super) fn is_cut(&self) -> bool {
        self.cut
    }

    /// How a file of now stands to the beginning. A file that was written with what it held before is the same.
    pub(super) fn standing(&self, file: &Place) -> Standing {
        let Some(mark) = self.marks.get(&file.path) else {
            return Standing::New;
        };
        let stamp = Stamp::of(file);
        if stamp == Some(mark.stamp) {
            return Standing::Same;
        }
        let same_size = stamp.is_some_and(|stamp| stamp.size == mark.stamp.size);
        if same_size && mark.content.is_some() && hash(file) == mark.content {
            Standing::Same
        } else {
            Standing::Changed
        }
    }

    /// The paths of the beginning, in order.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.marks.keys().map(String::as_str)
    }
}

impl Stamp {
    fn of(file: &Place) -> Option<Self> {
        let metadata = file.full.symlink_metadata().ok()?;
        Some(Self {
            size: metadata.len(),
            inode: metadata.ino(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

/// Of a link, what it points to.
fn hash(file: &Place) -> Option<[u8; 32]> {
    let mut hash = Sha256::new();
    if file.is_link {
        hash.update(b"link\0");
        hash.update(
            fs_err::read_link(&file.full)
                .ok()?
                .as_os_str()
                .as_encoded_bytes(),
        );
    } else {
        io::copy(&mut file.open().ok()?, &mut hash).ok()?;
    }
    Some(hash.finalize().into())
}
