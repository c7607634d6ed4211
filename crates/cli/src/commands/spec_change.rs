//! A spec that is not the one that a run was begun with: refused, with what differs. One report is of one experiment.

use std::path::Path;

use similar::TextDiff;

use crate::failure::Failure;

/// Lines around a difference: enough to see which section it is in.
const AROUND: usize = 1;

/// Both specs are resolved ones, so that nothing in them is a secret and layout is no difference.
pub(crate) fn refuse(path: &Path, begun_with: &str, now: &str) -> Failure {
    let mut message = format!(
        "error: `{}` is not the spec that the run was begun with",
        path.display()
    );
    // A journal of an older harness has the spec's hash alone.
    if !begun_with.is_empty() {
        let diff = TextDiff::from_lines(begun_with, now);
        for hunk in diff.unified_diff().context_radius(AROUND).iter_hunks() {
            for change in hunk.iter_changes() {
                let line = format!("\n  {}{}", change.tag(), change.value().trim_end());
                message.push_str(&line);
            }
        }
    }
    Failure::usage(message).hint("restore it, or begin a new run with the new spec")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p14_the_lines_that_differ_are_shown() {
        let begun = "version: 1\nname: a\nagent:\n  command: [x]\n  timeout: 30s\ntrials: 1\n";
        let now = begun.replace("30s", "60s");
        let failure = refuse(Path::new("spec.yaml"), begun, &now);
        assert_eq!(
            failure.message,
            "error: `spec.yaml` is not the spec that the run was begun with\n     command: [x]\n  -  timeout: 30s\n  +  timeout: 60s\n   trials: 1\nhelp: restore it, or begin a new run with the new spec"
        );
        let unknown = refuse(Path::new("spec.yaml"), "", &now).message;
        assert!(!unknown.contains("timeout"), "{unknown}");
    }
}
