//! Verifiers, which are somebody else's code, and what comes back from them.

use super::Guard::{Bounded, Honest, Once, Scores};
use super::Row;

pub(super) const ROWS: &[Row] = &[
    Row {
        id: "V1",
        fault: "A verification times out, is answered 5xx, or its connection breaks",
        then: "Tried again while the instance is kept alive, then unscored; never a zero.",
        guards: &[Honest, Scores],
    },
    Row {
        id: "V2",
        fault: "The verifier raises",
        then: "No score. The report groups such trials and shows the text.",
        guards: &[Honest],
    },
    Row {
        id: "V3",
        fault: "It returns text, null, a list, an object or a boolean",
        then: "A number, a boolean, `{\"score\": n}` and text that is a number are scores. Everything else is a broken verifier, not a zero; what it returned is kept.",
        guards: &[Honest],
    },
    Row {
        id: "V4",
        fault: "It returns NaN, an infinity or 1e999",
        then: "No score.",
        guards: &[Honest, Scores],
    },
    Row {
        id: "V5",
        fault: "It returns −0.2 or 1.7",
        then: "No score; the value is kept as evidence.",
        guards: &[Honest, Scores],
    },
    Row {
        id: "V6",
        fault: "`success: false` with a result, or `success: true` with an error",
        then: "`success` says whether the verifier ran, not whether the agent passed: false is no score whatever the result.",
        guards: &[Honest],
    },
    Row {
        id: "V7",
        fault: "It prints a hundred megabytes",
        then: "The first and the last part are kept.",
        guards: &[Bounded],
    },
    Row {
        id: "V8",
        fault: "It is called twice: a crash, or an answer that was lost",
        then: "The first durable score counts.",
        guards: &[Once],
    },
    Row {
        id: "V9",
        fault: "The instance is gone when it is to be verified",
        then: "An infrastructure fault and another attempt.",
        guards: &[Honest],
    },
    Row {
        id: "V10",
        fault: "Verifying while a process of the agent lives",
        then: "Impossible: the state machine has no such step, in release builds too.",
        guards: &[Honest],
    },
];
