//! Writes `docs/reliability.md` and the promises of the README from the table and the proofs.

use std::fmt::Write as _;

use super::Table;
use super::promises::{LEVELS, NOT_COVERED, PROMISES, VERIFIERS};
use super::rows::{GROUPS, Guard, Row};

/// The page, relative to the root.
pub(super) const PAGE: &str = "docs/reliability.md";

/// Where the README has the promises.
pub(super) const README: &str = "README.md";
const BEGIN: &str = "<!-- promises: written by `cargo xtask reliability` -->\n";
const END: &str = "<!-- end of the promises -->\n";

/// The whole of the page.
pub(super) fn page(table: &Table) -> String {
    let mut out = String::from(
        "<!-- Written by `cargo xtask reliability` from the table in xtask/src/reliability and from the names of the tests. Do not edit. -->\n\
         # Reliability\n\n\
         What `harness` promises, every fault that it is prepared for, and the tests that prove it.\n\
         A test says in its name which rows it proves: `s6_s20_…` proves S6 and S20. `cargo xtask tidy` fails when a row has neither a test nor a reason for having none.\n",
    );
    let _ = writeln!(out, "\n{}\n", table.count());
    promises(&mut out, table);
    levels(&mut out);
    out.push_str("\n## Faults\n\nThe column \"guards\" has the promises that a row belongs to. Beside them two rules hold everywhere: *safe*, no secret leaves and nothing that was read acts; *ends*, nothing waits for ever.\n");
    for group in &GROUPS {
        let _ = write!(
            out,
            "\n### {}: {}\n\n| | fault | what happens | guards | proved by |\n|---|---|---|---|---|\n",
            group.letter, group.title
        );
        for row in group.rows {
            line(&mut out, row, table);
        }
    }
    out
}

fn promises(out: &mut String, table: &Table) {
    out.push_str("## The promises\n");
    for (number, promise) in (1..).zip(&PROMISES) {
        let _ = write!(out, "\n{number}. **{}.** {}", promise.text, promise.how);
        let rows: Vec<&Row> = super::rows::all()
            .filter(|row| row.guards.contains(&promise.guard))
            .collect();
        let tests = table.tests_of(&rows);
        let ids: Vec<&str> = rows.iter().map(|row| row.id).collect();
        let _ = writeln!(out, " *{tests} tests try to break it:* {}.", ids.join(", "));
    }
}

fn levels(out: &mut String) {
    out.push_str("\n## Levels of containment\n\nThe best level that the machine allows is found by trying it at the start. `harness doctor` prints it, and every trial records its own.\n\n| level | needs | promises |\n|---|---|---|\n");
    for (level, needs, promises) in LEVELS {
        let _ = writeln!(out, "| {level} | {needs} | {promises} |");
    }
    let _ = writeln!(out, "\n{VERIFIERS}");
    out.push_str("\n## Not covered\n\n");
    for text in NOT_COVERED {
        let _ = writeln!(out, "- {text}");
    }
}

fn line(out: &mut String, row: &Row, table: &Table) {
    let guards: Vec<&str> = row.guards.iter().copied().map(Guard::name).collect();
    let proofs: Vec<String> = table
        .proofs_of(row.id)
        .map(|proof| format!("[`{}`](../{})", proof.name, proof.file))
        .collect();
    let proved = match table.exception(row.id) {
        Some(reason) => format!("no test: {reason}"),
        None => proofs.join("<br>"),
    };
    let _ = writeln!(
        out,
        "| {} | {} | {} | {} | {proved} |",
        row.id,
        row.fault,
        row.then,
        guards.join(", ")
    );
}

/// The README with the promises as they are now; unchanged if it has no place for them.
pub(super) fn readme(text: &str, table: &Table) -> String {
    let Some((before, rest)) = text.split_once(BEGIN) else {
        return text.to_owned();
    };
    let Some((_, after)) = rest.split_once(END) else {
        return text.to_owned();
    };
    let mut out = format!("{before}{BEGIN}");
    out.push_str("| | promise | tests that try to break it |\n|---|---|---|\n");
    for (number, promise) in (1..).zip(&PROMISES) {
        let links: Vec<String> = promise
            .tried_by
            .iter()
            .map(|(words, test)| {
                let file = table.proof(test).map_or(PAGE, |proof| &proof.file);
                format!("[{words}]({file})")
            })
            .collect();
        let _ = writeln!(
            out,
            "| {number} | {} | {} |",
            promise.text,
            links.join(", ")
        );
    }
    out.push_str(END);
    out.push_str(after);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reliability::fixture;

    #[test]
    fn a_row_shows_its_tests_or_the_reason_for_having_none() {
        let page = page(&fixture());
        assert!(page.contains("| [`s1_x`](../a.rs) |\n"), "{page}");
        assert!(page.contains("no test: cannot be had |\n"), "{page}");
    }

    #[test]
    fn only_the_promises_of_the_readme_are_replaced() {
        let before = format!("# Title\n{BEGIN}old\n{END}rest\n");
        let after = readme(&before, &fixture());
        assert!(after.starts_with(&format!("# Title\n{BEGIN}| |")));
        assert!(after.ends_with(&format!("|\n{END}rest\n")) && !after.contains("old"));
        assert_eq!(readme(&after, &fixture()), after);
        assert_eq!(readme("nothing", &fixture()), "nothing");
    }
}
