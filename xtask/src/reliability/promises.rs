//! The eight promises, the levels of containment, and what neither covers: the words of the page and of the README.

use super::rows::Guard;

/// One promise.
pub(super) struct Promise {
    pub(super) guard: Guard,
    /// One sentence, without its full stop.
    pub(super) text: &'static str,
    /// How it is kept, and where it ends.
    pub(super) how: &'static str,
    /// What a reader finds behind the links of the README: a few words and the row whose tests they lead to.
    pub(super) tried_by: &'static [(&'static str, &'static str)],
}

pub(super) const PROMISES: [Promise; 8] = [
    Promise {
        guard: Guard::Processes,
        text: "No process of a run is alive after the harness has returned",
        how: "Every agent, app and verifier has a supervisor that is the reaper of all that it starts. It kills its children and reaps all of them, again and again, until there is none; \
              the tree is proven dead before the agent's work is verified. What cannot be proven dead is reported as a survivor, never claimed. How far this holds when the harness itself is killed is a matter of the [level](#levels-of-containment).",
        tried_by: &[("the escape zoo", "A7"), ("a fork that never rests", "A9")],
    },
    Promise {
        guard: Guard::Instances,
        text: "No instance outlives a clean exit, nor a killed harness by more than three heartbeat intervals",
        how: "The intent of a create is durable before the request leaves, so that a create whose answer was lost is looked for and found. Teardown is on every path, a panic's too. \
              At the end the service is asked what of the run still lives; what it names is closed, and it is asked again. Leases are short and kept alive by heartbeats from a dead-man switch, so that they lapse without us. \
              What cannot be confirmed closed is named, with the command that closes it: exit 4.",
        tried_by: &[
            ("a create whose answer is lost", "S6"),
            ("closes that fail", "S18"),
        ],
    },
    Promise {
        guard: Guard::Scores,
        text: "A score once printed is never lost",
        how: "The journal is synced before anything is shown and before the instance is given back. Every report is a fold of the journal and can be written again from it.",
        tried_by: &[
            ("killed in every state", "K6"),
            ("the journal cut and flipped at every byte", "K17"),
        ],
    },
    Promise {
        guard: Guard::Once,
        text: "A score is never counted twice",
        how: "A trial is named by run, task, variant and number. The first terminal record of a trial wins, a result of an older attempt is refused, and one harness at a time may write.",
        tried_by: &[
            ("resumed again and again", "K6"),
            ("two harnesses on one run", "K16"),
        ],
    },
    Promise {
        guard: Guard::Honest,
        text: "Infrastructure trouble is never scored as an agent's failure",
        how: "A trial whose environment, verifier or service failed has no score. Means are over scored trials and stand beside the number that is missing and the bounds \"all of them fail, all of them pass\"; too many missing make the exit code 3. \
              An agent's own failure is not tried again by default, an infrastructure fault is, and uses up no trial.",
        tried_by: &[
            ("an instance that dies under its agent", "S12"),
            ("a verifier that returns nonsense", "V3"),
        ],
    },
    Promise {
        guard: Guard::Bounded,
        text: "Memory does not grow with the size of outputs, nor with the number of tasks beyond a stated bound",
        how: "Every stream, line, answer and file that somebody else can make long has a limit. A trial that is over costs a few KiB, for its row in the reports; `cargo xtask soak` measures it.",
        tried_by: &[
            ("floods of output", "A11"),
            ("answers that unpack to a gigabyte", "S11"),
        ],
    },
    Promise {
        guard: Guard::ExitCode,
        text: "The exit code tells which of these happened",
        how: "0 all is well, 1 the gate failed, 2 nothing was started, 3 scores are missing, 4 an instance may be left, 5 the run could not go on, 130 and 143 stopped by a signal. A leak outranks everything else; nothing but errors is never 0.",
        tried_by: &[("signals", "K1"), ("a credential that is refused", "S5")],
    },
    Promise {
        guard: Guard::Continues,
        text: "Running the same command again continues",
        how: "`harness run` offers to go on with an unfinished run of the same spec, `--resume auto` does it without asking, `harness resume` by its name. What has its score keeps it, what was held is taken over or given back, and the rest is run as new attempts. The report is that of a run that was never interrupted.",
        tried_by: &[
            ("killed in every state", "K6"),
            ("a spec that was changed meanwhile", "P14"),
        ],
    },
];

/// A level of containment: number, name, what it needs, what it promises.
pub(super) const LEVELS: [(&str, &str, &str); 4] = [
    (
        "3 sealed",
        "user, PID and mount namespaces",
        "nothing survives, even if harness and supervisor are killed together; an agent can neither see nor signal them",
    ),
    (
        "2 cgroup",
        "a delegated cgroup (v2)",
        "as level 1, and the kernel kills the whole group at once; what a group needs and may use is counted for the tree as a whole",
    ),
    (
        "1 supervised",
        "any Linux, no privileges",
        "nothing survives unless harness and supervisor are killed together with SIGKILL; then the next start ends what it can still recognise",
    ),
    (
        "0 best effort",
        "no supervisor can be started",
        "the process group and the descendants that can be seen",
    ),
];

pub(super) const NOT_COVERED: [&str; 4] = [
    "Work that a program hands to another daemon: a container engine, a service manager, `at`, a remote shell. No supervisor on the machine can follow it; do not give agents such sockets.",
    "An instance whose service neither answers nor lets leases lapse. It is named with exit 4, and that is all that a client can do.",
    "A disk that loses what it said it had synced.",
    "A task or an agent that gives its own secrets away over the network, or writes them in a form of its own. What the harness knows to be secret is masked in what it writes.",
];
