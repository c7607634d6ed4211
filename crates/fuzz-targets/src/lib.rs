//! One function per reader of what others write. Each takes any bytes and panics if a promise of that reader is
//! broken; an input that is refused is no finding.
//!
//! `fuzz/` calls them from libFuzzer, which needs a nightly compiler; `tests/replay.rs` calls them with the files of
//! `corpus/` and needs nothing. A crash that was found is fixed, and its input stays in the corpus.

mod agent_result;
mod bundle;
mod csv;
mod journal;
mod redactor;
mod spec;
mod task_file;
mod transcript;
mod wire;

/// A function that takes any bytes.
pub type Target = fn(&[u8]);

/// Every target by the name of its folder in `corpus/` and its file in `fuzz/fuzz_targets/`.
pub const TARGETS: [(&str, Target); 9] = [
    ("agent_result", agent_result::target),
    ("bundle", bundle::target),
    ("csv", csv::target),
    ("journal", journal::target),
    ("redactor", redactor::target),
    ("spec", spec::target),
    ("task_file", task_file::target),
    ("transcript", transcript::target),
    ("wire", wire::target),
];

/// Runs the target of this name.
///
/// # Panics
/// There is none, or it found something.
pub fn run(name: &str, data: &[u8]) {
    let found = TARGETS.iter().find(|(known, _)| *known == name);
    let (_, target) = found.expect("a target of the table");
    target(data);
}
