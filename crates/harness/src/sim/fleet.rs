//! A service with instances, leases, a quota and a memory of everything that was asked of it, whose answers get lost.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use fleet_api::types::{
    ExecuteResponse, HeartbeatResponse, IngestBody, IngestResponse, Instance, InstanceId,
    InstanceStatus, InstanceUrls, JobId, JobSessions, RequestId, RunId, SessionId, SessionInfo,
    TaskSessions, TraceJob, TraceLogBody, Transcript, TranscriptMessage, VerifierFailure,
};
use fleet_api::{CreateInstance, Error, ErrorKind, VerifierSource, VerifyArgs};
use futures::FutureExt as _;
use tokio::time::Instant;

use super::dice::Dice;
use crate::world::{Answer, Service};

/// How bad the service and the way to it are, in percent of calls unless said otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Weather {
    /// The request never arrives.
    pub(super) lost_before: u64,
    /// It takes effect, and the answer never arrives.
    pub(super) lost_after: u64,
    /// 503.
    pub(super) refuses: u64,
    /// 429.
    pub(super) too_fast: u64,
    /// It takes effect, and the answer makes no sense.
    pub(super) garbage: u64,
    /// It takes half a minute.
    pub(super) slow: u64,
    /// Instances that die in their first minute.
    pub(super) dies: u64,
    /// Verifications that break down.
    pub(super) verifier_breaks: u64,
    /// Instances that a listing shows a moment late.
    pub(super) listed_late: u64,
    /// From this moment on the credential is refused.
    pub(super) locks_out_after: Option<Duration>,
}

/// Intervals without a heartbeat after which an instance ends.
const MISSES: u32 = 3;

/// The service. Clones are the same one.
#[derive(Clone, Debug)]
pub(super) struct Fleet {
    state: Arc<Mutex<State>>,
    workers: Arc<Mutex<BTreeSet<String>>>,
    dice: Dice,
    begun: Instant,
}

#[derive(Debug)]
struct State {
    weather: Weather,
    limit: u64,
    instances: BTreeMap<String, Held>,
    requests: HashMap<String, String>,
    foreign: Vec<Instant>,
    sitting: u32,
    ledger: Ledger,
}

/// What really happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ledger {
    pub(super) created: u64,
    pub(super) closed: u64,
    pub(super) lapsed: u64,
    pub(super) most_live: u64,
    pub(super) refused_for_quota: u64,
    pub(super) verifications: u64,
    pub(super) faults: u64,
    /// Instance → the score that its verifications gave.
    pub(super) scores: BTreeMap<String, u64>,
    /// Jobs for sessions, by their ids.
    pub(super) jobs: BTreeMap<String, String>,
    /// Sessions, by their ids.
    pub(super) sessions: BTreeMap<String, Session>,
}

/// What the service has of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) instance: String,
    pub(super) job: String,
    pub(super) messages: Vec<String>,
    pub(super) ended: bool,
}

#[derive(Debug)]
struct Held {
    run: RunId,
    ended: bool,
    runs_since: Instant,
    listed_from: Instant,
    dies_at: Option<Instant>,
    interval: Duration,
    beaten: Instant,
    work_done: bool,
}

/// A sitting's connection. Nothing comes back through it once the sitting is dead.
#[derive(Clone, Debug)]
pub(super) struct Line {
    fleet: Fleet,
    sitting: u32,
}

impl Fleet {
    pub(super) fn new(dice: Dice, limit: u64) -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                weather: Weather::default(),
                limit,
                instances: BTreeMap::new(),
                requests: HashMap::new(),
                foreign: Vec::new(),
                sitting: 0,
                ledger: Ledger::default(),
            })),
            workers: Arc::default(),
            dice,
            begun: Instant::now(),
        }
    }

    /// A connection for the next sitting; the one before it is dead.
    pub(super) fn connect(&self, weather: Weather) -> Line {
        let mut state = self.state();
        state.sitting += 1;
        state.weather = weather;
        Line {
            fleet: self.clone(),
            sitting: state.sitting,
        }
    }

    /// Cuts every connection.
    pub(super) fn cut(&self) {
        self.state().sitting += 1;
    }

    /// Others of the team take instances and give them back after a while.
    pub(super) fn others_take(&self, instances: u64, time: Duration) {
        let until = Instant::now() + time;
        let mut state = self.state();
        let free = state.limit.saturating_sub(state.live());
        state
            .foreign
            .extend((0..instances.min(free)).map(|_| until));
    }

    /// Instances of the run that live.
    pub(super) fn live(&self) -> Vec<String> {
        let mut state = self.state();
        state.settle();
        let live = state.instances.iter().filter(|(_, held)| !held.ended);
        live.map(|(id, _)| id.clone()).collect()
    }

    pub(super) fn ledger(&self) -> Ledger {
        self.state().ledger.clone()
    }

    /// Where agents say that they are at work.
    pub(super) fn workers(&self) -> Arc<Mutex<BTreeSet<String>>> {
        Arc::clone(&self.workers)
    }

    /// An agent came to its own end in this instance.
    pub(super) fn work_done(&self, instance: &str) {
        let mut state = self.state();
        state.settle();
        if let Some(held) = state.instances.get_mut(instance).filter(|held| !held.ended) {
            held.work_done = true;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl State {
    fn live(&self) -> u64 {
        let ours = self.instances.values().filter(|held| !held.ended).count();
        (ours + self.foreign.len()) as u64
    }

    /// Ends what has ended by itself.
    fn settle(&mut self) {
        let now = Instant::now();
        self.foreign.retain(|until| *until > now);
        for held in self.instances.values_mut().filter(|held| !held.ended) {
            let lapsed = now > held.beaten + held.interval * MISSES;
            if lapsed || held.dies_at.is_some_and(|at| now >= at) {
                held.ended = true;
                self.ledger.lapsed += u64::from(lapsed);
            }
        }
    }

    fn create(&mut self, create: &CreateInstance, dice: &Dice) -> Result<String, Error> {
        let request = create
            .request_id
            .expect("every create has an id")
            .to_string();
        if let Some(known) = self.requests.get(&request) {
            return Ok(known.clone());
        }
        if self.live() >= self.limit {
            self.ledger.refused_for_quota += 1;
            let running = Some(self.live());
            let limit = Some(self.limit);
            return Err(error(ErrorKind::InstanceLimit { running, limit }));
        }
        let now = Instant::now();
        let id = format!("i{}", self.ledger.created);
        let late = dice.chance(self.weather.listed_late);
        let dies = dice.chance(self.weather.dies);
        self.instances.insert(
            id.clone(),
            Held {
                run: create.run_id.clone().expect("every create has a run"),
                ended: false,
                runs_since: now,
                listed_from: if late {
                    now + dice.millis(1, 4_000)
                } else {
                    now
                },
                dies_at: dies.then(|| now + dice.millis(1, 60_000)),
                interval: create.heartbeat_interval.expect("every lease is monitored"),
                beaten: now,
                work_done: false,
            },
        );
        self.requests.insert(request, id.clone());
        self.ledger.created += 1;
        self.ledger.most_live = self.ledger.most_live.max(self.live());
        Ok(id)
    }

    fn seen(&self, id: &str) -> Result<Instance, Error> {
        let held = self.instances.get(id).ok_or_else(gone)?;
        let status = if held.ended {
            InstanceStatus::Stopped
        } else {
            InstanceStatus::Running
        };
        let urls = InstanceUrls {
            root: format!("http://{id}.test/"),
            ..InstanceUrls::default()
        };
        Ok(Instance {
            instance_id: InstanceId::new(id),
            status,
            run_id: Some(held.run.clone()),
            urls: Some(urls),
            ..Instance::default()
        })
    }

    /// It forgets the ids of requests: that nothing is there twice is the sender's doing.
    fn ingest(&mut self, body: &IngestBody) -> IngestResponse {
        let sessions = &mut self.ledger.sessions;
        let fresh = SessionId::new(format!("s{}", sessions.len()));
        let id = body.session_id.clone().unwrap_or(fresh);
        let text = |id: Option<&str>| id.unwrap_or_default().to_owned();
        let session = sessions
            .entry(id.as_str().to_owned())
            .or_insert_with(|| Session {
                instance: text(body.instance_id.as_ref().map(InstanceId::as_str)),
                job: text(body.job_id.as_ref().map(JobId::as_str)),
                ..Session::default()
            });
        assert!(!session.ended, "messages after the end of session {id}");
        let said = body.messages.iter().map(|message| {
            let content = message
                .content
                .as_ref()
                .expect("every message says something");
            content.as_str().expect("text").to_owned()
        });
        session.messages.extend(said);
        session.ended = body
            .status
            .as_ref()
            .is_some_and(fleet_api::types::SessionStatus::is_ended);
        IngestResponse {
            success: true,
            session_id: id,
            message_count: session.messages.len() as u64,
            created_new_session: body.session_id.is_none(),
        }
    }

    fn job_sessions(&self, job: &JobId) -> JobSessions {
        let of = self.ledger.sessions.iter();
        let of = of.filter(|(_, session)| session.job == job.as_str());
        let info = |(id, session): (&String, &Session)| SessionInfo {
            session_id: SessionId::new(id),
            instance: self.seen(&session.instance).ok(),
            ..SessionInfo::default()
        };
        JobSessions {
            job_id: job.clone(),
            tasks: vec![TaskSessions {
                sessions: of.map(info).collect(),
                ..TaskSessions::default()
            }],
            ..JobSessions::default()
        }
    }

    fn verify(&mut self, id: &str, dice: &Dice) -> Result<ExecuteResponse, Error> {
        let held = self.instances.get(id).ok_or_else(gone)?;
        self.ledger.verifications += 1;
        if held.ended && dice.chance(50) {
            // It looks at what is left of a dead instance and finds nothing done: no score of anybody's.
            return Ok(ExecuteResponse {
                success: true,
                result: Some(0.into()),
                ..ExecuteResponse::default()
            });
        }
        if held.ended || dice.chance(self.weather.verifier_breaks) {
            return Ok(ExecuteResponse {
                success: false,
                error: Some(VerifierFailure {
                    kind: "InstanceUnavailable".to_owned(),
                    ..VerifierFailure::default()
                }),
                ..ExecuteResponse::default()
            });
        }
        let score = u64::from(held.work_done);
        self.ledger.scores.insert(id.to_owned(), score);
        Ok(ExecuteResponse {
            success: true,
            result: Some(score.into()),
            ..ExecuteResponse::default()
        })
    }
}

/// What happens to one call on its way.
enum Fate {
    Arrives,
    LostBefore,
    LostAfter,
    Garbage,
    Refused(Error),
}

impl Line {
    /// Takes a call to the service and its answer back, if they get there.
    async fn carry<T>(
        &self,
        effect: impl FnOnce(&mut State, &Dice) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.carry_from(false, effect).await
    }

    /// As [`Line::carry`]; a call that `outlives` its harness arrives by chance although that is dead.
    async fn carry_from<T>(
        &self,
        outlives: bool,
        effect: impl FnOnce(&mut State, &Dice) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let dice = &self.fleet.dice;
        let weather = self.fleet.state().weather;
        let slow = dice.chance(weather.slow);
        let way = if slow {
            dice.millis(10_000, 30_000)
        } else {
            dice.millis(1, 300)
        };
        tokio::time::sleep(way / 2).await;
        if !outlives || dice.chance(50) {
            self.hang_up_if_dead().await;
        }
        let fate = self.fate(weather);
        let answer = {
            let mut state = self.fleet.state();
            state.settle();
            state.ledger.faults += u64::from(!matches!(fate, Fate::Arrives));
            match &fate {
                Fate::LostBefore | Fate::Refused(_) => None,
                Fate::Arrives | Fate::LostAfter | Fate::Garbage => Some(effect(&mut state, dice)),
            }
        };
        tokio::time::sleep(way / 2).await;
        self.hang_up_if_dead().await;
        match (fate, answer) {
            (Fate::Refused(error), _) => Err(error),
            (Fate::Arrives, Some(answer)) => answer,
            (Fate::Garbage, _) => Err(error(ErrorKind::Undecodable {
                reason: "it is not JSON".to_owned(),
                excerpt: "<html>".to_owned(),
            })
            .with_ambiguous(true)),
            // Who sent it cannot tell whether it arrived.
            (Fate::LostBefore | Fate::LostAfter | Fate::Arrives, _) => {
                Err(error(ErrorKind::Network {
                    what: "the connection broke",
                    source: "reset by peer".into(),
                })
                .with_ambiguous(true))
            }
        }
    }

    fn fate(&self, weather: Weather) -> Fate {
        let dice = &self.fleet.dice;
        let message = String::new;
        let locked_out = weather
            .locks_out_after
            .is_some_and(|after| self.fleet.begun.elapsed() > after);
        if locked_out {
            return Fate::Refused(error(ErrorKind::Authentication { message: message() }));
        }
        if dice.chance(weather.lost_before) {
            Fate::LostBefore
        } else if dice.chance(weather.lost_after) {
            Fate::LostAfter
        } else if dice.chance(weather.garbage) {
            Fate::Garbage
        } else if dice.chance(weather.refuses) {
            let (status, excerpt) = (503, String::new());
            Fate::Refused(error(ErrorKind::Api { status, excerpt }))
        } else if dice.chance(weather.too_fast) {
            Fate::Refused(error(ErrorKind::RateLimited {
                retry_after: None,
                message: message(),
            }))
        } else {
            Fate::Arrives
        }
    }

    /// A dead harness hears nothing any more.
    async fn hang_up_if_dead(&self) {
        if self.fleet.state().sitting != self.sitting {
            std::future::pending::<()>().await;
        }
    }
}

impl Service for Line {
    fn base_url(&self) -> &'static str {
        "http://fleet.test"
    }

    fn create<'a>(&'a self, request: &'a CreateInstance) -> Answer<'a, Instance> {
        let (line, request) = (self.clone(), request.clone());
        // A create that has left arrives whether or not anybody waits for its answer.
        let sent = tokio::spawn(async move {
            let effect = move |state: &mut State, dice: &Dice| {
                let id = state.create(&request, dice)?;
                let seen = state.seen(&id)?;
                if seen.status.is_ended() {
                    return Err(error(ErrorKind::Conflict {
                        instance_id: Some(InstanceId::new(id)),
                        duplicate_request: false,
                        resource: None,
                        message: "it ended while it was awaited".to_owned(),
                    }));
                }
                Ok(seen)
            };
            line.carry_from(true, effect).await
        });
        async move { sent.await.expect("a call ends with an answer") }.boxed()
    }

    fn instance<'a>(&'a self, id: &'a InstanceId) -> Answer<'a, Instance> {
        self.carry(move |state, _| state.seen(id.as_str())).boxed()
    }

    fn instances<'a>(&'a self, run: &'a RunId) -> Answer<'a, Vec<Instance>> {
        self.carry(move |state, _| {
            let now = Instant::now();
            let listed = state.instances.iter().filter(|(_, held)| {
                held.run == *run && held.listed_from <= now && held.runs_since <= now
            });
            listed.map(|(id, _)| state.seen(id)).collect()
        })
        .boxed()
    }

    fn close<'a>(&'a self, id: &'a InstanceId) -> Answer<'a, Instance> {
        self.carry(move |state, _| {
            let held = state.instances.get_mut(id.as_str()).ok_or_else(gone)?;
            state.ledger.closed += u64::from(!held.ended);
            held.ended = true;
            state.seen(id.as_str())
        })
        .boxed()
    }

    fn verify<'a>(
        &'a self,
        _verifier: &'a VerifierSource,
        id: &'a InstanceId,
        _args: &'a VerifyArgs,
    ) -> Answer<'a, ExecuteResponse> {
        self.carry(move |state, dice| {
            let workers = self.fleet.workers.lock().unwrap();
            let at_work = workers.contains(id.as_str());
            assert!(!at_work, "{id} is verified while an agent works in it");
            drop(workers);
            state.verify(id.as_str(), dice)
        })
        .boxed()
    }

    fn heartbeat<'a>(&'a self, id: &'a InstanceId) -> Answer<'a, HeartbeatResponse> {
        self.carry(move |state, _| {
            let held = state.instances.get_mut(id.as_str()).ok_or_else(gone)?;
            if !held.ended {
                held.beaten = Instant::now();
            }
            Ok(HeartbeatResponse {
                success: !held.ended,
                ..HeartbeatResponse::default()
            })
        })
        .boxed()
    }

    fn create_job<'a>(&'a self, name: &'a str, _request: RequestId) -> Answer<'a, TraceJob> {
        self.carry(move |state, _| {
            let jobs = &mut state.ledger.jobs;
            let id = format!("j{}", jobs.len());
            jobs.insert(id.clone(), name.to_owned());
            Ok(TraceJob {
                job_id: JobId::new(id),
                ..TraceJob::default()
            })
        })
        .boxed()
    }

    fn find_job<'a>(&'a self, name: &'a str) -> Answer<'a, Option<JobId>> {
        self.carry(move |state, _| {
            let mut jobs = state.ledger.jobs.iter();
            let found = jobs.find(|(_, known)| *known == name);
            Ok(found.map(|(id, _)| JobId::new(id)))
        })
        .boxed()
    }

    fn ingest<'a>(
        &'a self,
        body: &'a IngestBody,
        _request: RequestId,
    ) -> Answer<'a, IngestResponse> {
        self.carry(move |state, _| Ok(state.ingest(body))).boxed()
    }

    fn end_session<'a>(
        &'a self,
        body: &'a TraceLogBody,
        _request: RequestId,
    ) -> Answer<'a, IngestResponse> {
        let session = body.session_id.clone().unwrap_or_default();
        std::future::ready(Ok(IngestResponse {
            success: true,
            session_id: session,
            ..IngestResponse::default()
        }))
        .boxed()
    }

    fn job_sessions<'a>(&'a self, job: &'a JobId) -> Answer<'a, JobSessions> {
        self.carry(move |state, _| Ok(state.job_sessions(job)))
            .boxed()
    }

    fn transcript<'a>(&'a self, session: &'a SessionId) -> Answer<'a, Transcript> {
        self.carry(move |state, _| {
            let sessions = &state.ledger.sessions;
            let known = sessions.get(session.as_str()).ok_or_else(gone)?;
            let said = known.messages.iter().map(|text| TranscriptMessage {
                content: text.clone().into(),
                ..TranscriptMessage::default()
            });
            Ok(Transcript {
                transcript: said.collect(),
                ..Transcript::default()
            })
        })
        .boxed()
    }
}

fn error(kind: ErrorKind) -> Error {
    Error::new("simulated call", kind)
}

fn gone() -> Error {
    let (status, excerpt) = (404, String::new());
    error(ErrorKind::Api { status, excerpt })
}
