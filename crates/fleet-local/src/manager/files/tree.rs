//! The directory of an instance as a tree of its own: which paths are in it, and which of them are the instance's.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;
use nix::fcntl::OFlag;

use crate::instance::{BROWSER, LOGS};
use crate::manager::documents;
use crate::seam::InstanceFiles;

/// Looked at to tell text from other bytes.
const HEAD: u64 = 8192;

/// Files that `SQLite` keeps beside a database.
const SIDES: [&str; 4] = ["", "-journal", "-wal", "-shm"];

/// The files of one instance.
#[derive(Debug, Clone)]
pub struct Tree {
    root: PathBuf,
    /// What the server keeps in the directory: the databases, which have endpoints of their own, logs, the browser's profile.
    hidden: Vec<PathBuf>,
}

/// One file of a [`Tree`].
#[derive(Debug, Clone)]
pub struct Place {
    /// On this machine.
    pub full: PathBuf,
    /// Below the tree, with a leading slash.
    pub path: String,
    /// In bytes.
    pub size: u64,
    /// When it was last written.
    pub modified: Timestamp,
    /// Whether it is a symbolic link, which is never followed.
    pub is_link: bool,
}

impl Tree {
    /// The tree of an instance.
    pub fn of(files: &InstanceFiles) -> Self {
        // Links above the directory are not the instance's.
        let root = files
            .dir
            .canonicalize()
            .unwrap_or_else(|_| files.dir.clone());
        let mut hidden = vec![root.join(LOGS), root.join(BROWSER)];
        for database in files.databases.values() {
            for file in [&database.seed, &database.current] {
                let relative = file.strip_prefix(&files.dir).unwrap_or(file);
                hidden.extend(SIDES.map(|side| {
                    let mut name = root.join(relative).into_os_string();
                    name.push(side);
                    PathBuf::from(name)
                }));
            }
        }
        Self { root, hidden }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn is_hidden(&self, path: &Path) -> bool {
        self.hidden.iter().any(|hidden| path.starts_with(hidden))
    }

    /// A regular file of this path, links within the tree resolved.
    pub fn locate(&self, path: &str) -> Option<Place> {
        let full = self.resolve(path)?;
        let metadata = full.symlink_metadata().ok()?;
        if !metadata.is_file() {
            return None;
        }
        self.place(&full, &metadata)
    }

    /// A folder of this path, links within the tree resolved.
    pub(super) fn folder(&self, path: &str) -> Option<PathBuf> {
        self.resolve(path).filter(|full| full.is_dir())
    }

    /// Where a path really is, if that is in the tree. Both `/report.txt` and the path on this machine name the same file.
    fn resolve(&self, path: &str) -> Option<PathBuf> {
        let path = Path::new(path);
        let path = path.strip_prefix(&self.root).unwrap_or(path);
        let mut inside = PathBuf::new();
        for component in path.components() {
            match component {
                Component::Normal(part) => inside.push(part),
                Component::RootDir | Component::CurDir => {}
                Component::ParentDir | Component::Prefix(_) => return None,
            }
        }
        let full = self.root.join(inside).canonicalize().ok()?;
        (full.starts_with(&self.root) && !self.is_hidden(&full)).then_some(full)
    }

    pub(super) fn place(&self, full: &Path, metadata: &Metadata) -> Option<Place> {
        let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        Some(Place {
            path: self.name(full)?,
            full: full.to_owned(),
            size: metadata.len(),
            modified: Timestamp::try_from(modified).unwrap_or(Timestamp::UNIX_EPOCH),
            is_link: metadata.is_symlink(),
        })
    }

    pub(super) fn name(&self, full: &Path) -> Option<String> {
        let relative = full.strip_prefix(&self.root).ok()?;
        Some(format!("/{}", relative.to_string_lossy()))
    }
}

impl Place {
    /// Opens it for reading. What has become a link or a pipe meanwhile is not followed and not waited for.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(&self) -> io::Result<File> {
        let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits())
            .open(&self.full)?;
        if file.metadata()?.is_file() {
            Ok(file)
        } else {
            Err(io::Error::from(io::ErrorKind::InvalidInput))
        }
    }

    /// What it is: a kind of document, `text`, `binary` or `symlink`.
    pub fn kind(&self) -> String {
        if self.is_link {
            return "symlink".to_owned();
        }
        if let Some(kind) = documents::kind_of(&self.path) {
            return kind.as_str().to_owned();
        }
        let mut head = Vec::new();
        let read = self
            .open()
            .and_then(|file| file.take(HEAD).read_to_end(&mut head));
        if read.is_ok() && !head.contains(&0) {
            "text".to_owned()
        } else {
            "binary".to_owned()
        }
    }
}
