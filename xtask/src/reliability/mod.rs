//! `cargo xtask reliability`: the fault table as code, the tests that prove its rows, and the page that shows both.

mod exceptions;
mod page;
mod promises;
mod rows;
mod scan;

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context as _, Result};

use crate::say::{say, step};
use crate::tidy::{TextFile, Violation, tracked_files};
use crate::workspace::Workspace;
use exceptions::EXCEPTIONS;
use promises::PROMISES;
use rows::Row;
use scan::Proof;

/// The proofs of the rows, and the exceptions.
struct Table {
    proofs: Vec<Proof>,
    exceptions: &'static [(&'static str, &'static str)],
}

/// Writes the page and the promises of the README, and checks the table.
pub(crate) fn run() -> Result<()> {
    step("reliability");
    let root = Workspace::load()?.root;
    let table = Table::of(&tracked_files(&root)?);
    for (path, text) in [
        (page::PAGE, page::page(&table)),
        (
            page::README,
            page::readme(&read(&root, page::README)?, &table),
        ),
    ] {
        fs::write(root.join(path), text).with_context(|| format!("could not write {path}"))?;
        say(format!("wrote {path}"));
    }
    say(table.count());
    for violation in table.violations() {
        say(violation);
    }
    Ok(())
}

fn read(root: &std::path::Path, path: &str) -> Result<String> {
    fs::read_to_string(root.join(path)).with_context(|| format!("could not read {path}"))
}

/// What is wrong with the table or with the pages that are made of it.
pub(crate) fn check(files: &[TextFile]) -> Vec<Violation> {
    let table = Table::of(files);
    let mut violations = table.violations();
    violations.extend(table.broken_promises());
    let text = |path: &str| {
        let file = files.iter().find(|file| file.path == path);
        file.map_or("", |file| file.text.as_str())
    };
    for (path, expected) in [
        (page::PAGE, page::page(&table)),
        (page::README, page::readme(text(page::README), &table)),
    ] {
        if text(path) != expected {
            let problem = "is not what the tests say; run `cargo xtask reliability`";
            violations.push(Violation::new(path, problem));
        }
    }
    say(table.count());
    violations
}

impl Table {
    fn of(files: &[TextFile]) -> Self {
        Self {
            proofs: scan::proofs(files),
            exceptions: EXCEPTIONS,
        }
    }

    fn proofs_of<'a>(&'a self, row: &str) -> impl Iterator<Item = &'a Proof> {
        let row = row.to_owned();
        let proves = move |proof: &&Proof| proof.rows.contains(&row);
        self.proofs.iter().filter(proves)
    }

    /// The proof that is this test.
    fn proof(&self, test: &str) -> Option<&Proof> {
        self.proofs.iter().find(|proof| proof.name == test)
    }

    fn is_proved(&self, row: &str) -> bool {
        self.proofs_of(row).next().is_some()
    }

    fn exception(&self, row: &str) -> Option<&'static str> {
        let found = self.exceptions.iter().find(|(id, _)| *id == row);
        found.map(|(_, reason)| *reason)
    }

    /// How many different tests prove any of these rows.
    fn tests_of(&self, rows: &[&Row]) -> usize {
        let proves = |proof: &&Proof| {
            let mut ids = proof.rows.iter();
            ids.any(|id| rows.iter().any(|row| row.id == id))
        };
        self.proofs.iter().filter(proves).count()
    }

    /// "97 of 99 rows are proved by 214 tests; 2 exceptions."
    fn count(&self) -> String {
        let rows: Vec<&Row> = rows::all().collect();
        let proved = rows.iter().filter(|row| self.is_proved(row.id)).count();
        let tests = self.tests_of(&rows);
        let exceptions = match self.exceptions.len() {
            0 => String::new(),
            1 => "; 1 exception".to_owned(),
            many => format!("; {many} exceptions"),
        };
        format!(
            "{proved} of {} rows are proved by {tests} tests{exceptions}.",
            rows.len()
        )
    }

    /// Promises that name a test which is not there.
    fn broken_promises(&self) -> Vec<Violation> {
        let tried_by = PROMISES.iter().flat_map(|promise| promise.tried_by);
        tried_by
            .filter(|(_, test)| self.proof(test).is_none())
            .map(|(_, test)| {
                let problem = format!("a promise names the test `{test}`, which is not there");
                Violation::new("xtask/src/reliability/promises.rs", problem)
            })
            .collect()
    }

    fn violations(&self) -> Vec<Violation> {
        const TABLE: &str = "xtask/src/reliability/exceptions.rs";
        let known: BTreeSet<&str> = rows::all().map(|row| row.id).collect();
        let mut found = Vec::new();
        for row in rows::all() {
            if !self.is_proved(row.id) && self.exception(row.id).is_none() {
                let problem = format!(
                    "no test proves {}: no name begins with `{}_`, and there is no exception",
                    row.id,
                    row.id.to_lowercase()
                );
                found.push(Violation::new(TABLE, problem));
            }
        }
        for (id, _) in self.exceptions {
            if !known.contains(id) {
                found.push(Violation::new(TABLE, format!("there is no row {id}")));
            } else if let Some(proof) = self.proofs_of(id).next() {
                let problem = format!("{id} is no exception any more: `{}`", proof.name);
                found.push(Violation::new(TABLE, problem));
            }
        }
        for proof in &self.proofs {
            for id in proof.rows.iter().filter(|id| !known.contains(id.as_str())) {
                let place = format!("{}:{}", proof.file, proof.line);
                let problem = format!("`{}` names the row {id}, which is not there", proof.name);
                found.push(Violation::new(place, problem));
            }
        }
        found
    }
}

/// A table with a test of S1 and every other row as an exception.
#[cfg(test)]
fn fixture() -> Table {
    let exceptions: Vec<(&str, &str)> = rows::all()
        .filter(|row| row.id != "S1")
        .map(|row| (row.id, "cannot be had"))
        .collect();
    Table {
        proofs: scan::proofs(&[TextFile {
            path: "a.rs".to_owned(),
            text: "#[test]\nfn s1_x() {}\n".to_owned(),
        }]),
        exceptions: Box::leak(exceptions.into_boxed_slice()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(table: &Table) -> Vec<String> {
        let violations = table.violations();
        violations.iter().map(ToString::to_string).collect()
    }

    fn proof(name: &str, row: &str) -> Proof {
        Proof {
            file: "b.rs".to_owned(),
            line: 7,
            name: name.to_owned(),
            rows: vec![row.to_owned()],
        }
    }

    #[test]
    fn every_row_has_a_test_or_an_exception() {
        let mut table = fixture();
        assert!(problems(&table).is_empty());
        table.proofs.clear();
        let missing = problems(&table);
        assert!(
            missing.len() == 1 && missing[0].contains("S1"),
            "{missing:?}"
        );
    }

    #[test]
    fn an_exception_ends_with_the_first_test() {
        let mut table = fixture();
        table.proofs.push(proof("k3_x", "K3"));
        let found = problems(&table);
        assert!(found.len() == 1 && found[0].contains("`k3_x`"), "{found:?}");
    }

    #[test]
    fn a_row_that_does_not_exist_is_told_with_its_place() {
        let mut table = fixture();
        table.proofs.push(proof("s99_x", "S99"));
        let found = problems(&table);
        assert!(
            found.len() == 1 && found[0].starts_with("b.rs:7: "),
            "{found:?}"
        );
    }

    #[test]
    fn tests_and_exceptions_are_counted() {
        assert_eq!(
            fixture().count(),
            "1 of 105 rows are proved by 1 tests; 104 exceptions."
        );
    }

    #[test]
    fn a_page_that_is_out_of_date_is_told() {
        let old = TextFile {
            path: page::PAGE.to_owned(),
            text: "old".to_owned(),
        };
        let found = check(&[old]);
        assert!(
            found
                .iter()
                .any(|one| one.to_string().starts_with(page::PAGE))
        );
    }
}
