//! What an agent, which is any program, can do.

use super::Guard::{Bounded, Ends, ExitCode, Honest, Instances, Processes, Safe, Scores};
use super::Row;

pub(super) const ROWS: &[Row] = &[
    Row {
        id: "A1",
        fault: "It exits with an error",
        then: "Recorded, and its work is verified all the same unless the spec says `verify: on_success`.",
        guards: &[Honest],
    },
    Row {
        id: "A2",
        fault: "It dies by a signal, or for want of memory",
        then: "The row names the signal; the agent `crashed`.",
        guards: &[Honest],
    },
    Row {
        id: "A3",
        fault: "It never ends",
        then: "At its timeout it gets TERM, its grace period, KILL. It is recorded as timed out and verified.",
        guards: &[Processes, Ends, Honest],
    },
    Row {
        id: "A4",
        fault: "It ignores TERM, INT and HUP",
        then: "Killed after its grace period.",
        guards: &[Processes],
    },
    Row {
        id: "A5",
        fault: "It stops itself",
        then: "Continued so that TERM can reach it, then killed.",
        guards: &[Processes],
    },
    Row {
        id: "A6",
        fault: "Its children have groups or sessions of their own, or ignore hang-ups",
        then: "All dead, and proven so, before its work is verified.",
        guards: &[Processes, Honest],
    },
    Row {
        id: "A7",
        fault: "It leaves a daemon that was forked twice, with no environment and nothing open",
        then: "The same.",
        guards: &[Processes],
    },
    Row {
        id: "A8",
        fault: "It exits with 0 and a child keeps its output open",
        then: "The child is ended and counted in the row; the result stays, and nobody waits for the pipe.",
        guards: &[Processes, Ends, Honest],
    },
    Row {
        id: "A9",
        fault: "It forks without end, or hops from process to process",
        then: "The supervisor converges: it kills its children and reaps all until there is none.",
        guards: &[Processes, Ends],
    },
    Row {
        id: "A10",
        fault: "It kills its parent, or everything that it may",
        then: "Sealed (level 3) it cannot reach them. Else the harness, too, is a reaper of orphans and ends what is left; a harness that was killed itself is resumed, and its instances end with their heartbeats.",
        guards: &[Processes, Instances, Scores],
    },
    Row {
        id: "A11",
        fault: "It writes ten gigabytes",
        then: "The first and the last part are kept, the middle is dropped and marked; the agent is never blocked and memory stays flat.",
        guards: &[Bounded, Ends],
    },
    Row {
        id: "A12",
        fault: "It writes one line that does not end",
        then: "Read in pieces; no line is ever held as a whole.",
        guards: &[Bounded],
    },
    Row {
        id: "A13",
        fault: "Its output is not UTF-8, or has NUL bytes",
        then: "The bytes are stored as they are; only views replace what cannot be shown.",
        guards: &[Scores, Honest],
    },
    Row {
        id: "A14",
        fault: "It prints commands for a CI system, for XML or for a terminal",
        then: "Neutralised in each place where its text is shown.",
        guards: &[Safe],
    },
    Row {
        id: "A15",
        fault: "It closes its streams and goes on, or reads standard input",
        then: "Standard input is empty unless the spec says otherwise. The end of the process counts, not that of its streams.",
        guards: &[Ends],
    },
    Row {
        id: "A16",
        fault: "It fills or deletes its folder, takes away all rights, or leaves links to elsewhere",
        then: "The folder is its own. Links are not followed and no other trial is touched.",
        guards: &[Bounded, Safe],
    },
    Row {
        id: "A17",
        fault: "Its program is missing, not executable, or its command line too long",
        then: "Found before any create: exit 2 with the place in the spec. What only shows at the start is `could_not_start`.",
        guards: &[ExitCode, Instances],
    },
    Row {
        id: "A18",
        fault: "It writes a score of its own, or looks for the service's key",
        then: "Scores come from the verifier alone. The agent inherits a short list of variables, and the key only if the spec says so.",
        guards: &[Safe, Honest],
    },
    Row {
        id: "A19",
        fault: "It ends at once",
        then: "An ordinary trial.",
        guards: &[Honest],
    },
];
