//! Task files.

use std::collections::HashSet;
use std::path::Path;

pub(crate) fn target(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    // A folder without files: what a fuzzer makes of the name of a file must not be read.
    let Ok(tasks) = fleet_api::task_file::parse(text, Path::new("/nowhere/tasks.json")) else {
        return;
    };
    let keys: HashSet<&str> = tasks.iter().map(|task| task.key.as_str()).collect();
    assert_eq!(keys.len(), tasks.len(), "two tasks of one key");
    let slugs: HashSet<String> = keys.iter().map(|key| run_record::path_slug(key)).collect();
    assert_eq!(slugs.len(), keys.len(), "two tasks of one folder");
    for slug in slugs {
        assert!(!slug.is_empty() && slug.len() <= 64 && !slug.starts_with('.'));
        assert!(
            slug.chars()
                .all(|c| c.is_ascii_alphanumeric() || "._-~".contains(c)),
            "{slug}"
        );
    }
}
