//! Task keys that differ but look alike. They are different tasks: the exact bytes are the identity. A person should
//! know of them before reading results.

use std::collections::HashMap;

use fleet_api::Task;
use fleet_api::types::TaskKey;
use icu_normalizer::ComposingNormalizerBorrowed;

/// Pairs of keys that look alike, in the order of the tasks.
pub fn twins(tasks: &[Task]) -> Vec<(&TaskKey, &TaskKey)> {
    let mut seen: HashMap<String, &TaskKey> = HashMap::new();
    let mut pairs = Vec::new();
    for task in tasks {
        // Most keys are ASCII, which has no second form.
        if let Some(first) = seen.insert(looks(task.key.as_str()), &task.key) {
            pairs.push((first, &task.key));
        }
    }
    pairs
}

/// The same text for keys that look the same: letters composed, what is invisible left out.
fn looks(key: &str) -> String {
    if key.is_ascii() {
        return key.to_owned();
    }
    let visible: String = key.chars().filter(|c| !is_invisible(*c)).collect();
    let normalizer = ComposingNormalizerBorrowed::new_nfc();
    normalizer.normalize(&visible).into_owned()
}

fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(keys: &[&str]) -> Vec<(String, String)> {
        let tasks: Vec<Task> = keys
            .iter()
            .map(|key| Task {
                key: TaskKey::new(*key),
                ..Task::default()
            })
            .collect();
        let pairs = twins(&tasks);
        pairs
            .iter()
            .map(|(a, b)| (a.to_string(), b.to_string()))
            .collect()
    }

    #[test]
    fn p8_keys_that_look_alike_are_found() {
        for twin in [
            "cafe\u{301}",
            "caf\u{200b}é",
            "\u{202e}café",
            "café\u{fe0f}",
        ] {
            assert_eq!(
                found(&["x", "café", twin]),
                [("café".to_owned(), twin.to_owned())]
            );
        }
    }

    #[test]
    fn keys_that_can_be_told_apart_are_no_twins() {
        assert!(found(&["a", "A", "à", "á", "a ", "🦀", "名前", "名 前"]).is_empty());
    }
}
