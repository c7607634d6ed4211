//! Where the files of a run lie: the one place that joins paths.

use std::path::{Path, PathBuf};

use crate::{Attempt, RunId, TrialId, path_slug};

/// The folder of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunLayout {
    root: PathBuf,
}

impl RunLayout {
    /// The folder of `run` below the reports' folder.
    pub fn new(reports: &Path, run: &RunId) -> Self {
        Self {
            root: reports.join(path_slug(run.as_str())),
        }
    }

    /// A run folder that exists.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The journal.
    pub fn journal(&self) -> PathBuf {
        self.root.join("journal.jsonl")
    }

    /// The resolved spec.
    pub fn spec(&self) -> PathBuf {
        self.root.join("spec.yaml")
    }

    /// A report, for example `results.csv`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The folder of a trial.
    pub fn trial(&self, id: &TrialId) -> TrialLayout {
        TrialLayout {
            root: self.root.join(Self::trial_dir(id)),
        }
    }

    /// Messages of an attempt's session, until the service has all of them. Where it lies does not change, whatever
    /// other attempts do with the trial's folder.
    pub fn outgoing(&self, id: &TrialId, attempt: Attempt) -> PathBuf {
        let trial = Self::trial_dir(id).replace('/', "__");
        self.root
            .join("outgoing")
            .join(format!("{trial}__{attempt}.jsonl"))
    }

    /// The folder of a trial relative to the run's: `trials/TASK[/VARIANT]/N`.
    pub fn trial_dir(id: &TrialId) -> String {
        let task = path_slug(id.task.as_str());
        if id.variant.is_default() {
            format!("trials/{task}/{}", id.trial)
        } else {
            format!(
                "trials/{task}/{}/{}",
                path_slug(id.variant.as_str()),
                id.trial
            )
        }
    }
}

/// The folder of a trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrialLayout {
    root: PathBuf,
}

impl TrialLayout {
    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A file of the current attempt, for example `stdout.log`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Where the evidence of an attempt that was tried again is kept.
    pub fn attempt(&self, attempt: Attempt) -> PathBuf {
        self.root.join(format!("attempt-{attempt}"))
    }
}
