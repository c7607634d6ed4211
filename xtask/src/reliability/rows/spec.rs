//! The run spec, the tasks and what else is read.

use super::Guard::{Bounded, Continues, Ends, ExitCode, Honest, Once, Safe};
use super::Row;

pub(super) const ROWS: &[Row] = &[
    Row {
        id: "P1",
        fault: "YAML whose aliases multiply",
        then: "Refused quickly, at a limit of values.",
        guards: &[Bounded, Ends],
    },
    Row {
        id: "P2",
        fault: "A hundred thousand levels of nesting, or a file of gigabytes",
        then: "Refused quickly, at a limit of depth and of 32 MiB.",
        guards: &[Bounded, Ends],
    },
    Row {
        id: "P3",
        fault: "An unknown key",
        then: "Exit 2 with file, line, column and the key that was meant.",
        guards: &[ExitCode],
    },
    Row {
        id: "P4",
        fault: "The same key twice",
        then: "An error with both places, in maps of the user's own keys too.",
        guards: &[Once],
    },
    Row {
        id: "P5",
        fault: "A task key that is a path, has NUL bytes, thousands of characters, or differs from another in case only",
        then: "Never used as a path: folders have a slug and a hash. The exact bytes are its identity.",
        guards: &[Safe, Once],
    },
    Row {
        id: "P6",
        fault: "Two tasks of one key",
        then: "Exit 2 with both places.",
        guards: &[Once],
    },
    Row {
        id: "P7",
        fault: "A hundred thousand tasks",
        then: "Loaded in seconds, in memory that is a small multiple of the file.",
        guards: &[Bounded],
    },
    Row {
        id: "P8",
        fault: "Keys that look alike: composed and decomposed letters, invisible characters, reversed text, very wide ones",
        then: "Different tasks, with a warning that names the twins. What a terminal would reorder or hide is shown escaped, and columns are cut by width.",
        guards: &[Safe, Once],
    },
    Row {
        id: "P9",
        fault: "`no`, `1e3` and `012` where text is meant",
        then: "Text where the key wants text or the message says to quote it; never silently another value.",
        guards: &[Honest],
    },
    Row {
        id: "P10",
        fault: "`${NAME}` that is not set, or whose value has `${…}` in it",
        then: "An error that names the variable. Values are not looked into again and never shown.",
        guards: &[Safe],
    },
    Row {
        id: "P11",
        fault: "A prompt of megabytes, with quotes and line breaks",
        then: "Given whole in a file or on standard input; no shell is involved. The variable has as much of it as fits, and a command line that would be too long is refused before any create.",
        guards: &[Safe, ExitCode],
    },
    Row {
        id: "P12",
        fault: "A spec that wants to fetch something",
        then: "Refused: a path is a path.",
        guards: &[Safe],
    },
    Row {
        id: "P13",
        fault: "No tasks, or filters that leave none",
        then: "Exit 2 with how many there were.",
        guards: &[ExitCode],
    },
    Row {
        id: "P14",
        fault: "The spec of a run is changed before the run is resumed",
        then: "Refused, with the lines that differ: one report is of one experiment.",
        guards: &[Once, Continues],
    },
    Row {
        id: "P15",
        fault: "A byte order mark, Windows line ends, UTF-16, tabs",
        then: "The first two change nothing; the others are named with what to do.",
        guards: &[ExitCode],
    },
];
