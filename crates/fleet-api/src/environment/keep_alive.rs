//! Beats for an instance until nobody needs it any more.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};
use tracing::warn;

use super::Environment;
use crate::error::{Awaited, Error, ErrorKind};

const OPERATION: &str = "keep alive";

/// Beats in each interval, so that two may be lost before one is missed.
const BEATS_PER_INTERVAL: u32 = 3;

/// Intervals without an acknowledged beat after which the service ends the instance.
const MISSES_THAT_END: u32 = 3;

/// Keeps an instance alive until it is stopped or dropped; made by [`Environment::keep_alive`].
///
/// The beats are sent by a task of the runtime in which it was made: a runtime whose threads are all blocked does not
/// beat. Beats outlive the instance's TTL, so whoever may hang should not hold one for ever.
///
/// ```no_run
/// # async fn work(_: &fleet_api::Environment) {}
/// # async fn example(env: fleet_api::Environment) -> Result<(), fleet_api::Error> {
/// let alive = env.keep_alive()?;
/// tokio::select! {
///     () = work(&env) => println!("done"),
///     lost = alive.lost() => println!("the instance is gone: {lost}"),
/// }
/// alive.stop().await;
/// # Ok(()) }
/// ```
#[must_use = "the beats stop when this is dropped"]
pub struct KeepAlive {
    stop: Option<oneshot::Sender<()>>,
    beating: JoinHandle<()>,
    state: watch::Receiver<State>,
}

/// The instance is gone, or must be taken to be.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Lost {
    /// The service does not know it, or says that it has ended.
    Gone(Arc<Error>),
    /// No beat was acknowledged for as long as the service waits before it ends an instance.
    Silence {
        /// Since the last acknowledged beat.
        after: Duration,
        /// What went wrong last.
        error: Arc<Error>,
    },
}

/// What is known of the beats so far.
#[derive(Debug, Clone, Default)]
struct State {
    acknowledged: u64,
    last_error: Option<Arc<Error>>,
    lost: Option<Lost>,
}

impl KeepAlive {
    pub(super) fn start(env: &Environment) -> Result<Self, Error> {
        let interval = env
            .instance
            .heartbeat_interval
            .filter(|seconds| *seconds > 0);
        let Some(interval) = interval.map(Duration::from_secs) else {
            let reason = "the instance is not monitored: make it with a heartbeat_interval, or give it a longer TTL";
            return Err(Error::invalid_argument(OPERATION, reason));
        };
        let Ok(runtime) = Handle::try_current() else {
            let reason = "there is no Tokio runtime that could send the beats";
            return Err(Error::invalid_argument(OPERATION, reason));
        };
        let (stop, stopped) = oneshot::channel();
        let (tell, state) = watch::channel(State::default());
        let beating = runtime.spawn(beat(env.clone(), interval, stopped, tell));
        Ok(Self {
            stop: Some(stop),
            beating,
            state,
        })
    }

    /// Beats that the service acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.state.borrow().acknowledged
    }

    /// Why the last beat failed; `None` once one succeeded after it.
    pub fn last_error(&self) -> Option<Arc<Error>> {
        self.state.borrow().last_error.clone()
    }

    /// Why the instance is lost, if it is.
    pub fn is_lost(&self) -> Option<Lost> {
        self.state.borrow().lost.clone()
    }

    /// Returns when the instance is lost. Dropping the wait loses nothing, and it may be waited for again.
    pub async fn lost(&self) -> Lost {
        let mut state = self.state.clone();
        let found = state.wait_for(|state| state.lost.is_some()).await;
        match found.ok().and_then(|state| state.lost.clone()) {
            Some(lost) => lost,
            // The beats ended with their runtime: nobody can say any more.
            None => std::future::pending().await,
        }
    }

    /// Sends no more beats, and returns when none is on its way: why the instance was lost, if it was.
    pub async fn stop(mut self) -> Option<Lost> {
        if let Some(stop) = self.stop.take() {
            // It has ended already when it found the instance lost.
            let _ = stop.send(());
        }
        // A beat that panicked or a runtime that ended leaves nothing to stop.
        let _ = (&mut self.beating).await;
        self.is_lost()
    }
}

impl Drop for KeepAlive {
    fn drop(&mut self) {
        self.beating.abort();
    }
}

impl fmt::Debug for KeepAlive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeepAlive")
            .field("state", &*self.state.borrow())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone(error) => write!(f, "{error}"),
            Self::Silence { after, error } => {
                let seconds = after.as_secs();
                write!(f, "no heartbeat was acknowledged for {seconds} s: {error}")
            }
        }
    }
}

/// Beats until it is asked to stop or the instance is lost.
async fn beat(
    env: Environment,
    interval: Duration,
    mut stopped: oneshot::Receiver<()>,
    tell: watch::Sender<State>,
) {
    let mut ticks = tokio::time::interval(interval / BEATS_PER_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut acknowledged = Instant::now();
    loop {
        // Neither arm has done anything when the other wins: a tick is only time, and a stop is final.
        tokio::select! {
            biased;
            _ = &mut stopped => break,
            _ = ticks.tick() => {}
        }
        let sent = Instant::now();
        let Err(error) = beat_once(&env, interval).await else {
            // The moment it was sent: the service cannot have taken it earlier.
            acknowledged = sent;
            tell.send_modify(|state| {
                state.acknowledged += 1;
                state.last_error = None;
            });
            continue;
        };
        warn!(instance_id = %env.id(), "heartbeat failed: {}", error.to_line());
        let lost = judge(Arc::new(error), acknowledged.elapsed(), interval, &tell);
        if lost {
            break;
        }
    }
}

/// Sends one beat. One that hangs must not eat the interval of the next; with the usual timeouts it ends sooner by itself.
async fn beat_once(env: &Environment, interval: Duration) -> Result<(), Error> {
    let after = interval;
    let awaited = Awaited::Answer;
    let Ok(answered) = tokio::time::timeout(interval, env.heartbeat()).await else {
        return Err(Error::new(OPERATION, ErrorKind::Timeout { after, awaited }));
    };
    if answered?.success {
        return Ok(());
    }
    let reason = "the service did not count the heartbeat";
    Err(Error::invalid_argument(OPERATION, reason))
}

/// Tells what a failed beat means, and whether it was the last.
fn judge(
    error: Arc<Error>,
    silence: Duration,
    interval: Duration,
    tell: &watch::Sender<State>,
) -> bool {
    let lost = if error.is_gone() {
        Some(Lost::Gone(Arc::clone(&error)))
    } else if silence >= interval * MISSES_THAT_END {
        Some(Lost::Silence {
            after: silence,
            error: Arc::clone(&error),
        })
    } else {
        None
    };
    let is_lost = lost.is_some();
    tell.send_modify(|state| {
        state.last_error = Some(error);
        state.lost = lost;
    });
    is_lost
}
