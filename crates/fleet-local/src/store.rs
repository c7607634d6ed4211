//! Every instance of the server, live and ended, and the request ids that made them. In memory: the
//! processes die with the server, so would any record.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fleet_api::types::InstanceId;

use crate::instance::{EndCause, Instance};

/// Ended instances that still answer GET. A recovery looks at them minutes later, not days; a
/// record is a few kilobytes.
const ENDED_KEPT: usize = 10_000;

/// Request ids of creates are remembered at least this long, so that a client that was down for a
/// day still finds its instance.
const REQUEST_IDS_KEPT: Duration = Duration::from_hours(48);

/// Old request ids are only looked for when there are many; each takes about a hundred bytes.
const REQUEST_IDS_SWEPT_AT: usize = 100_000;

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
}

#[derive(Debug)]
pub(crate) struct Store {
    entries: Mutex<Entries>,
    limit: usize,
    max_live: AtomicU64,
    created: AtomicU64,
}

impl Store {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            entries: Mutex::default(),
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
    /// Eight lower-case hex digits, as the hosted service gives.
    fn fresh_id(&self) -> InstanceId {
        loop {
            let id = InstanceId::from(uuid::Uuid::new_v4().simple().to_string()[..8].to_owned());
            if !self.instances.contains_key(&id) {
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
