//! The book's table of calls has a row for every member of the official SDK that the conformance page knows of.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Section → the words in code style of the first column of its tables.
fn members(page: &str, heading: &str) -> BTreeMap<String, BTreeSet<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(page);
    let mut sections: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut section = String::new();
    for line in fs::read_to_string(path).unwrap().lines() {
        if let Some(name) = line.strip_prefix(heading) {
            name.clone_into(&mut section);
        } else if let Some(row) = line.strip_prefix("| ") {
            let first = row.split(" | ").next().unwrap_or_default();
            let words = first.split('`').skip(1).step_by(2).map(str::to_owned);
            sections.entry(section.clone()).or_default().extend(words);
        }
    }
    sections
}

#[test]
fn every_member_of_the_sdk_has_its_call() {
    let known = members("sdk-conformance.md", "## ");
    let told = members("fleet-api.md", "### ");
    let everywhere: BTreeSet<&String> = told.values().flatten().collect();
    assert!(known.len() > 20, "the conformance page is read");
    let mut missing = Vec::new();
    for (section, names) in &known {
        for name in names {
            let is_told = match told.get(section) {
                Some(rows) => rows.contains(name),
                // Sections without one of their own here: errors, which stand above the table.
                None => {
                    everywhere.contains(name)
                        || members("fleet-api.md", "## ")["Errors"].contains(name)
                }
            };
            // What is not there at the SDK either, and modules without members.
            if !is_told && !name.starts_with("fleet.") {
                missing.push(format!("{section}: {name}"));
            }
        }
    }
    assert!(
        missing.is_empty(),
        "docs/fleet-api.md has no row for {missing:#?}"
    );
}
