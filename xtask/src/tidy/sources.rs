//! What every source file has, and what none has.

use std::path::Path;

use super::Violation;
use super::tracked::TextFile;

/// A file longer than this has more than one responsibility.
const LONGEST: usize = 800;

/// Folders of one machine. Written without their slashes, so that this file keeps the rule too.
const MACHINE_FOLDERS: [&str; 3] = ["home", "root", "work"];

/// Names that stand for anybody's home in an example.
const NOBODY: [&str; 3] = ["somebody", "user", "you"];

pub(super) fn check(files: &[TextFile]) -> Vec<Violation> {
    let included = included(files);
    let mut violations = Vec::new();
    for file in files {
        if file.is("rs") {
            let exempt = included.contains(&file.path) || file.path.ends_with("build.rs");
            if !exempt && !file.text.starts_with("//!") {
                violations.push(Violation::new(
                    &file.path,
                    "must open with `//!`: what the file is responsible for, and what not",
                ));
            }
            let lines = file.text.lines().count();
            if lines > LONGEST {
                violations.push(Violation::new(
                    &file.path,
                    format!("has {lines} lines; {LONGEST} is the most, 400 the aim"),
                ));
            }
            violations.extend(attributes(file));
        }
        violations.extend(machine_paths(file));
        violations.extend(halves_of_a_merge(file));
    }
    violations
}

/// Files that another one includes as its tests: they share that one's first lines.
fn included(files: &[TextFile]) -> Vec<String> {
    let mut included = Vec::new();
    for file in files.iter().filter(|file| file.is("rs")) {
        for line in file.text.lines() {
            if let Some(name) = line
                .trim()
                .strip_prefix("#[path = \"")
                .and_then(|rest| rest.strip_suffix("\"]"))
            {
                let folder = Path::new(&file.path).parent().unwrap_or(Path::new(""));
                included.push(folder.join(name).to_string_lossy().into_owned());
            }
        }
    }
    included
}

fn attributes(file: &TextFile) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (number, line) in (1..).zip(file.text.lines().map(str::trim_start)) {
        let attribute = line.strip_prefix("#![").or_else(|| line.strip_prefix("#["));
        let Some(attribute) = attribute else { continue };
        let place = format!("{}:{number}", file.path);
        if attribute.starts_with("allow(")
            || attribute.starts_with("cfg_attr(") && attribute.contains("allow(")
        {
            violations.push(Violation::new(
                place,
                "`expect` with a reason, not `allow`: it says when it is no longer needed",
            ));
        } else if attribute.starts_with("ignore]") {
            violations.push(Violation::new(place, "a test that never runs shows nothing; say in `ignore = \"…\"` who runs it and when, or let it run"));
        }
    }
    violations
}

/// What git leaves where it could not merge.
fn halves_of_a_merge(file: &TextFile) -> Option<Violation> {
    let is_mark = |line: &str| line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ");
    let (number, _) = (1..)
        .zip(file.text.lines())
        .find(|(_, line)| is_mark(line))?;
    let place = format!("{}:{number}", file.path);
    Some(Violation::new(place, "both sides of a merge stand here"))
}

fn machine_paths(file: &TextFile) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (number, line) in (1..).zip(file.text.lines()) {
        if let Some(path) = machine_path(line) {
            violations.push(Violation::new(
                format!("{}:{number}", file.path),
                format!("`{path}…` is a path of one machine"),
            ));
        }
    }
    violations
}

/// The first absolute path in the line that only one machine has.
fn machine_path(line: &str) -> Option<String> {
    for folder in MACHINE_FOLDERS {
        let path = format!("/{folder}/");
        for (at, _) in line.match_indices(&path) {
            // A slash after part of a longer path, `{spec_dir}/…` or `example.org/…`, starts no absolute one.
            let relative = line[..at]
                .chars()
                .next_back()
                .is_some_and(|before| before.is_alphanumeric() || "._-}*)".contains(before));
            let rest = &line[at + path.len()..];
            let named: String = rest
                .chars()
                .take_while(|letter| letter.is_alphanumeric())
                .collect();
            if !relative && !NOBODY.contains(&named.as_str()) {
                return Some(path);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> TextFile {
        TextFile {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    fn problems(files: &[TextFile]) -> Vec<String> {
        check(files)
            .into_iter()
            .map(|violation| violation.place)
            .collect()
    }

    #[test]
    fn what_was_not_merged_is_found() {
        let text = format!("a\n{} HEAD\nb\n", "<".repeat(7));
        assert_eq!(problems(&[file("notes.md", &text)]), ["notes.md:2"]);
        assert!(problems(&[file("notes.md", "a << b <<<<<<< c\n")]).is_empty());
    }

    #[test]
    fn a_source_opens_with_its_responsibility() {
        assert_eq!(
            problems(&[
                file("a.rs", "//! Says.\n"),
                file("b.rs", "use x;\n"),
                file("c.py", "x = 1\n")
            ]),
            ["b.rs"]
        );
    }

    #[test]
    fn included_tests_and_build_scripts_need_no_opening() {
        let includes = "//! Says.\n#[cfg(test)]\n#[path = \"a_tests.rs\"]\nmod tests;\n";
        let files = [
            file("src/a.rs", includes),
            file("src/a_tests.rs", "use super::*;\n"),
            file("build.rs", "fn main() {}\n"),
        ];
        assert!(problems(&files).is_empty());
    }

    #[test]
    fn a_long_source_is_told() {
        assert!(problems(&[file("a.rs", &"//! Says.\n".repeat(LONGEST))]).is_empty());
        assert_eq!(
            problems(&[file("a.rs", &"//! Says.\n".repeat(LONGEST + 1))]),
            ["a.rs"]
        );
    }

    #[test]
    fn attributes_that_hide_something_are_told() {
        let text = "//! Says.\n#[allow(dead_code)]\n#![allow(x)]\n#[expect(x, reason = \"y\")]\n#[ignore]\n#[ignore = \"by hand\"]\n#[cfg_attr(a, allow(b))]\n";
        assert_eq!(
            problems(&[file("a.rs", text)]),
            ["a.rs:2", "a.rs:3", "a.rs:5", "a.rs:7"]
        );
    }

    #[test]
    fn paths_of_one_machine_are_told() {
        for folder in MACHINE_FOLDERS {
            assert!(
                machine_path(&format!("see /{folder}/x")).is_some(),
                "{folder}"
            );
            assert!(machine_path(&format!("(/{folder}/)")).is_some(), "{folder}");
            assert!(
                machine_path(&format!("{{spec_dir}}/{folder}/x")).is_none(),
                "{folder}"
            );
            assert!(
                machine_path(&format!("example.org/{folder}/x")).is_none(),
                "{folder}"
            );
        }
        assert!(machine_path(&format!("/{}/somebody/x", MACHINE_FOLDERS[0])).is_none());
        assert!(machine_path(&format!("/{0}/you then /{0}/ada/x", MACHINE_FOLDERS[0])).is_some());
    }
}
