//! What is written of a run.

use super::Guard::{Bounded, Once, Safe, Scores};
use super::Row;

pub(super) const ROWS: &[Row] = &[
    Row {
        id: "C1",
        fault: "A cell that a spreadsheet would run",
        then: "Text columns are neutralised, numbers stay numbers, and the JSON has the text as it was.",
        guards: &[Safe, Scores],
    },
    Row {
        id: "C2",
        fault: "Commas, quotes, line breaks and NUL in a cell",
        then: "RFC 4180; what is read back is what was written.",
        guards: &[Scores],
    },
    Row {
        id: "C3",
        fault: "HTML and scripts in names and output",
        then: "Text on the page and nothing else; the page's own policy forbids everything that it does not need.",
        guards: &[Safe],
    },
    Row {
        id: "C4",
        fault: "A secret in output, command lines or addresses, in another encoding, or cut in two",
        then: "Masked before it reaches the disk, across the borders of chunks.",
        guards: &[Safe],
    },
    Row {
        id: "C5",
        fault: "A crash while a report is written",
        then: "The old file or the new one, never a half: written beside it, synced, moved over it, and the folder synced.",
        guards: &[Scores],
    },
    Row {
        id: "C6",
        fault: "A hundred thousand rows",
        then: "A page of a few megabytes that draws only the rows in view.",
        guards: &[Bounded],
    },
    Row {
        id: "C7",
        fault: "Control characters in what a terminal shows",
        then: "Shown escaped.",
        guards: &[Safe],
    },
    Row {
        id: "C8",
        fault: "Characters that XML does not allow",
        then: "Dropped from the JUnit file, which stays well-formed.",
        guards: &[Scores],
    },
    Row {
        id: "C9",
        fault: "Sittings of one run that overlap",
        then: "A row per task, variant and trial; the first terminal record counts and a late one is refused.",
        guards: &[Once],
    },
    Row {
        id: "C10",
        fault: "Numbers and the machine's language",
        then: "The shortest form that reads back as the same number, with a point; columns never move.",
        guards: &[Scores],
    },
];
