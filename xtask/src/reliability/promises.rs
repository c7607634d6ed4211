//! The eight promises, the levels of containment, and what neither covers: the words of the page and of the README.

use super::rows::Guard;

/// One promise.
pub(super) struct Promise {
    pub(super) guard: Guard,
    /// One sentence, without its full stop.
    pub(super) text: &'static str,
    /// How it is kept, and where it ends.
    pub(super) how: &'static str,
    /// What a reader finds behind the links of the README: a few words and the test that they lead to.
    pub(super) tried_by: &'static [(&'static str, &'static str)],
}

pub(super) const PROMISES: [Promise; 8] = [
    Promise {
        guard: Guard::Processes,
        text: "No process of a run is alive after the harness has returned",
        how: "Every agent, app and verifier has a supervisor that is the reaper of all that it starts. It kills its children and reaps all of them, again and again, until there is none; \
              the tree is proven dead before the agent's work is verified. What cannot be proven dead is reported as a survivor, never claimed. How far this holds when the harness itself is killed is a matter of the [level](#levels-of-containment).",
        tried_by: &[
            ("the escape zoo", "a7_a_daemon"),
            ("a fork bomb", "a9_a_fork_bomb_meets_its_limit_and_is_ended"),
        ],
    },
    Promise {
        guard: Guard::Instances,
        text: "No instance outlives a clean exit, nor a killed harness by more than three heartbeat intervals",
        how: "The intent of a create is durable before the request leaves, so that a create whose answer was lost is looked for and found. Teardown is on every path, a panic's too. \
              At the end the service is asked what of the run still lives; what it names is closed, and it is asked again. Leases are short and kept alive by heartbeats from a dead-man switch, so that they lapse without us. \
              What cannot be confirmed closed is named, with the command that closes it: exit 4.",
        tried_by: &[
            (
                "a create whose answer is lost",
                "s6_a_create_whose_answer_is_lost_makes_one_instance_and_costs_no_attempt",
            ),
            (
                "closes that fail",
                "s18_a_close_that_fails_is_tried_until_it_works",
            ),
        ],
    },
    Promise {
        guard: Guard::Scores,
        text: "A score once printed is never lost",
        how: "The journal is synced before anything is shown and before the instance is given back. Every report is a fold of the journal and can be written again from it.",
        tried_by: &[
            (
                "killed before every sync",
                "k6_v8_killed_before_every_sync_of_the_journal_a_run_is_resumed_to_the_same_end",
            ),
            (
                "the journal cut and flipped at every byte",
                "k17_a_file_cut_at_any_byte_loses_at_most_the_line_it_was_cut_in",
            ),
        ],
    },
    Promise {
        guard: Guard::Once,
        text: "A score is never counted twice",
        how: "A trial is named by run, task, variant and number. The first terminal record of a trial wins, a result of an older attempt is refused, and one harness at a time may write.",
        tried_by: &[
            (
                "thousands of simulated worlds",
                "k6_v10_x1_every_promise_holds_in_every_world",
            ),
            (
                "two harnesses on one run",
                "k16_a_second_harness_is_refused_while_the_first_works",
            ),
        ],
    },
    Promise {
        guard: Guard::Honest,
        text: "Infrastructure trouble is never scored as an agent's failure",
        how: "A trial whose environment, verifier or service failed has no score. Means are over scored trials and stand beside the number that is missing and the bounds \"all of them fail, all of them pass\"; too many missing make the exit code 3. \
              An agent's own failure is not tried again by default, an infrastructure fault is, and uses up no trial.",
        tried_by: &[
            (
                "an instance that dies under its agent",
                "s12_an_instance_that_dies_under_its_agent_ends_the_agent_and_is_replaced",
            ),
            (
                "a verifier that returns nonsense",
                "v2_v3_v4_v5_a_broken_verifier_leaves_the_trial_unscored",
            ),
        ],
    },
    Promise {
        guard: Guard::Bounded,
        text: "Memory does not grow with the size of outputs, nor with the number of tasks beyond a stated bound",
        how: "Every stream, line, answer and file that somebody else can make long has a limit. A trial that is over costs a few KiB, for its row in the reports; `cargo xtask soak` measures it.",
        tried_by: &[
            (
                "floods of output",
                "a11_a12_hundreds_of_megabytes_cost_neither_memory_nor_disk_nor_the_score",
            ),
            (
                "answers that unpack to a gigabyte",
                "s9_s11_endless_answers_and_gzip_bombs_are_cut_at_a_limit",
            ),
        ],
    },
    Promise {
        guard: Guard::ExitCode,
        text: "The exit code tells which of these happened",
        how: "0 all is well, 1 the gate failed, 2 nothing was started, 3 scores are missing, 4 an instance may be left, 5 the run could not go on, 130 and 143 stopped by a signal. A leak outranks everything else; nothing but errors is never 0.",
        tried_by: &[
            ("signals", "k1_one_interrupt_ends_every_phase_cleanly"),
            (
                "a credential that is refused",
                "s5_a_key_that_is_revoked_in_the_middle_stops_the_run_at_every_call",
            ),
        ],
    },
    Promise {
        guard: Guard::Continues,
        text: "Running the same command again continues",
        how: "`harness run` offers to go on with an unfinished run of the same spec, `--resume auto` does it without asking, `harness resume` by its name. What has its score keeps it, what was held is taken over or given back, and the rest is run as new attempts. The report is that of a run that was never interrupted.",
        tried_by: &[
            (
                "the same command",
                "k6_the_same_command_continues_an_unfinished_run",
            ),
            (
                "finished work is not done again",
                "k6_the_work_of_an_agent_that_had_finished_is_verified_and_not_done_again",
            ),
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
        "0 none",
        "no supervisor can be started here",
        "nothing is run: an agent that could not be ended is not begun",
    ),
];

/// What the level is about and where the other half is told.
pub(super) const VERIFIERS: &str = "Verifiers of the embedded server are code that nobody vouches for. Python and command verifiers run under the same supervisor and in a [sandbox](environments.md) besides: limits, an own network with nothing in it but the manager of their own instance, Landlock, seccomp. Where it cannot be had there is no score, unless the configuration says otherwise.";

pub(super) const NOT_COVERED: [&str; 4] = [
    "Work that a program hands to another daemon: a container engine, a service manager, `at`, a remote shell. No supervisor on the machine can follow it; do not give agents such sockets.",
    "An instance whose service neither answers nor lets leases lapse. It is named with exit 4, and that is all that a client can do.",
    "A disk that loses what it said it had synced.",
    "A task or an agent that gives its own secrets away over the network, or writes them in a form of its own. What the harness knows to be secret is masked in what it writes.",
];
