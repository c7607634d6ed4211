//! The fault table: what can go wrong, and what must then be true. Which tests prove a row is found in the tests.

mod agent;
mod harness;
mod report;
mod server;
mod session;
mod spec;
mod verifier;

/// What a row is about: one of the eight promises, or one of the two rules beside them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guard {
    Processes,
    Instances,
    Scores,
    Once,
    Honest,
    Bounded,
    ExitCode,
    Continues,
    /// No secret leaves, and nothing that was read acts.
    Safe,
    /// Nothing waits for ever.
    Ends,
}

impl Guard {
    /// As the page names it: the number of the promise, or the rule.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Processes => "1",
            Self::Instances => "2",
            Self::Scores => "3",
            Self::Once => "4",
            Self::Honest => "5",
            Self::Bounded => "6",
            Self::ExitCode => "7",
            Self::Continues => "8",
            Self::Safe => "safe",
            Self::Ends => "ends",
        }
    }
}

/// A fault.
pub(super) struct Row {
    /// The letter of its group and its number.
    pub(super) id: &'static str,
    pub(super) fault: &'static str,
    /// What must be true when it happens.
    pub(super) then: &'static str,
    pub(super) guards: &'static [Guard],
}

/// Faults of one origin.
pub(super) struct Group {
    pub(super) letter: char,
    pub(super) title: &'static str,
    pub(super) rows: &'static [Row],
}

pub(super) const GROUPS: [Group; 7] = [
    Group {
        letter: 'S',
        title: "The service",
        rows: server::ROWS,
    },
    Group {
        letter: 'A',
        title: "The agent",
        rows: agent::ROWS,
    },
    Group {
        letter: 'K',
        title: "The harness and its machine",
        rows: harness::ROWS,
    },
    Group {
        letter: 'V',
        title: "The verifier",
        rows: verifier::ROWS,
    },
    Group {
        letter: 'P',
        title: "The spec and the tasks",
        rows: spec::ROWS,
    },
    Group {
        letter: 'C',
        title: "The reports",
        rows: report::ROWS,
    },
    Group {
        letter: 'X',
        title: "Sessions",
        rows: session::ROWS,
    },
];

/// All rows, in the order of the page.
pub(super) fn all() -> impl Iterator<Item = &'static Row> {
    GROUPS.iter().flat_map(|group| group.rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_numbered_without_a_gap() {
        for group in &GROUPS {
            for (number, row) in (1..).zip(group.rows) {
                assert_eq!(row.id, format!("{}{number}", group.letter));
            }
        }
        assert_eq!(all().count(), 105);
    }

    #[test]
    fn every_row_says_what_it_guards_in_text_that_fits_a_cell() {
        for row in all() {
            assert!(!row.guards.is_empty(), "{}", row.id);
            for text in [row.fault, row.then] {
                assert!(!text.contains(['|', '\n']), "{}: {text}", row.id);
            }
        }
    }
}
