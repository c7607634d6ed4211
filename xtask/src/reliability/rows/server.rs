//! Faults of the service and of the way to it.

use super::Guard::{
    Bounded, Continues, Ends, ExitCode, Honest, Instances, Once, Processes, Safe, Scores,
};
use super::Row;

pub(super) const ROWS: &[Row] = &[
    Row {
        id: "S1",
        fault: "A create is answered 500, 502, 503 or 504, a few times or for ever",
        then: "Repeated under the same request id after growing random waits, within the call's budget. When that is spent the attempt is an infrastructure fault, and the other trials go on.",
        guards: &[Instances, Honest, Ends],
    },
    Row {
        id: "S2",
        fault: "429 with a `Retry-After` in seconds, as a date, negative, enormous or absent",
        then: "Honoured up to a limit. The pause holds for all calls but heartbeats, and those who waited come back at the set rate, not as a herd.",
        guards: &[Ends, Bounded],
    },
    Row {
        id: "S3",
        fault: "The team's instance limit is reached",
        then: "Waiting, not failing: no attempt is used up, fewer creates are tried at once, the screen says so, and the run goes on as soon as there is room.",
        guards: &[Instances, Honest, Ends],
    },
    Row {
        id: "S4",
        fault: "The credential is refused at the start",
        then: "Exit 2 before any create, with the variable that the key comes from.",
        guards: &[ExitCode],
    },
    Row {
        id: "S5",
        fault: "The credential is refused in the middle of a run",
        then: "Nothing new starts, agents are ended because their work cannot be verified, the leases stay in the journal, and the exit code says that the run could not go on or what may be left.",
        guards: &[Instances, Scores, ExitCode],
    },
    Row {
        id: "S6",
        fault: "A create is carried out and its answer is lost",
        then: "Ambiguous, never assumed to have failed: asked again under the same request id, then looked for by run id until it must have shown. What is found is used or closed.",
        guards: &[Instances, Once],
    },
    Row {
        id: "S7",
        fault: "A repeated create is answered 409 with an instance that starts, runs or has failed",
        then: "The instance is waited for within the budget, taken over, or given up under a new request id.",
        guards: &[Instances, Once],
    },
    Row {
        id: "S8",
        fault: "One request id makes two instances",
        then: "The sweep by run id finds the one that the journal does not name and closes it.",
        guards: &[Instances],
    },
    Row {
        id: "S9",
        fault: "An answer that trickles or never ends",
        then: "Given up when it stalls, at the call's deadline, or at the limit of its size, whichever comes first.",
        guards: &[Bounded, Ends],
    },
    Row {
        id: "S10",
        fault: "200 with HTML, half an object, nothing, wrong types, nulls or unknown fields",
        then: "Unknown fields and values are kept. What cannot be read is repeated where that is safe and looked up where it is not; a short excerpt is kept as evidence.",
        guards: &[Honest, Instances],
    },
    Row {
        id: "S11",
        fault: "An answer of a gigabyte, or one that unpacks to it",
        then: "Cut at a limit that counts unpacked bytes; memory does not follow the answer.",
        guards: &[Bounded],
    },
    Row {
        id: "S12",
        fault: "An instance dies under its agent",
        then: "Noticed by the heartbeat within an interval. The agent is ended, the attempt is an infrastructure fault and is made again; it is never scored.",
        guards: &[Honest, Processes],
    },
    Row {
        id: "S13",
        fault: "One, two or three heartbeats in a row fail",
        then: "One is tolerated and the second warned about. After the third the instance counts as lost, once the service was asked.",
        guards: &[Honest],
    },
    Row {
        id: "S14",
        fault: "The machine is so busy that heartbeats are late",
        then: "They are sent from a thread and runtime of their own at a third of the interval, so that no load of the trials delays them by much.",
        guards: &[Honest],
    },
    Row {
        id: "S15",
        fault: "The clocks of service and machine differ, or a deadline lies in the past",
        then: "Only durations of this machine decide. A refusal for the time's sake is told as that, and not as a bad key.",
        guards: &[Honest, ExitCode],
    },
    Row {
        id: "S16",
        fault: "A TTL shorter than the work, or a harness that hangs while its heartbeats go on",
        then: "The first is refused when the spec is read, with the sum shown. For the second the sender is a dead-man switch: it stops when the harness makes no progress or the lease reaches its own deadline.",
        guards: &[Instances, ExitCode, Ends],
    },
    Row {
        id: "S17",
        fault: "A close is answered 404 or 410",
        then: "The instance is gone; that is what was wanted.",
        guards: &[Instances],
    },
    Row {
        id: "S18",
        fault: "Closes fail for minutes, or say yes while the instance lives on",
        then: "Repeated within a budget after the results are safe, and confirmed by asking. What cannot be confirmed is named with the command that closes it: exit 4.",
        guards: &[Instances, ExitCode, Ends],
    },
    Row {
        id: "S19",
        fault: "A listing omits an instance that was just made, comes in pages, or names those of others",
        then: "Asked twice. Only what carries the run's id is closed, never an instance of somebody else.",
        guards: &[Instances],
    },
    Row {
        id: "S20",
        fault: "A name that does not resolve, a certificate that is not valid, a proxy, a captive portal",
        then: "Names are tried again. A bad certificate ends the call; there is no insecure mode. Proxy variables are honoured, but never for this machine.",
        guards: &[Safe, Ends],
    },
    Row {
        id: "S21",
        fault: "A redirect to another host",
        then: "Not followed, so the key never leaves for it.",
        guards: &[Safe],
    },
    Row {
        id: "S22",
        fault: "Ids or addresses in an answer that are made to do harm",
        then: "Ids are checked for characters and length before they become part of a path; the key goes to the service's own address alone.",
        guards: &[Safe],
    },
    Row {
        id: "S23",
        fault: "Every call takes half a minute",
        then: "Slower, not broken: no call is repeated because it is slow, and the screen shows in which phase the trials are.",
        guards: &[Ends],
    },
    Row {
        id: "S24",
        fault: "404 on a call to an instance",
        then: "May mean gone or not reachable: the control plane decides. It is not blindly repeated; on a close it means closed.",
        guards: &[Honest, Instances, Continues],
    },
];
