//! Records for tests: built from events, as a run builds them.

use jiff::{SignedDuration, Timestamp};
use run_record::{
    AgentOutcome, AgentReport, Attempt, Entry, ErrorKind, Event, Failure, GateSpec, InstanceId,
    Phase, PlannedTrial, RequestId, RunEnd, RunId, RunInfo, RunRecord, SessionEnd, StopReason,
    TaskKey, TeardownOutcome, TrialId, Usage, VariantInfo, VariantName, VerifierReport,
};

/// What becomes of a trial.
pub(crate) enum Outcome {
    /// A score of an agent that completed.
    Score(f64),
    /// A score of an agent that did something else, with its own words on it.
    Agent(f64, AgentOutcome, Option<i32>, Option<i32>, &'static str),
    /// No score.
    Unscored(Phase, ErrorKind, &'static str),
    /// One attempt without a score, then a score.
    Retried(f64),
    /// Nothing happened yet.
    Pending,
}

/// Collects the events of a run.
pub(crate) struct RunBuilder {
    info: RunInfo,
    planned: Vec<PlannedTrial>,
    events: Vec<Event>,
    end: Option<RunEnd>,
    counter: u64,
    /// What the wall clock says at each line of the journal.
    clock: fn(i64) -> Timestamp,
}

impl RunBuilder {
    pub(crate) fn new() -> Self {
        Self {
            info: RunInfo {
                run_id: RunId::new("demo-20261102-030405-beef"),
                name: "demo".to_owned(),
                harness_version: "0.1.0".to_owned(),
                started_at: start(),
                spec_path: "configs/demo.yaml".to_owned(),
                spec_sha256: "00".repeat(32),
                spec_yaml: String::new(),
                endpoint: "local".to_owned(),
                agent: "scripted".to_owned(),
                pass_threshold: 1.0,
                gate: GateSpec::default(),
                trials_per_task: 1,
                variants: vec![VariantInfo {
                    name: VariantName::new(VariantName::DEFAULT),
                    values: Vec::new(),
                }],
                planned: None,
                rerun_of: None,
            },
            planned: Vec::new(),
            events: Vec::new(),
            end: None,
            counter: 0,
            clock: steady,
        }
    }

    pub(crate) fn gate(&mut self, gate: GateSpec) {
        self.info.gate = gate;
    }

    pub(crate) fn variants(&mut self, names: &[&str]) {
        let variant = |name: &&str| VariantInfo {
            name: VariantName::new(*name),
            values: name
                .split(',')
                .filter_map(|pair| pair.split_once('='))
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
        };
        self.info.variants = names.iter().map(variant).collect();
    }

    pub(crate) fn end(&mut self, reason: StopReason, unconfirmed: &[InstanceId]) {
        self.end = Some(RunEnd {
            reason,
            unconfirmed: unconfirmed.to_vec(),
            swept: Vec::new(),
            proven_empty: unconfirmed.is_empty(),
            elapsed_ms: 372_000,
        });
    }

    pub(crate) fn trial(&mut self, task: &str, trial: u32, outcome: &Outcome) {
        self.trial_of(task, VariantName::DEFAULT, trial, outcome);
    }

    pub(crate) fn trial_of(&mut self, task: &str, variant: &str, trial: u32, outcome: &Outcome) {
        self.counter += 1;
        let id = TrialId {
            task: TaskKey::new(task),
            variant: VariantName::new(variant),
            trial,
        };
        self.info.trials_per_task = self.info.trials_per_task.max(trial);
        self.planned.push(PlannedTrial {
            id: id.clone(),
            env_key: "helpdesk:v1.0.0".to_owned(),
            data_key: Some("default".to_owned()),
        });
        match outcome {
            Outcome::Pending => {}
            Outcome::Unscored(phase, kind, message) => {
                let failure = Failure {
                    phase: *phase,
                    kind: *kind,
                    message: (*message).to_owned(),
                };
                self.without_score(&id, Attempt::FIRST, failure, false);
            }
            Outcome::Retried(score) => {
                let failure = Failure {
                    phase: Phase::Provision,
                    kind: ErrorKind::Unavailable,
                    message: "the service answered 503".to_owned(),
                };
                self.without_score(&id, Attempt::FIRST, failure, true);
                let report = self.report(AgentOutcome::Completed, Some(0), None, "");
                self.with_score(&id, Attempt::FIRST.next(), *score, report);
            }
            Outcome::Score(score) => {
                let report = self.report(AgentOutcome::Completed, Some(0), None, "");
                self.with_score(&id, Attempt::FIRST, *score, report);
            }
            Outcome::Agent(score, agent, code, signal, error) => {
                let report = self.report(*agent, *code, *signal, error);
                self.with_score(&id, Attempt::FIRST, *score, report);
            }
        }
    }

    /// A job for the run's sessions.
    pub(crate) fn job(&mut self, id: &str) {
        self.events.push(Event::JobIntended {
            request_id: request_id(0),
            name: self.info.run_id.to_string(),
        });
        self.events.push(Event::JobCreated {
            job_id: id.to_owned(),
        });
    }

    /// The session of the trial that was told of last, which had one attempt.
    pub(crate) fn session(&mut self, id: &str) {
        let trial = self.planned.last().expect("a trial was told of").id.clone();
        self.events.push(Event::SessionIntended {
            trial: trial.clone(),
            attempt: Attempt::FIRST,
            request_id: request_id(self.counter * 10),
            offset: 0,
            messages: 3,
        });
        self.events.push(Event::SessionIngested {
            trial,
            attempt: Attempt::FIRST,
            session_id: id.to_owned(),
            messages: 3,
            end: Some(SessionEnd::Completed),
        });
    }

    /// The record of a run that ended, as told by [`RunBuilder::end`] or with everything done.
    pub(crate) fn finish(mut self) -> RunRecord {
        if self.end.is_none() {
            self.end(StopReason::Completed, &[]);
        }
        self.fold()
    }

    /// The record of a run that has no end.
    pub(crate) fn unfinished(mut self) -> RunRecord {
        self.end = None;
        self.fold()
    }

    fn fold(self) -> RunRecord {
        let plan = self.planned.into_iter().map(|planned| Event::TrialPlanned {
            planned: Box::new(planned),
        });
        let end = self
            .end
            .map(|end| Event::RunFinished { end: Box::new(end) });
        let events = std::iter::once(Event::RunStarted {
            run: Box::new(self.info),
        })
        .chain(plan)
        .chain(self.events)
        .chain(end);
        let clock = self.clock;
        let entries: Vec<Entry> = (1..)
            .zip(events)
            .map(|(seq, event)| Entry {
                seq,
                at: clock(i64::try_from(seq).unwrap()),
                event,
            })
            .collect();
        RunRecord::fold(&entries).unwrap().unwrap()
    }

    fn report(
        &self,
        outcome: AgentOutcome,
        exit_code: Option<i32>,
        signal: Option<i32>,
        error: &str,
    ) -> AgentReport {
        let n = self.counter;
        AgentReport {
            outcome,
            exit_code,
            signal,
            error: (!error.is_empty()).then(|| error.to_owned()),
            final_answer: None,
            verifiable: false,
            steps: Some(3 + n % 17),
            session_id: None,
            usage: Usage {
                input_tokens: Some(1200 + 37 * (n % 101)),
                output_tokens: Some(90 + n % 53),
                cost_usd: Some(0.01 + 0.0005 * (n % 40) as f64),
            },
            leaked_processes: 0,
            containment: 2,
            elapsed_ms: 1500 + (n * 7919) % 90_000,
        }
    }

    fn begin(&mut self, trial: &TrialId, attempt: Attempt) {
        let request_id = request_id(self.counter * 10 + u64::from(attempt.0));
        self.events.push(Event::ProvisionIntended {
            trial: trial.clone(),
            attempt,
            request_id,
            queue_ms: (self.counter * 31) % 4000,
        });
    }

    fn lease(&mut self, trial: &TrialId, attempt: Attempt) {
        self.events.push(Event::Provisioned {
            trial: trial.clone(),
            attempt,
            instance: InstanceId::new(format!("inst-{:06x}", self.counter * 0x9e37 % 0xff_ffff)),
            elapsed_ms: 400 + (self.counter * 131) % 2500,
        });
    }

    fn release(&mut self, trial: &TrialId, attempt: Attempt) {
        self.events.push(Event::ReleaseIntended {
            trial: trial.clone(),
            attempt,
        });
        self.events.push(Event::Released {
            trial: trial.clone(),
            attempt,
            teardown: TeardownOutcome::Released,
            elapsed_ms: 120 + self.counter % 60,
        });
    }

    fn with_score(&mut self, trial: &TrialId, attempt: Attempt, score: f64, report: AgentReport) {
        self.begin(trial, attempt);
        self.lease(trial, attempt);
        self.events.push(Event::AgentStarted {
            trial: trial.clone(),
            attempt,
            pid: 4242,
        });
        self.events.push(Event::AgentFinished {
            trial: trial.clone(),
            attempt,
            report: Box::new(report),
        });
        self.events.push(Event::VerifyIntended {
            trial: trial.clone(),
            attempt,
        });
        self.events.push(Event::Scored {
            trial: trial.clone(),
            attempt,
            score,
            verifier: Box::new(VerifierReport {
                execution_id: Some(format!("vx-{}", self.counter)),
                elapsed_ms: 300 + self.counter % 700,
                tries: 1,
            }),
        });
        self.release(trial, attempt);
    }

    fn without_score(&mut self, trial: &TrialId, attempt: Attempt, failure: Failure, retry: bool) {
        self.begin(trial, attempt);
        let has_instance = failure.phase != Phase::Provision;
        if has_instance {
            self.lease(trial, attempt);
        }
        if failure.phase == Phase::Verify {
            let report = self.report(AgentOutcome::Completed, Some(0), None, "");
            self.events.push(Event::AgentFinished {
                trial: trial.clone(),
                attempt,
                report: Box::new(report),
            });
            self.events.push(Event::VerifyIntended {
                trial: trial.clone(),
                attempt,
            });
        }
        self.events.push(Event::Unscored {
            trial: trial.clone(),
            attempt,
            failure,
            retry,
            ambiguous: false,
        });
        if has_instance {
            self.release(trial, attempt);
        }
    }
}

fn request_id(number: u64) -> RequestId {
    serde_json::from_str(&format!("\"00000000-0000-4000-8000-{number:012}\"")).unwrap()
}

fn start() -> Timestamp {
    "2026-11-02T03:04:05Z".parse().unwrap()
}

fn steady(line: i64) -> Timestamp {
    start() + SignedDuration::from_millis(line * 40)
}

/// A day forward and two back, again and again.
fn jumping(line: i64) -> Timestamp {
    steady(line) + SignedDuration::from_hours(24 * (line % 3 - 1))
}

/// A small run in which every text is hostile to some reader.
pub(crate) fn nasty() -> RunRecord {
    let mut run = RunBuilder::new();
    run.info.agent = "<b>agent</b>".to_owned();
    run.info.spec_path = "specs/|x|`y`.yaml".to_owned();
    run.variants(&["model=small", "model=</script><img src=x onerror=alert(1)>"]);
    let script = "model=</script><img src=x onerror=alert(1)>";
    run.job("job-1 `<b>` | @team");
    run.trial_of("=cmd|' /C calc'!A0", "model=small", 1, &Outcome::Score(1.0));
    run.session("=1+</script>\u{202e}");
    run.trial_of("plain-task", "model=small", 1, &Outcome::Score(0.25));
    run.trial_of(
        "comma, \"quote\"\nnewline",
        "model=small",
        1,
        &Outcome::Retried(1.0),
    );
    run.trial_of(
        "\u{202e}gpj.exe",
        "model=small",
        1,
        &Outcome::Unscored(
            Phase::Verify,
            ErrorKind::VerifierError,
            "-2+3 </script> ]]> \u{0}\u{1b}[31mred\u{1b}[0m \u{fffe} | `x` <img onerror=1> @team\nline two",
        ),
    );
    run.trial_of(&"long-".repeat(40), script, 1, &Outcome::Score(0.0));
    run.trial_of(
        "<img src=x onerror=alert(1)>",
        script,
        1,
        &Outcome::Score(0.5),
    );
    run.trial_of(
        "+1 | `pipe` [x](javascript:alert(1))",
        script,
        1,
        &Outcome::Agent(
            0.0,
            AgentOutcome::Crashed,
            None,
            Some(11),
            "]]> & \u{0} segfault </SCRIPT>",
        ),
    );
    run.trial_of("@SUM(A1)\0", script, 1, &Outcome::Pending);
    run.end(StopReason::Interrupted, &[]);
    run.finish()
}

/// A run as they are: tasks of differing difficulty, some agents that fail, some gaps.
pub(crate) fn sample(tasks: usize, trials: u32, variants: &[&str]) -> RunRecord {
    sample_by(steady, tasks, trials, variants)
}

/// The same run on a machine whose clock jumps.
pub(crate) fn sample_with_a_jumping_clock(tasks: usize) -> RunRecord {
    sample_by(jumping, tasks, 1, &["default"])
}

fn sample_by(
    clock: fn(i64) -> Timestamp,
    tasks: usize,
    trials: u32,
    variants: &[&str],
) -> RunRecord {
    let mut run = RunBuilder::new();
    run.clock = clock;
    run.info.name = "nightly-helpdesk".to_owned();
    run.info.run_id = RunId::new("nightly-helpdesk-20261102-030405-beef");
    run.info.agent = "scripted-agent".to_owned();
    run.variants(variants);
    run.gate(GateSpec {
        min_pass_rate: Some(0.6),
        min_mean_score: None,
        max_unscored: Some(0.1),
    });
    let kinds = [
        "assign",
        "merge-duplicates",
        "escalate",
        "refund",
        "triage",
        "close-stale",
        "retag",
    ];
    for task in 0..tasks {
        let kind = kinds[task % kinds.len()];
        let name = format!("{kind}-{:04}", task / kinds.len() + 1);
        for (at, variant) in variants.iter().enumerate() {
            for trial in 1..=trials {
                // A fixed scramble: difficulty belongs to the task, luck to the trial.
                let luck = (task * 7919 + at * 104_729 + trial as usize * 15_485_863) % 1000;
                let ease = (task * 2_654_435_761) % 1000;
                run.trial_of(
                    &name,
                    variant,
                    trial,
                    &sample_outcome(luck, ease + at * 150),
                );
            }
        }
    }
    run.finish()
}

fn sample_outcome(luck: usize, ease: usize) -> Outcome {
    match luck {
        0..20 => Outcome::Unscored(
            Phase::Provision,
            ErrorKind::Quota,
            "no room under the instance limit of 64 after 3 attempts",
        ),
        20..35 => Outcome::Unscored(
            Phase::Verify,
            ErrorKind::VerifierError,
            "verifier raised KeyError: 'tickets'\n  File \"verifier.py\", line 12, in verify\n    rows = after[\"tickets\"]",
        ),
        35..60 => Outcome::Agent(0.0, AgentOutcome::TimedOut, None, Some(15), ""),
        60..75 => Outcome::Agent(
            0.0,
            AgentOutcome::Crashed,
            None,
            Some(11),
            "segmentation fault",
        ),
        75..100 => Outcome::Agent(
            0.25,
            AgentOutcome::Failed,
            Some(3),
            None,
            "the login page did not load",
        ),
        100..130 => Outcome::Retried(1.0),
        luck if luck < 300 + ease * 6 / 10 => Outcome::Score(1.0),
        luck if luck % 3 == 0 => Outcome::Score((luck % 10) as f64 / 10.0),
        _ => Outcome::Score(0.0),
    }
}
