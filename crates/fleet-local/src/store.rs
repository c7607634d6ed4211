//! Every instance of the server, live and ended, and the request ids that made them. In memory: what
//! must be known at once, and what can only be true while the server lives. What outlives it is the archive's.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fleet_api::types::InstanceId;

use crate::archive::Past;
use crate::clock::text;
use crate::instance::{EndCause, Instance};

/// Ended instances that still answer GET. A recovery looks at them minutes later, not days; a
/// record is a few kilobytes.
const ENDED_KEPT: usize = 10_000;

/// Request ids of creates are remembered at least this long, so that a client that was down for a
/// day still finds its instance.
pub(crate) const REQUEST_IDS_KEPT: Duration = Duration::from_hours(48);

/// Old request ids are only looked for when there are many; each takes about a hundred bytes.
const REQUEST_IDS_SWEPT_AT: usize = 100_000;

/// Runs that are remembered; beyond it those without live instances are forgotten, oldest first.
const RUNS_KEPT: usize = 10_000;

/// How many more there may be before the oldest are looked for.
const RUNS_SLACK: usize = 1_000;

/// What the service bound to one create: the credential it came with (hashed) and its
/// `X-Request-ID`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct CreateKey {
    pub(crate) credential: [u8; 32],
    pub(crate) request_id: String,
}

/// Why no instance was added.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Duplicate {
        instance_id: InstanceId,
    },
    Limit {
        running: usize,
        limit: usize,
    },
    /// Nothing new is made any more.
    Closed,
}

#[derive(Debug, Default)]
struct Entries {
    instances: HashMap<InstanceId, Arc<Instance>>,
    /// Instances in the order of their creation; the key only counts up.
    order: BTreeMap<u64, InstanceId>,
    /// Those that were alive when last looked at, by the same key: a create must not walk through
    /// everything that ever was.
    live: BTreeMap<u64, Arc<Instance>>,
    /// The others, in the order in which they were seen to have ended.
    ended: VecDeque<u64>,
    next: u64,
    closed: bool,
    requests: HashMap<CreateKey, (InstanceId, Instant)>,
    /// Ids of instances of earlier servers, which are not given again.
    past: HashSet<InstanceId>,
    runs: HashMap<String, RunTally>,
    next_run: u64,
}

/// A run as far as its instances tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunTally {
    /// Counts up with every new run.
    place: u64,
    pub(crate) run_id: String,
    /// Instances ever made.
    pub(crate) total: u64,
    /// Instances that live.
    pub(crate) running: u64,
    pub(crate) first_created_at: String,
    pub(crate) last_created_at: String,
}

#[derive(Debug)]
pub(crate) struct Store {
    entries: Mutex<Entries>,
    limit: usize,
    max_live: AtomicU64,
    created: AtomicU64,
}

impl Store {
    /// A store that goes on where earlier servers ended.
    pub(crate) fn new(limit: usize, past: Past) -> Self {
        Self {
            entries: Mutex::new(Entries::after(past)),
            limit,
            max_live: AtomicU64::new(0),
            created: AtomicU64::new(0),
        }
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Adds the instance that `make` makes for a fresh id, unless the request was seen before or
    /// the limit is reached. One step: two creates at once can neither both take the last place nor
    /// both be first with one request id.
    pub(crate) fn add<T>(
        &self,
        key: Option<CreateKey>,
        make: impl FnOnce(InstanceId) -> (Arc<Instance>, T),
    ) -> Result<(Arc<Instance>, T), Refused> {
        let mut entries = self.entries();
        if let Some((instance_id, _)) = key.as_ref().and_then(|key| entries.requests.get(key)) {
            return Err(Refused::Duplicate {
                instance_id: instance_id.clone(),
            });
        }
        if entries.closed {
            return Err(Refused::Closed);
        }
        entries.settle();
        let running = entries.live.len();
        if running >= self.limit {
            return Err(Refused::Limit {
                running,
                limit: self.limit,
            });
        }
        entries.forget_old();
        let id = entries.fresh_id();
        let (instance, rest) = make(id.clone());
        let place = entries.next;
        entries.next += 1;
        entries.order.insert(place, id.clone());
        entries.live.insert(place, Arc::clone(&instance));
        entries.instances.insert(id.clone(), Arc::clone(&instance));
        entries.count_run(&instance);
        if let Some(key) = key {
            entries.requests.insert(key, (id, Instant::now()));
        }
        self.created.fetch_add(1, Ordering::Relaxed);
        self.max_live
            .fetch_max(running as u64 + 1, Ordering::Relaxed);
        Ok((instance, rest))
    }

    /// From now on nothing is added; what was added before is in [`Store::all`].
    pub(crate) fn close(&self) {
        self.entries().closed = true;
    }

    pub(crate) fn get(&self, id: &str) -> Option<Arc<Instance>> {
        self.entries().instances.get(id).cloned()
    }

    /// The instance that a create made, if its request is remembered. It may be of an earlier server.
    pub(crate) fn by_request(&self, key: &CreateKey) -> Option<InstanceId> {
        let entries = self.entries();
        entries.requests.get(key).map(|(id, _)| id.clone())
    }

    /// Every run that is remembered, in the order of their first instances.
    pub(crate) fn runs(&self) -> Vec<RunTally> {
        let mut entries = self.entries();
        entries.settle();
        let mut runs = entries.runs.clone();
        for instance in entries.live.values() {
            let run = instance
                .spec
                .run_id
                .as_ref()
                .and_then(|id| runs.get_mut(id));
            if let Some(run) = run {
                run.running += 1;
            }
        }
        let mut runs: Vec<_> = runs.into_values().collect();
        runs.sort_unstable_by_key(|run| run.place);
        runs
    }

    /// Every instance that is remembered, in the order of creation.
    pub(crate) fn all(&self) -> Vec<Arc<Instance>> {
        let entries = self.entries();
        entries
            .order
            .values()
            .filter_map(|id| entries.instances.get(id))
            .cloned()
            .collect()
    }

    pub(crate) fn live(&self) -> usize {
        let mut entries = self.entries();
        entries.settle();
        entries.live.len()
    }

    pub(crate) fn created(&self) -> u64 {
        self.created.load(Ordering::Relaxed)
    }

    pub(crate) fn max_live(&self) -> u64 {
        self.max_live.load(Ordering::Relaxed)
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        // Nothing in here can panic halfway through a change.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn after(past: Past) -> Self {
        let mut entries = Self::default();
        let now = Instant::now();
        entries.requests = past
            .requests
            .into_iter()
            .map(|request| {
                let key = CreateKey {
                    credential: request.credential,
                    request_id: request.request_id,
                };
                (key, (request.instance_id.into(), now))
            })
            .collect();
        entries.past = past.ids.into_iter().map(InstanceId::from).collect();
        for run in past.runs {
            let place = entries.next_run;
            entries.next_run += 1;
            let tally = RunTally {
                place,
                run_id: run.run_id.clone(),
                total: run.total,
                running: 0,
                first_created_at: run.first_created_at,
                last_created_at: run.last_created_at,
            };
            entries.runs.insert(run.run_id, tally);
        }
        entries
    }

    fn count_run(&mut self, instance: &Instance) {
        let Some(run_id) = &instance.spec.run_id else {
            return;
        };
        let created_at = text(instance.created_at);
        if let Some(run) = self.runs.get_mut(run_id) {
            run.total += 1;
            run.last_created_at = created_at;
            return;
        }
        let place = self.next_run;
        self.next_run += 1;
        let tally = RunTally {
            place,
            run_id: run_id.clone(),
            total: 1,
            running: 0,
            first_created_at: created_at.clone(),
            last_created_at: created_at,
        };
        self.runs.insert(run_id.clone(), tally);
        if self.runs.len() > RUNS_KEPT + RUNS_SLACK {
            self.forget_runs();
        }
    }

    fn forget_runs(&mut self) {
        let live: HashSet<&String> = self
            .live
            .values()
            .filter_map(|instance| instance.spec.run_id.as_ref())
            .collect();
        let mut ended: Vec<(u64, String)> = self
            .runs
            .values()
            .filter(|run| !live.contains(&run.run_id))
            .map(|run| (run.place, run.run_id.clone()))
            .collect();
        ended.sort_unstable();
        let too_many = self.runs.len() - RUNS_KEPT;
        for (_, run_id) in ended.into_iter().take(too_many) {
            self.runs.remove(&run_id);
        }
    }

    /// Eight lower-case hex digits, as the hosted service gives.
    fn fresh_id(&self) -> InstanceId {
        loop {
            let id = InstanceId::from(uuid::Uuid::new_v4().simple().to_string()[..8].to_owned());
            if !self.instances.contains_key(&id) && !self.past.contains(&id) {
                return id;
            }
        }
    }

    fn forget_old(&mut self) {
        if self.requests.len() >= REQUEST_IDS_SWEPT_AT {
            self.requests
                .retain(|_, (_, at)| at.elapsed() < REQUEST_IDS_KEPT);
        }
        while self.ended.len() > ENDED_KEPT
            && let Some(place) = self.ended.pop_front()
            && let Some(id) = self.order.remove(&place)
        {
            self.instances.remove(&id);
        }
    }

    /// Notes which instances have ended since the last look.
    fn settle(&mut self) {
        let ended = self.live.extract_if(.., |_, instance| !instance.is_live());
        self.ended.extend(ended.map(|(place, _)| place));
    }
}

/// Counts of how instances ended.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) closed: AtomicU64,
    pub(crate) expired: AtomicU64,
    pub(crate) start_failed: AtomicU64,
    pub(crate) crashed: AtomicU64,
    pub(crate) shut_down: AtomicU64,
}

impl Ledger {
    pub(crate) fn note(&self, cause: &EndCause) {
        let counter = match cause {
            EndCause::Closed => &self.closed,
            EndCause::Expired(_) => &self.expired,
            EndCause::StartFailed(_) => &self.start_failed,
            EndCause::Crashed(_) => &self.crashed,
            EndCause::Shutdown => &self.shut_down,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
