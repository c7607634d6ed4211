//! The summary of a whole run, as `results.json` carries it.

use run_record::{RunRecord, TrialRecord, VariantName};
use serde::{Deserialize, Serialize};

use super::{Cause, Scores, VerdictView, cause};

/// Version of [`Summary`]'s file format. A new optional field does not raise it; a changed meaning does.
pub const SUMMARY_VERSION: u32 = 1;

/// A run in numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// [`SUMMARY_VERSION`].
    pub format_version: u32,
    /// How the run is judged.
    pub verdict: VerdictView,
    /// All trials together.
    pub all: Scores,
    /// Each variant, in the order of the spec.
    pub variants: Vec<VariantSummary>,
    /// What went wrong, grouped by cause: trials without a score first, then failed ones, each by count.
    pub causes: Vec<Cause>,
}

/// The trials of one variant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VariantSummary {
    /// Its name.
    pub name: VariantName,
    /// Its trials.
    pub scores: Scores,
}

impl Summary {
    /// Sums up a record, finished or not.
    pub fn of(record: &RunRecord) -> Self {
        let all: Vec<&TrialRecord> = record.trials.iter().collect();
        let variants = variant_names(record)
            .into_iter()
            .map(|name| {
                let trials: Vec<&TrialRecord> = all
                    .iter()
                    .copied()
                    .filter(|trial| trial.id.variant == name)
                    .collect();
                let scores = Scores::of(record, &trials);
                VariantSummary { name, scores }
            })
            .collect();
        Self {
            format_version: SUMMARY_VERSION,
            verdict: VerdictView::of(record),
            all: Scores::of(record, &all),
            variants,
            causes: cause::group(record),
        }
    }

    /// True when the run has several variants, so that their names must be shown.
    pub fn has_variants(&self) -> bool {
        self.variants.len() > 1
            || self
                .variants
                .iter()
                .any(|variant| !variant.name.is_default())
    }
}

/// The variants of the spec, then any that only the trials know, in the order of the plan.
fn variant_names(record: &RunRecord) -> Vec<VariantName> {
    let mut names: Vec<VariantName> = record
        .info
        .variants
        .iter()
        .map(|variant| variant.name.clone())
        .collect();
    for trial in &record.trials {
        if !names.contains(&trial.id.variant) {
            names.push(trial.id.variant.clone());
        }
    }
    names
}
