//! One world from a seed: its weather, its agents, its quota, and a run in it that is killed and resumed until it ends.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fleet_api::{SecretString, Task, VerifierSource};
use futures::StreamExt as _;
use run_record::{
    Event, ExitCode, GateSpec, JournalStore as _, RunId, RunInfo, RunLayout, RunRecord, TrialStatus,
};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::agents::{Crowd, Manners};
use super::dice::Dice;
use super::disk::Disk;
use super::fleet::{Fleet, Ledger, Weather};
use super::judge::Judge;
use crate::lease::Heartbeats;
use crate::plan::{Plan, TrialPlan};
use crate::recorder::Recorder;
use crate::runner::RunSignal;
use crate::runner::sitting::{Sitting, beats, sit};
use crate::spec::{RunSpec, Variant};
use crate::world::BootClock;

/// Sittings after which a run that is resumed again and again must have ended; the weather clears up meanwhile.
const MOST_SITTINGS: u32 = 9;

/// Far beyond what a sitting of these worlds can take: only a hang lasts so long.
const HANG: Duration = Duration::from_hours(60);

/// What came of a world, to tell the stories apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Story {
    pub(super) ledger: Ledger,
    sittings: u32,
    kills: u32,
    stops: u32,
    exits: Vec<ExitCode>,
    scored: usize,
    trials: usize,
    syncs: u64,
    adopted: usize,
    /// Requests of sessions that a kill left without an answer.
    cut_sessions: usize,
    sessions: usize,
}

/// The world of a seed.
struct World {
    dice: Dice,
    limit: u64,
    fleet: Fleet,
    disk: Disk,
    spec: Arc<RunSpec>,
    plan: Plan,
    weather: Weather,
    manners: Manners,
    disk_fails: u64,
    kills: bool,
    stops: bool,
    layout: RunLayout,
    _folder: tempfile::TempDir,
}

/// How a sitting came to its end.
enum Ended {
    /// By itself, or because it was told to stop.
    Itself(Box<RunRecord>, ExitCode),
    /// It was killed.
    Killed,
}

/// One sitting in fair weather whose every agent is started by code with a bug: the record, the exit code, what lives.
pub(super) fn play_with_a_bug(seed: u64) -> (RunRecord, ExitCode, Vec<String>) {
    runtime().block_on(async {
        let mut world = World::new(seed);
        world.weather = Weather::default();
        world.manners = Manners {
            panics: 100,
            ..Manners::default()
        };
        (world.disk_fails, world.kills, world.stops) = (0, false, false);
        world.begin();
        let before = world.disk.record().expect("the plan is durable");
        let Ended::Itself(record, exit) = world.sitting(1, &before).await else {
            panic!("nobody kills it");
        };
        (*record, exit, world.fleet.live())
    })
}

/// Plays a run to its end and judges it.
pub(super) fn play(seed: u64) -> Story {
    runtime().block_on(async {
        let world = World::new(seed);
        world.begin();
        world.play_to_its_end().await
    })
}

fn runtime() -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.expect("a runtime")
}

impl World {
    fn new(seed: u64) -> Self {
        let dice = Dice::new(seed);
        let folder = tempfile::tempdir().expect("a folder");
        let trials = 1 + dice.below(2);
        let tasks = 1 + dice.below(5);
        let limit = 1 + dice.below(6);
        let mut spec = base_spec().clone();
        spec.concurrency.environments = u32::try_from(1 + dice.below(4)).expect("small");
        spec.concurrency.agents = u32::try_from(1 + dice.below(3)).expect("small");
        spec.fleet.sessions = dice.chance(50);
        spec.limits.run_deadline = dice.chance(10).then(|| dice.millis(20_000, 400_000));
        Self {
            limit,
            fleet: Fleet::new(dice.clone(), limit),
            disk: Disk::new(dice.clone()),
            plan: plan(tasks, u32::try_from(trials).expect("small")),
            spec: Arc::new(spec.clone()),
            weather: weather(&dice),
            manners: Manners {
                talks: spec.fleet.sessions,
                ..manners(&dice)
            },
            disk_fails: dice.sometimes(2),
            kills: dice.chance(60),
            stops: dice.chance(20),
            layout: RunLayout::at(folder.path()),
            _folder: folder,
            dice,
        }
    }

    /// The plan becomes durable before anything else happens.
    fn begin(&self) {
        let mut store = self.disk.open(0);
        let mut events = vec![Event::RunStarted {
            run: Box::new(info(self.plan.trials.len())),
        }];
        events.extend(self.plan.trials.iter().map(|trial| Event::TrialPlanned {
            planned: Box::new(trial.planned()),
        }));
        store.append(events).expect("an empty disk takes it");
        store.sync().expect("it is synced");
    }

    async fn play_to_its_end(self) -> Story {
        let mut story = Story {
            ledger: Ledger::default(),
            sittings: 0,
            kills: 0,
            stops: 0,
            exits: Vec::new(),
            scored: 0,
            trials: self.plan.trials.len(),
            syncs: 0,
            adopted: 0,
            cut_sessions: 0,
            sessions: 0,
        };
        let mut judge = Judge::default();
        while story.sittings < MOST_SITTINGS {
            story.sittings += 1;
            let before = self.disk.record().expect("the plan is durable");
            let ended = self.sitting(story.sittings, &before).await;
            let record = self.disk.record().expect("the plan is durable");
            story.adopted += judge.adopted(&before, &record);
            match ended {
                Ended::Killed => {
                    story.kills += 1;
                    story.cut_sessions += cut_sessions(&record);
                    judge.after_a_kill(&record, &self.fleet);
                    // Sometimes the next sitting comes at once, sometimes when every lease has lapsed.
                    let latest = self.dice.one_of(&[20_000, 200_000]);
                    tokio::time::sleep(self.dice.millis(0, latest)).await;
                }
                Ended::Itself(told, exit) => {
                    story.exits.push(exit);
                    story.stops += u32::from(exit == ExitCode::Interrupted);
                    judge.after_a_sitting(&told, &record, exit, &self.fleet);
                    let done = record
                        .trials
                        .iter()
                        .all(|trial| trial.status == TrialStatus::Scored);
                    let delivered = record.open_sessions() == 0;
                    if done && delivered && self.fleet.live().is_empty() {
                        break;
                    }
                }
            }
        }
        judge.at_the_end(&self.fleet).await;
        let record = self.disk.record().expect("the plan is durable");
        let all_done = self.spec.limits.run_deadline.is_none();
        judge.sessions(&record, &self.fleet, self.spec.fleet.sessions, all_done);
        if all_done {
            // The last sittings have fair weather, so whatever could be done is done.
            let open = |trial: &&run_record::TrialRecord| trial.status != TrialStatus::Scored;
            let without = record.trials.iter().find(open);
            assert!(
                without.is_none(),
                "never scored: {:?}",
                without.map(|trial| &trial.failure)
            );
        }
        assert!(
            self.fleet.ledger().most_live <= self.limit,
            "more than the quota"
        );
        story.scored = record.stats().scored;
        story.ledger = self.fleet.ledger();
        story.sessions = story.ledger.sessions.len();
        story.syncs = self.disk.syncs();
        story
    }

    /// The weather clears up from sitting to sitting, so that every run can end.
    fn weather_of(&self, sitting: u32) -> Weather {
        let fading = |percent: u64| percent / u64::from(sitting);
        let weather = self.weather;
        if sitting >= MOST_SITTINGS - 2 {
            return Weather::default();
        }
        Weather {
            lost_before: fading(weather.lost_before),
            lost_after: fading(weather.lost_after),
            refuses: fading(weather.refuses),
            garbage: fading(weather.garbage),
            locks_out_after: weather.locks_out_after.filter(|_| sitting == 1),
            ..weather
        }
    }

    async fn sitting(&self, number: u32, before: &RunRecord) -> Ended {
        let calm = number >= MOST_SITTINGS - 2;
        let line: Arc<dyn crate::world::Service> =
            Arc::new(self.fleet.connect(self.weather_of(number)));
        let manners = if calm {
            Manners {
                talks: self.manners.talks,
                ..Manners::default()
            }
        } else {
            self.manners
        };
        let crowd = Crowd::new(self.fleet.clone(), self.dice.clone(), manners);
        let store = self.disk.open(if calm { 0 } else { self.disk_fails });
        let (notices, heard) = mpsc::unbounded_channel();
        let start = Instant::now();
        let sitting = Sitting {
            spec: Arc::clone(&self.spec),
            plan: self.plan.clone(),
            run_id: RunId::new("sim"),
            layout: self.layout.clone(),
            api_key: SecretString::from("simulated-key".to_owned()),
            harness_program: "harness".into(),
            service: Arc::clone(&line),
            beats: beats(line),
            heartbeats: Heartbeats::simulated(BootClock::of(move || start.elapsed())),
            agents: Arc::new(crowd.clone()),
            recorder: Recorder::simulated(store, notices.clone()),
            record: before.clone(),
            resumed: number > 1,
            tick: Duration::from_secs(2),
        };
        let signals = self.signals(calm);
        let running = sit(sitting, (notices, heard), signals, |_, _| {});
        let killed = async {
            if self.kills && !calm && self.dice.chance(70) {
                tokio::time::sleep(self.dice.millis(1, 60_000)).await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        let others = self.others();
        tokio::select! {
            biased;
            (record, verdict) = running => {
                assert_eq!(crowd.alive(), 0, "an agent outlived its run");
                Ended::Itself(Box::new(record), verdict.exit)
            }
            () = killed => {
                self.fleet.cut();
                crowd.die();
                self.disk.crash();
                Ended::Killed
            }
            () = others => unreachable!("others never end"),
            () = tokio::time::sleep(HANG) => panic!("sitting {number} hangs"),
        }
    }

    fn signals(&self, calm: bool) -> impl futures::Stream<Item = RunSignal> + use<> {
        let times: Vec<Duration> = if self.stops && !calm {
            let count = 1 + self.dice.below(2);
            (0..count).map(|_| self.dice.millis(100, 60_000)).collect()
        } else {
            Vec::new()
        };
        let signal = self
            .dice
            .one_of(&[RunSignal::Interrupt, RunSignal::Terminate]);
        futures::stream::iter(times)
            .then(move |time| async move {
                tokio::time::sleep(time).await;
                signal
            })
            .chain(futures::stream::pending())
    }

    /// The rest of the team.
    async fn others(&self) {
        loop {
            tokio::time::sleep(self.dice.millis(1_000, 90_000)).await;
            let time = self.dice.millis(1_000, 120_000);
            self.fleet.others_take(self.dice.below(3), time);
        }
    }
}

/// Requests of sessions of which the journal does not know whether they arrived.
fn cut_sessions(record: &RunRecord) -> usize {
    let attempts = record.trials.iter().flat_map(|trial| &trial.attempts);
    let sessions = attempts.filter_map(|attempt| attempt.session.as_ref());
    sessions.filter(|session| session.pending.is_some()).count()
}

fn weather(dice: &Dice) -> Weather {
    Weather {
        lost_before: dice.sometimes(20),
        lost_after: dice.sometimes(20),
        refuses: dice.sometimes(30),
        too_fast: dice.sometimes(30),
        garbage: dice.sometimes(15),
        slow: dice.sometimes(20),
        dies: dice.sometimes(30),
        verifier_breaks: dice.sometimes(40),
        listed_late: dice.sometimes(50),
        locks_out_after: dice.chance(5).then(|| dice.millis(1, 60_000)),
    }
}

fn manners(dice: &Dice) -> Manners {
    Manners {
        fails: dice.sometimes(40),
        hangs: dice.sometimes(30),
        crashes: dice.sometimes(30),
        blames_infrastructure: dice.sometimes(30),
        cannot_start: dice.sometimes(30),
        cannot_be_killed: if dice.chance(5) { 20 } else { 0 },
        panics: if dice.chance(5) { 20 } else { 0 },
        talks: false,
    }
}

/// Parsed once: a world changes what it needs of a copy.
fn base_spec() -> &'static RunSpec {
    static SPEC: OnceLock<RunSpec> = OnceLock::new();
    SPEC.get_or_init(|| {
        crate::spec::testing::spec(
            "agent: {command: [agent], timeout: 60s, grace_period: 10s}\nretry: {attempts: 3, initial_delay: 1s, max_delay: 5s}\nenvironment: {ready_timeout: 60s, quota_timeout: 1h}",
        )
    })
}

fn plan(tasks: u64, trials: u32) -> Plan {
    let task = |number: u64| Task {
        key: format!("t{number}").as_str().into(),
        prompt: "work".to_owned(),
        verifier: Some(VerifierSource {
            code: "def verify(env):\n    return 1\n".to_owned(),
            ..VerifierSource::default()
        }),
        ..Task::default()
    };
    let variant = Variant {
        name: "default".to_owned(),
        values: vec![],
    };
    let plan = Plan::new((0..tasks).map(task).collect(), vec![variant], trials);
    let trials: Vec<TrialPlan> = plan.trials;
    Plan { trials, ..plan }
}

fn info(planned: usize) -> RunInfo {
    RunInfo {
        run_id: RunId::new("sim"),
        name: "sim".into(),
        harness_version: "0".into(),
        started_at: jiff::Timestamp::UNIX_EPOCH,
        spec_path: String::new(),
        spec_sha256: String::new(),
        spec_yaml: String::new(),
        endpoint: "simulated".into(),
        agent: "agent".into(),
        pass_threshold: 1.0,
        gate: GateSpec::default(),
        trials_per_task: 1,
        variants: vec![],
        planned: Some(planned),
        rerun_of: None,
    }
}

/// What all the stories together were about.
#[derive(Debug, Default)]
pub(super) struct Told {
    kills: u32,
    stops: u32,
    sittings: u32,
    faults: u64,
    quota: u64,
    lapsed: u64,
    adopted: usize,
    cut_sessions: usize,
    sessions: usize,
    scored: usize,
    trials: usize,
    exits: std::collections::BTreeMap<u8, u32>,
}

impl Told {
    pub(super) fn add(&mut self, story: &Story) {
        self.kills += story.kills;
        self.stops += story.stops;
        self.sittings += story.sittings;
        self.faults += story.ledger.faults;
        self.quota += story.ledger.refused_for_quota;
        self.lapsed += story.ledger.lapsed;
        self.adopted += story.adopted;
        self.cut_sessions += story.cut_sessions;
        self.sessions += story.sessions;
        self.scored += story.scored;
        self.trials += story.trials;
        for exit in &story.exits {
            *self.exits.entry(exit.code()).or_default() += 1;
        }
    }

    /// A simulator in which nothing happens proves nothing.
    pub(super) fn assert_varied(&self) {
        let all_happened = [
            u64::from(self.kills),
            u64::from(self.stops),
            self.faults,
            self.quota,
            self.lapsed,
            self.adopted as u64,
            self.cut_sessions as u64,
            self.sessions as u64,
        ];
        assert!(all_happened.iter().all(|&count| count > 10), "{self}");
        for exit in [0, 3, 4, 5, 70, 130] {
            assert!(self.exits.contains_key(&exit), "never exit {exit}: {self}");
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} trials scored in {} sittings, {} kills, {} stops, {} calls went wrong, {} refused for quota, {} leases lapsed, {} finished works verified later, {} sessions, {} of their requests cut by a kill, exits {:?}",
            self.scored,
            self.trials,
            self.sittings,
            self.kills,
            self.stops,
            self.faults,
            self.quota,
            self.lapsed,
            self.adopted,
            self.sessions,
            self.cut_sessions,
            self.exits
        )
    }
}
