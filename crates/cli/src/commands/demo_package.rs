//! The demo's environment, tasks and specs, which are part of the binary.

use std::io;
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};
use tempfile::TempDir;

use crate::failure::Failure;

static ENVIRONMENTS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../examples/environments");
static TASKS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../examples/tasks");
static CONFIGS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../configs");

/// Where each lies below the folder it is unpacked to: as in the project itself, so that the specs fit.
const PLACES: [(&str, &Dir<'_>); 3] = [
    ("examples/environments", &ENVIRONMENTS),
    ("examples/tasks", &TASKS),
    ("configs", &CONFIGS),
];

/// The environments below an unpacked folder.
pub(crate) fn environments(root: &Path) -> PathBuf {
    root.join(PLACES[0].0)
}

/// The tasks files below an unpacked folder.
pub(crate) fn task_files(root: &Path) -> Vec<PathBuf> {
    TASKS
        .files()
        .filter(|file| file.path().extension().is_some_and(|end| end == "json"))
        .map(|file| root.join(PLACES[1].0).join(file.path()))
        .collect()
}

/// Writes everything below `root`. Files that exist are an error and nothing is overwritten.
pub(crate) fn unpack(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for (place, dir) in PLACES {
        list(dir, &root.join(place), &mut files);
    }
    if let Some((path, _)) = files.iter().find(|(path, _)| path.exists()) {
        let text = format!("`{}` exists already", path.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
    }
    for (path, content) in &files {
        if let Some(folder) = path.parent() {
            fs_err::create_dir_all(folder)?;
        }
        fs_err::write(path, content)?;
    }
    Ok(files.into_iter().map(|(path, _)| path).collect())
}

/// Unpacks for the life of a server.
pub(crate) fn unpack_to_temp() -> Result<TempDir, Failure> {
    let made = tempfile::Builder::new()
        .prefix("harness-demo-")
        .tempdir()
        .and_then(|folder| unpack(folder.path()).map(|_| folder));
    made.map_err(|error| Failure::usage(format!("error: could not unpack the demo: {error}")))
}

fn list(dir: &'static Dir<'static>, to: &Path, files: &mut Vec<(PathBuf, &'static [u8])>) {
    for file in dir.files() {
        files.push((to.join(file.path()), file.contents()));
    }
    for inner in dir.dirs() {
        list(inner, to, files);
    }
}
