//! What happens to the harness itself: signals, crashes, and a machine that runs out of something.

use super::Guard::{
    Bounded, Continues, Ends, ExitCode, Honest, Instances, Once, Processes, Scores,
};
use super::Row;

pub(super) const ROWS: &[Row] = &[
    Row {
        id: "K1",
        fault: "Ctrl-C",
        then: "Said at once, with what the next one will do. Nothing new starts, agents get TERM and their grace, every instance is given back, the reports are written: exit 130.",
        guards: &[Instances, Processes, Scores, ExitCode],
    },
    Row {
        id: "K2",
        fault: "Ctrl-C a second and a third time",
        then: "The second kills agents and gives instances back within ten seconds. The third leaves at once, with the journal intact and the command that closes the rest.",
        guards: &[Instances, Processes, ExitCode],
    },
    Row {
        id: "K3",
        fault: "One key press that arrives as two signals",
        then: "Counts once.",
        guards: &[ExitCode],
    },
    Row {
        id: "K4",
        fault: "SIGTERM",
        then: "As Ctrl-C, soon enough for a container's grace of 30 s: exit 143.",
        guards: &[Instances, ExitCode, Ends],
    },
    Row {
        id: "K5",
        fault: "SIGHUP",
        then: "As SIGTERM. One that is ignored at the start, as under `nohup`, stays ignored.",
        guards: &[ExitCode],
    },
    Row {
        id: "K6",
        fault: "SIGKILL, in every state of the journal",
        then: "The next start goes on: what has a score keeps it, what was held is taken over or given back, and the report equals that of a run that was never interrupted.",
        guards: &[Instances, Scores, Once, Processes, Continues],
    },
    Row {
        id: "K7",
        fault: "The kernel kills for want of memory",
        then: "Agents are offered to it first. If it takes the harness, the supervisors see their socket close and end their trees.",
        guards: &[Processes, Instances],
    },
    Row {
        id: "K8",
        fault: "The disk is full: before the start, at an intent, at a score, at a report",
        then: "A run is not begun on it. Without a durable intent nothing is created. The run stops with exit 5 and gives everything back; reports can be written again from the journal.",
        guards: &[Scores, Instances, ExitCode, Continues],
    },
    Row {
        id: "K9",
        fault: "A write or a sync fails",
        then: "Fatal for that file and never tried again, because a second success would prove nothing. The run drains and exits with 5.",
        guards: &[Scores, ExitCode],
    },
    Row {
        id: "K10",
        fault: "The folder for runs is read-only, cannot be made, or belongs to somebody else",
        then: "Exit 2 before any create.",
        guards: &[ExitCode, Instances],
    },
    Row {
        id: "K11",
        fault: "File descriptors run out",
        then: "The soft limit is raised. If even the hard limit is too low for the spec's concurrency, fewer trials run at once and the run says so; if it is too low for one, exit 2.",
        guards: &[Instances, Scores],
    },
    Row {
        id: "K12",
        fault: "No further process can be started",
        then: "An infrastructure fault that is tried again, never the agent's failure.",
        guards: &[Honest],
    },
    Row {
        id: "K13",
        fault: "The machine sleeps",
        then: "Leases are measured on a clock that counts the sleep. What lapsed is an infrastructure fault and not a failure of the agent.",
        guards: &[Honest, Instances],
    },
    Row {
        id: "K14",
        fault: "The wall clock jumps by a day or an hour",
        then: "Durations are monotonic; the journal is ordered by its numbers and not by its times.",
        guards: &[Scores],
    },
    Row {
        id: "K15",
        fault: "Ctrl-Z, then `fg`",
        then: "As after a sleep: heartbeats that were missed are found out about before anything is scored.",
        guards: &[Honest],
    },
    Row {
        id: "K16",
        fault: "Two harnesses on one run",
        then: "The journal is locked. The second says which process has it and leaves with exit 2; a crash frees it.",
        guards: &[Once],
    },
    Row {
        id: "K17",
        fault: "A journal with a torn end, a flipped byte or a newer format",
        then: "A torn last line is cut with a warning. Damage anywhere else is refused with its line; `--salvage` keeps what can be proven without it and runs the rest again. A newer format is refused with what to do.",
        guards: &[Scores, Once, Continues],
    },
    Row {
        id: "K18",
        fault: "Standard output is closed, or the terminal is gone",
        then: "No panic; the run is finished.",
        guards: &[Instances, ExitCode],
    },
    Row {
        id: "K19",
        fault: "A bug: a panic in a trial",
        then: "Caught at its attempt. The instance is given back, the other trials go on, and the trial is told as `internal`.",
        guards: &[Instances, Scores, ExitCode],
    },
    Row {
        id: "K20",
        fault: "The program is replaced while it runs",
        then: "Supervisors are started from the running image and not from the path.",
        guards: &[Processes],
    },
    Row {
        id: "K21",
        fault: "A hundred thousand trials, ten thousand at once",
        then: "Memory grows with what is under way and by a small bound for each trial that is known; one decision of the scheduler takes far less than a millisecond.",
        guards: &[Bounded, Ends],
    },
];
