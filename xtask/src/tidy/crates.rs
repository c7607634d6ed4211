//! Who may use whom, and that every manifest takes lints and versions from the workspace.
//!
//! The reasons for the directions are in docs/architecture.md.

use std::fs;

use anyhow::{Context as _, Result};

use super::Violation;
use crate::workspace::{Package, Workspace};

/// Every crate with the crates of this workspace that it may use, tests included. Leaves first: an arrow may only point to an earlier line.
const DIRECTIONS: [(&str, &[&str]); 13] = [
    ("redact", &[]),
    ("run-record", &[]),
    ("fleet-api", &["redact"]),
    ("process-tree", &["redact"]),
    ("sandbox", &[]),
    ("helpdesk", &[]),
    ("report", &["run-record"]),
    (
        "harness",
        &["fleet-api", "run-record", "process-tree", "redact"],
    ),
    (
        "fleet-local",
        &["fleet-api", "process-tree", "redact", "sandbox"],
    ),
    // Of tests only.
    ("faulty-fleet", &["fleet-local", "process-tree"]),
    (
        "cli",
        &[
            "fleet-api",
            "run-record",
            "process-tree",
            "redact",
            "sandbox",
            "helpdesk",
            "report",
            "harness",
            "fleet-local",
            "faulty-fleet",
        ],
    ),
    (
        "fuzz-targets",
        &[
            "fleet-api",
            "run-record",
            "redact",
            "report",
            "harness",
            "fleet-local",
        ],
    ),
    ("xtask", &[]),
];

pub(super) fn check(workspace: &Workspace) -> Result<Vec<Violation>> {
    let mut violations = Vec::new();
    for package in &workspace.packages {
        let place = package
            .manifest
            .strip_prefix(&workspace.root)
            .unwrap_or(&package.manifest)
            .display()
            .to_string();
        let text = fs::read_to_string(&package.manifest)
            .with_context(|| format!("could not read {place}"))?;
        violations.extend(
            directions(package)
                .into_iter()
                .map(|problem| Violation::new(place.clone(), problem)),
        );
        violations.extend(
            manifest(&text)
                .into_iter()
                .map(|(line, problem)| Violation::new(format!("{place}:{line}"), problem)),
        );
        if !takes_lints(&text) {
            violations.push(Violation::new(
                place,
                "must have `[lints]` with `workspace = true`",
            ));
        }
    }
    Ok(violations)
}

/// What is wrong with the arrows that leave this crate.
fn directions(package: &Package) -> Vec<String> {
    let Some((_, allowed)) = DIRECTIONS.iter().find(|(name, _)| *name == package.name) else {
        return vec![format!(
            "{} has no place among the directions of xtask/src/tidy/crates.rs and docs/architecture.md",
            package.name
        )];
    };
    let forbidden = package
        .ours
        .iter()
        .filter(|used| !allowed.contains(&used.as_str()));
    forbidden
        .map(|used| {
            format!(
                "{} must not use {used} (docs/architecture.md says why)",
                package.name
            )
        })
        .collect()
}

fn takes_lints(manifest: &str) -> bool {
    let mut lines = manifest
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    lines.any(|line| line == "[lints]") && lines.next() == Some("workspace = true")
}

/// Dependencies with a version or a path of their own, by line. Manifests here have one dependency a line; another form is refused, so that
/// this reading stays right.
fn manifest(text: &str) -> Vec<(usize, String)> {
    let mut problems = Vec::new();
    let mut in_dependencies = false;
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if let Some(header) = line.strip_prefix('[') {
            let header = header.trim_end_matches(']');
            in_dependencies = header.ends_with("dependencies");
            if header.contains("dependencies.") {
                problems.push((
                    number,
                    format!("write `[{header}]` as one line of its table"),
                ));
            }
        } else if in_dependencies && !line.is_empty() && !line.starts_with('#') {
            let Some((name, value)) = line.split_once('=') else {
                problems.push((number, "a dependency is one line here".to_owned()));
                continue;
            };
            let (name, value) = (name.trim(), value.trim());
            let taken = name.ends_with(".workspace") && value.starts_with("true")
                || value.starts_with('{') && value.contains("workspace = true");
            if !taken {
                problems.push((
                    number,
                    format!("`{name}` must come from [workspace.dependencies]"),
                ));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, ours: &[&str]) -> Package {
        Package {
            name: name.to_owned(),
            manifest: "Cargo.toml".into(),
            ours: ours.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    #[test]
    fn arrows_point_to_earlier_lines_only() {
        for (index, (name, allowed)) in DIRECTIONS.iter().enumerate() {
            let earlier: Vec<&str> = DIRECTIONS[..index].iter().map(|(name, _)| *name).collect();
            assert!(
                allowed.iter().all(|used| earlier.contains(used)),
                "{name} uses {allowed:?}"
            );
        }
    }

    #[test]
    fn an_arrow_against_the_direction_is_told() {
        assert!(directions(&package("harness", &["fleet-api", "run-record"])).is_empty());
        assert_eq!(directions(&package("harness", &["fleet-local"])).len(), 1);
        assert_eq!(
            directions(&package("report", &["harness", "fleet-api"])).len(),
            2
        );
        assert!(directions(&package("daemon", &[]))[0].contains("no place"));
    }

    #[test]
    fn versions_outside_of_the_workspace_table_are_told() {
        let text = "[package]\nversion = \"1\"\n[dependencies]\n# why\nserde.workspace = true\ntokio = { workspace = true, features = [\"x\"] }\n\nrand = \"0.9\"\n\
            [target.'cfg(unix)'.dependencies]\nnix = { version = \"1\" }\n[dev-dependencies.tempfile]\nworkspace = true\n";
        let lines: Vec<usize> = manifest(text).into_iter().map(|(line, _)| line).collect();
        assert_eq!(lines, [8, 10, 11]);
    }

    #[test]
    fn lints_are_taken_from_the_workspace() {
        assert!(takes_lints(
            "[package]\nname = \"x\"\n\n[lints]\nworkspace = true\n"
        ));
        assert!(!takes_lints("[package]\nname = \"x\"\nworkspace = true\n"));
        assert!(!takes_lints("[lints]\n[lints.clippy]\nworkspace = true\n"));
    }
}
