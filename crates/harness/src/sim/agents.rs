//! Agents that finish, fail, hang, crash, ignore what they are told, or bring the harness to its knees.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use process_tree::{
    HeldLimits, LeaderStatus, SpawnError, StraysEnd, StreamStats, Survivor, TreeCommand, TreeExit,
};
use run_record::RunId;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::dice::Dice;
use super::fleet::Fleet;
use crate::world::{AgentTree, Agents};

/// What agents are like in this world, in percent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Manners {
    pub(super) fails: u64,
    pub(super) hangs: u64,
    pub(super) crashes: u64,
    pub(super) blames_infrastructure: u64,
    pub(super) cannot_start: u64,
    pub(super) cannot_be_killed: u64,
    /// They leave transcripts.
    pub(super) talks: bool,
    /// A bug of the harness, met while starting one.
    pub(super) panics: u64,
}

/// All agents of the world.
#[derive(Clone)]
pub(super) struct Crowd {
    fleet: Fleet,
    dice: Dice,
    manners: Manners,
    /// Instances in which somebody works.
    alive: Arc<Mutex<BTreeSet<String>>>,
}

struct Agent {
    crowd: Crowd,
    instance: String,
    /// Where it writes what it said, and how much that will be.
    transcript: Option<(PathBuf, u64)>,
    begun: Instant,
    grace: Duration,
    plan: Mutex<Ending>,
    changed: Notify,
}

#[derive(Clone, Copy)]
struct Ending {
    at: Option<Instant>,
    status: LeaderStatus,
    told: bool,
    stopped_by_us: bool,
    survives: bool,
}

impl Crowd {
    pub(super) fn new(fleet: Fleet, dice: Dice, manners: Manners) -> Self {
        let alive = fleet.workers();
        Self {
            fleet,
            dice,
            manners,
            alive,
        }
    }

    /// Instances in which somebody works.
    pub(super) fn alive(&self) -> usize {
        self.alive.lock().unwrap().len()
    }

    /// Their harness was killed, and they with it.
    pub(super) fn die(&self) {
        self.alive.lock().unwrap().clear();
    }

    fn ending(&self) -> Ending {
        let (dice, manners) = (&self.dice, self.manners);
        let works = dice.millis(10, 40_000);
        let (status, hangs) = if dice.chance(manners.hangs) {
            (LeaderStatus::Signaled(15), true)
        } else if dice.chance(manners.crashes) {
            (LeaderStatus::Signaled(11), false)
        } else if dice.chance(manners.blames_infrastructure) {
            (LeaderStatus::Exited(75), false)
        } else if dice.chance(manners.fails) {
            (LeaderStatus::Exited(1), false)
        } else {
            (LeaderStatus::Exited(0), false)
        };
        Ending {
            at: (!hangs).then(|| Instant::now() + works),
            status,
            told: false,
            stopped_by_us: false,
            survives: dice.chance(manners.cannot_be_killed),
        }
    }
}

impl Agents for Crowd {
    fn start(&self, command: TreeCommand) -> BoxFuture<'_, Result<Box<dyn AgentTree>, SpawnError>> {
        let told = |wanted: &str| {
            let mut env = command.env.iter();
            let found = env.find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.to_string_lossy().into_owned())
        };
        let instance = told("FLEET_INSTANCE_ID").expect("an agent is told its instance");
        let transcript = told("HARNESS_TRANSCRIPT_FILE").filter(|_| self.manners.talks);
        let transcript = transcript.map(|path| (path.into(), self.dice.below(100)));
        async move {
            tokio::time::sleep(self.dice.millis(1, 20)).await;
            assert!(
                !self.dice.chance(self.manners.panics),
                "a bug on purpose: the run must go on and say so"
            );
            if self.dice.chance(self.manners.cannot_start) {
                return Err(SpawnError::Fork {
                    source: std::io::Error::from_raw_os_error(11),
                });
            }
            let fresh = self.alive.lock().unwrap().insert(instance.clone());
            assert!(fresh, "two agents in instance {instance}");
            let agent = Agent {
                crowd: self.clone(),
                instance,
                transcript,
                begun: Instant::now(),
                grace: command.grace,
                plan: Mutex::new(self.ending()),
                changed: Notify::new(),
            };
            Ok(Box::new(agent) as Box<dyn AgentTree>)
        }
        .boxed()
    }

    fn end_strays(&self, _run: &RunId) -> BoxFuture<'_, StraysEnd> {
        // Whoever is killed takes its agents along in these worlds.
        std::future::ready(StraysEnd::default()).boxed()
    }
}

impl Agent {
    fn end_at(&self, at: Instant, order: LeaderStatus) {
        let mut plan = self.plan.lock().unwrap();
        let earlier = plan.at.is_none_or(|planned| at < planned);
        if earlier {
            plan.at = Some(at);
            plan.status = order;
            plan.stopped_by_us = true;
        }
        plan.told = true;
        drop(plan);
        self.changed.notify_one();
    }

    fn leave_transcript(&self) {
        let Some((path, length)) = &self.transcript else {
            return;
        };
        let mut lines = String::new();
        for number in 0..*length {
            let said = format!("{} {number}", self.instance);
            let message = serde_json::json!({"role": "assistant", "content": said});
            lines.push_str(&message.to_string());
            lines.push('\n');
        }
        std::fs::write(path, lines).expect("the trial's folder is there");
    }

    fn exit(&self, ending: Ending) -> TreeExit {
        let survivors = if ending.survives {
            vec![Survivor {
                pid: 1,
                comm: "undead".to_owned(),
                state: 'D',
                uid: 0,
            }]
        } else {
            Vec::new()
        };
        TreeExit {
            status: ending.status,
            stopped_by_us: ending.stopped_by_us,
            leaked: 0,
            proven_dead: survivors.is_empty(),
            survivors,
            level: 3,
            limits: HeldLimits::default(),
            oom_kills: 0,
            stdout: StreamStats::default(),
            stderr: StreamStats::default(),
            last_json_line: None,
            duration: self.begun.elapsed(),
        }
    }
}

impl AgentTree for Agent {
    fn pid(&self) -> u32 {
        1
    }

    fn terminate(&self) {
        let takes = self.crowd.dice.millis(1, 15_000).min(self.grace);
        self.end_at(Instant::now() + takes, LeaderStatus::Signaled(15));
    }

    fn kill(&self) {
        self.end_at(
            Instant::now() + Duration::from_millis(5),
            LeaderStatus::Signaled(9),
        );
    }

    fn wait(&mut self) -> BoxFuture<'_, TreeExit> {
        async move {
            let ending = loop {
                let changed = self.changed.notified();
                let plan = *self.plan.lock().unwrap();
                match plan.at {
                    Some(at) if at <= Instant::now() => break plan,
                    Some(at) => {
                        let _ = tokio::time::timeout_at(at, changed).await;
                    }
                    None => changed.await,
                }
            };
            // Who cannot be killed still works when the verifier comes, and the fleet would see it.
            if !ending.survives {
                self.crowd.alive.lock().unwrap().remove(&self.instance);
            }
            if !ending.stopped_by_us {
                self.crowd.fleet.work_done(&self.instance);
            }
            self.leave_transcript();
            self.exit(ending)
        }
        .boxed()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // A dropped tree is a killed one.
        self.crowd.alive.lock().unwrap().remove(&self.instance);
    }
}
