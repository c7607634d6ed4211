//! The runs on this machine: finding one by what a person types, and reading its record.

use std::path::{Path, PathBuf};

use run_record::{Replay, ReplayError, RunLayout, RunRecord, replay};

use crate::failure::{Failure, chain};

/// A run found on disk.
pub(crate) struct FoundRun {
    pub(crate) layout: RunLayout,
    pub(crate) record: RunRecord,
    /// The journal that it was folded from; its own record is taken out.
    pub(crate) replay: Replay,
}

/// The folders of runs below `dir`, oldest first by name; ids begin with a name, so the time in them decides.
pub(crate) fn folders(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| !path.is_symlink() && path.join("journal.jsonl").is_file())
        .collect();
    found.sort_by_cached_key(|path| {
        let name = file_name(path);
        // NAME-YYYYMMDD-HHMMSS-xxxx: the two before the last are the time. Runs of one second come in the order in
        // which their folders were made, as far as the file system knows.
        let mut parts = name.rsplitn(4, '-').skip(1);
        let (time, day) = (parts.next(), parts.next());
        let when = day.zip(time).map(|(day, time)| format!("{day}-{time}"));
        let made = path.metadata().and_then(|data| data.created()).ok();
        (when, made, name)
    });
    found
}

/// Reads the run that `name` means: `latest`, a path, an id or a unique prefix of one.
pub(crate) fn find(dir: &Path, name: &str) -> Result<FoundRun, Failure> {
    read(&locate(dir, name)?)
}

/// The folder of the run that `name` means, whatever is in it.
pub(crate) fn locate(dir: &Path, name: &str) -> Result<PathBuf, Failure> {
    let as_path = Path::new(name);
    if as_path.join("journal.jsonl").is_file() {
        return Ok(as_path.to_owned());
    }
    let all = folders(dir);
    let none = || {
        Failure::usage(format!("error: there is no run in `{}`", dir.display()))
            .hint("run one, or name the folder that holds the runs with --runs")
    };
    if name == "latest" {
        return all.last().cloned().ok_or_else(none);
    }
    let matching: Vec<&PathBuf> = all
        .iter()
        .filter(|path| file_name(path).starts_with(name))
        .collect();
    let exact = matching.iter().find(|path| file_name(path) == name);
    match (exact, matching.as_slice()) {
        (Some(path), _) | (None, [path]) => Ok((*path).clone()),
        (None, []) if all.is_empty() => Err(none()),
        (None, []) => Err(Failure::usage(format!(
            "error: no run in `{}` begins with `{name}`",
            dir.display()
        ))
        .hint("`harness list` names them")),
        (None, several) => {
            let names: Vec<String> = several.iter().map(|path| file_name(path)).collect();
            Err(Failure::usage(format!(
                "error: `{name}` could be any of\n  {}",
                names.join("\n  ")
            )))
        }
    }
}

/// Reads the run in a folder.
pub(crate) fn read(folder: &Path) -> Result<FoundRun, Failure> {
    let layout = RunLayout::at(folder);
    let mut replay = replay(&layout.journal()).map_err(|error| {
        let failure = Failure::usage(chain(&error));
        match error {
            ReplayError::Corrupt { .. } | ReplayError::Order { .. } => failure.hint(format!(
                "restore it from a copy if there is one; else `harness resume {} --salvage` keeps what can be proven and runs the rest again",
                folder.display()
            )),
            ReplayError::TooNew { .. } => failure.hint("use the harness that wrote it, or a newer one"),
            ReplayError::Io { .. } => failure,
        }
    })?;
    let record = replay.record.take().ok_or_else(|| {
        let journal = layout.journal();
        Failure::usage(format!(
            "error: the journal `{}` is empty",
            journal.display()
        ))
    })?;
    let planned = record.info.planned.unwrap_or(record.trials.len());
    if planned != record.trials.len() {
        return Err(Failure::usage(format!(
            "error: the run {} was cut off before its plan was written; nothing was provisioned",
            record.info.run_id
        ))
        .hint("begin a new run"));
    }
    Ok(FoundRun {
        layout,
        record,
        replay,
    })
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(names: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for name in names {
            std::fs::create_dir(dir.path().join(name)).unwrap();
            std::fs::write(dir.path().join(name).join("journal.jsonl"), "").unwrap();
        }
        dir
    }

    #[test]
    fn runs_are_in_the_order_of_their_times_whatever_their_names() {
        let dir = made(&[
            "z-1-20260101-000000-aaaa",
            "a-20260102-000000-bbbb",
            "m-20251231-235959-cccc",
        ]);
        let names: Vec<String> = folders(dir.path()).iter().map(|p| file_name(p)).collect();
        assert_eq!(
            names,
            [
                "m-20251231-235959-cccc",
                "z-1-20260101-000000-aaaa",
                "a-20260102-000000-bbbb"
            ]
        );
        assert!(
            locate(dir.path(), "latest")
                .unwrap()
                .ends_with("a-20260102-000000-bbbb")
        );
    }

    #[test]
    fn a_prefix_must_be_unique_and_an_id_wins_over_longer_ones() {
        let dir = made(&["n-20260101-000000-aaaa", "n-20260102-000000-bbbb", "n"]);
        assert!(locate(dir.path(), "n-20260102").is_ok());
        assert!(locate(dir.path(), "n").unwrap().ends_with("n"));
        let several = locate(dir.path(), "n-2026").unwrap_err().message;
        assert!(
            several.contains("aaaa") && several.contains("bbbb"),
            "{several}"
        );
        let none = locate(dir.path(), "x").unwrap_err().message;
        assert!(none.contains("harness list"), "{none}");
    }
}
