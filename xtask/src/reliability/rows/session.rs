//! What goes wrong on a session's way from an agent to the service.

use super::Guard::{Bounded, Continues, Ends, ExitCode, Honest, Instances, Once, Safe, Scores};
use super::Row;

pub(super) const ROWS: &[Row] = &[
    Row {
        id: "X1",
        fault: "A request of a session or of the run's job gets no answer, or the harness is killed around it",
        then: "It is looked for at the service before it is sent again, and sent again as the same request. Every message is in one session once, and all sessions are in one job.",
        guards: &[Once, Continues],
    },
    Row {
        id: "X2",
        fault: "The service takes no sessions: it has none, refuses them, or is out of order",
        then: "No trial loses its score and no exit code changes. What is missing is said and stands in the reports; `harness resume` delivers what was not refused.",
        guards: &[Scores, Honest, ExitCode, Continues],
    },
    Row {
        id: "X3",
        fault: "The service hangs while it takes a session",
        then: "The instance was given back before, and a run that is stopped waits five seconds for it.",
        guards: &[Instances, Ends],
    },
    Row {
        id: "X4",
        fault: "A transcript, or one message of it, of any length",
        then: "Requests have at most 32 messages and 512 KiB. What does not fit is cut, and what is cut says so.",
        guards: &[Bounded, Honest],
    },
    Row {
        id: "X5",
        fault: "A secret in a transcript, spelled with JSON's escapes or not",
        then: "It is masked before the messages are put aside, and so before they leave.",
        guards: &[Safe],
    },
    Row {
        id: "X6",
        fault: "A transcript that is torn, in no known format, or no file",
        then: "What can be read of it is delivered and the rest is counted there; without a message the session is the prompt and the answer.",
        guards: &[Honest, Continues],
    },
];
