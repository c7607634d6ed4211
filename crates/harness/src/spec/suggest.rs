//! What was probably meant: near misses of names, and keys that stand in the wrong section.

use super::diagnostic::{Diagnostic, quote};
use super::reader::join;
use super::tree::Entry;

/// An error about a key that a section does not have.
pub(super) fn unknown_key(path: &str, entry: &Entry, keys: &[&'static str]) -> Diagnostic {
    let place = if path.is_empty() {
        "the run spec".to_owned()
    } else {
        format!("`{path}`")
    };
    let diagnostic = Diagnostic::error(
        join(path, &entry.key),
        Some(entry.key_span),
        format!("unknown key {} in {place}", quote(&entry.key)),
    );
    if let Some(meant) = near(&entry.key, keys.iter().copied()) {
        return diagnostic.label(format!("did you mean `{meant}`?"));
    }
    let elsewhere = super::run_spec::sections()
        .into_iter()
        .find(|(section, keys)| *section != path && keys.contains(&entry.key.as_str()));
    match elsewhere {
        Some(("", _)) => diagnostic.hint(format!("`{}` stands at the top of the spec", entry.key)),
        Some((section, _)) => diagnostic.hint(format!("`{}` belongs under `{section}`", entry.key)),
        None => {
            let all: Vec<_> = keys.iter().map(|key| format!("`{key}`")).collect();
            diagnostic.hint(format!("{place} has {}", all.join(", ")))
        }
    }
}

/// The candidate that was probably meant: at most one mistake in three letters, and `-` for `_` is none.
pub(super) fn near<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    let fold = |text: &str| text.to_ascii_lowercase().replace(['-', ' '], "_");
    let word = fold(word);
    // Words far longer than any candidate cannot be near one, and the distance is quadratic in them.
    if word.len() > 64 {
        return None;
    }
    candidates
        .into_iter()
        .map(|candidate| {
            let candidate_folded = fold(candidate);
            let distance = strsim::damerau_levenshtein(&word, &candidate_folded);
            let allowed = (candidate_folded.len().max(word.len()) / 3).max(1);
            (distance, allowed, candidate)
        })
        .filter(|(distance, allowed, candidate)| distance <= allowed && *distance < candidate.len())
        .min_by_key(|(distance, ..)| *distance)
        .map(|(.., candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_misses_are_found_and_strangers_are_not() {
        let keys = ["timeout", "grace_period", "env", "formats", "include"];
        assert_eq!(near("timeuot", keys), Some("timeout"));
        assert_eq!(near("grace-period", keys), Some("grace_period"));
        assert_eq!(near("Format", keys), Some("formats"));
        assert_eq!(near("color", keys), None);
        assert_eq!(near("x", keys), None);
        assert_eq!(near(&"x".repeat(10_000), keys), None);
    }
}
