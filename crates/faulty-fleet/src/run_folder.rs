//! A run's folder, read as a user's program would read it, and the processes that carry the run's mark.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A row of `results.csv` by column.
pub type Row = BTreeMap<String, String>;

/// The folder of one run.
#[derive(Clone, Debug)]
pub struct RunFolder {
    root: PathBuf,
}

impl RunFolder {
    /// The run that was made last below a folder of runs.
    pub fn latest(runs: &Path) -> Self {
        let latest = runs.join("latest");
        Self {
            root: latest
                .canonicalize()
                .unwrap_or_else(|error| panic!("{}: {error}", latest.display())),
        }
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The run's id.
    pub fn id(&self) -> &str {
        self.root.file_name().unwrap().to_str().unwrap()
    }

    /// The rows of `results.csv`, in its order.
    pub fn rows(&self) -> Vec<Row> {
        let path = self.root.join("results.csv");
        let mut reader = csv::Reader::from_path(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        reader.deserialize().map(Result::unwrap).collect()
    }

    /// `results.json`.
    pub fn results(&self) -> Value {
        serde_json::from_slice(&fs::read(self.root.join("results.json")).unwrap()).unwrap()
    }

    /// The events of the journal. A torn last line is no event.
    pub fn journal(&self) -> Vec<Value> {
        let bytes = fs::read(self.root.join("journal.jsonl")).unwrap();
        let lines = bytes.split(|byte| *byte == b'\n');
        lines
            .filter_map(|line| serde_json::from_slice(line).ok())
            .collect()
    }

    /// The events of one kind.
    pub fn events(&self, kind: &str) -> Vec<Value> {
        let mut journal = self.journal();
        journal.retain(|event| event["event"] == kind);
        journal
    }
}

/// Processes whose environment has `mark`, as id and command line.
pub fn processes_of(mark: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let pid = entry.file_name().to_string_lossy().into_owned();
        if !pid.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        let marked = environment
            .windows(mark.len())
            .any(|window| window == mark.as_bytes());
        if marked {
            let words = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let words = String::from_utf8_lossy(&words).replace('\0', " ");
            found.push(format!("{pid} {words}"));
        }
    }
    found
}
