//! Keeps instances alive: one thread with a runtime of its own beats for every lease of the run.
//!
//! Heartbeats outlive the TTL at the service, so the sender is a dead-man switch: it beats only while the lease
//! is before its own deadline and the main runtime has ticked lately. A wedged scheduler or a forgotten lease ends
//! by lapse. Time is measured by a clock that counts sleep: a machine that wakes up asks the service what became of
//! its leases before it believes in them. What a lost lease means is the trial's business; this file only says so.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::MissedTickBehavior;

use crate::world::BootClock;

/// What one heartbeat can come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    /// The service took it.
    Alive,
    /// The instance has ended, confirmed by asking the service.
    Gone(String),
    /// No usable answer.
    Failed(String),
}

/// Sends one heartbeat and, if it fails, finds out whether the instance is gone.
pub(crate) type Beats =
    Arc<dyn Fn(&str) -> Pin<Box<dyn Future<Output = Beat> + Send>> + Send + Sync>;

/// The instance is gone, or must be taken to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LeaseLost(pub(crate) String);

/// Intervals without an acknowledged beat after which the service ends the instance.
const MISSES_THAT_END: u32 = 3;

/// A third of the interval, so that two beats may be lost before one is missed.
const BEATS_PER_INTERVAL: u32 = 3;

/// How often the main runtime proves that it is alive.
const PULSE: Duration = Duration::from_millis(500);

/// The thread that beats.
#[derive(Debug)]
pub(crate) struct Heartbeats {
    runtime: tokio::runtime::Handle,
    shutdown: Option<oneshot::Sender<()>>,
    pulse: Arc<Pulse>,
    pulse_loop: tokio::task::JoinHandle<()>,
}

/// A lease that is kept alive until this is dropped.
#[derive(Debug)]
pub(crate) struct KeptAlive {
    beating: tokio::task::JoinHandle<()>,
    lost: watch::Receiver<Option<LeaseLost>>,
}

/// When the main runtime last proved that it is alive, in milliseconds of the clock.
#[derive(Debug)]
struct Pulse {
    clock: BootClock,
    last_ms: AtomicU64,
}

impl Pulse {
    fn new(clock: BootClock) -> Self {
        let pulse = Self {
            clock,
            last_ms: AtomicU64::new(0),
        };
        pulse.beat();
        pulse
    }

    fn beat(&self) {
        let now = u64::try_from(self.clock.now().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(now, Ordering::Relaxed);
    }

    fn age(&self) -> Duration {
        let last = Duration::from_millis(self.last_ms.load(Ordering::Relaxed));
        self.clock.now().saturating_sub(last)
    }
}

impl Heartbeats {
    /// Starts the thread. Must be called on the main runtime, whose life it watches.
    pub(crate) fn start() -> std::io::Result<Self> {
        Self::with_pulse(PULSE)
    }

    /// As [`Heartbeats::start`], with a pulse that is much shorter than the intervals of a test.
    fn with_pulse(every: Duration) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let handle = runtime.handle().clone();
        let (shutdown, ended) = oneshot::channel::<()>();
        std::thread::Builder::new()
            .name("heartbeats".to_owned())
            .spawn(move || {
                // Ends when the sender is used or dropped.
                let _ = runtime.block_on(ended);
            })?;
        Ok(Self::on(handle, Some(shutdown), BootClock::system(), every))
    }

    /// Beats on the main runtime itself, by another clock: in a simulation there is one thread and no real time.
    #[cfg(test)]
    pub(crate) fn simulated(clock: BootClock) -> Self {
        Self::on(tokio::runtime::Handle::current(), None, clock, PULSE * 8)
    }

    fn on(
        runtime: tokio::runtime::Handle,
        shutdown: Option<oneshot::Sender<()>>,
        clock: BootClock,
        every: Duration,
    ) -> Self {
        let pulse = Arc::new(Pulse::new(clock));
        let pulse_loop = tokio::spawn({
            let pulse = Arc::clone(&pulse);
            async move {
                loop {
                    pulse.beat();
                    tokio::time::sleep(every).await;
                }
            }
        });
        Self {
            runtime,
            shutdown,
            pulse,
            pulse_loop,
        }
    }

    /// Keeps `instance` alive until the answer is dropped, `time` has passed or the instance is gone.
    pub(crate) fn keep_alive(
        &self,
        instance: String,
        interval: Duration,
        time: Duration,
        beats: Beats,
    ) -> KeptAlive {
        let (tell, lost) = watch::channel(None);
        let pulse = Arc::clone(&self.pulse);
        let beating = self.runtime.spawn(async move {
            let reason = beat_until_lost(&instance, interval, time, &pulse, &beats).await;
            tell.send_replace(Some(LeaseLost(reason)));
            // The sender stays until the lease is dropped, so that `lost` never sees it closed without a reason.
            std::future::pending::<()>().await;
        });
        KeptAlive { beating, lost }
    }
}

impl Drop for Heartbeats {
    fn drop(&mut self) {
        self.pulse_loop.abort();
        drop(self.shutdown.take());
    }
}

impl KeptAlive {
    /// Returns when the lease is lost. Dropping the wait loses nothing.
    pub(crate) async fn lost(&self) -> LeaseLost {
        let mut lost = self.lost.clone();
        match lost.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().expect("waited for"),
            // The heartbeat thread is gone: nobody keeps the instance alive any more.
            Err(_) => LeaseLost("the heartbeat thread ended".to_owned()),
        }
    }

    /// Whether the lease is lost already.
    #[cfg(test)]
    fn is_lost(&self) -> Option<LeaseLost> {
        self.lost.borrow().clone()
    }
}

impl Drop for KeptAlive {
    fn drop(&mut self) {
        self.beating.abort();
    }
}

/// Beats until the lease is lost, and says why.
async fn beat_until_lost(
    instance: &str,
    interval: Duration,
    time: Duration,
    pulse: &Pulse,
    beats: &Beats,
) -> String {
    let mut ticks = tokio::time::interval(interval / BEATS_PER_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let clock = &pulse.clock;
    let deadline = clock.now() + time;
    let mut acknowledged = clock.now();
    let mut last_tick = clock.now();
    let mut failures = 0_u32;
    loop {
        ticks.tick().await;
        let now = clock.now();
        // The machine slept, or all of us were stopped: that says nothing about the main runtime, which needs a
        // moment to show that it is back.
        let stood_still = now.saturating_sub(last_tick) > interval;
        last_tick = now;
        if now >= deadline {
            return "the lease reached its own deadline".to_owned();
        }
        if !stood_still && pulse.age() > interval * 2 {
            return "the harness stalled for two heartbeat intervals".to_owned();
        }
        // A beat that hangs must not eat the interval of the next ones.
        let beat = tokio::time::timeout(interval, beats(instance)).await;
        match beat.unwrap_or_else(|_| Beat::Failed("no answer in time".to_owned())) {
            Beat::Alive => {
                acknowledged = clock.now();
                failures = 0;
            }
            Beat::Gone(why) if stood_still => {
                return format!("{why}; this machine slept or was stopped meanwhile");
            }
            Beat::Gone(why) => return why,
            Beat::Failed(why) => {
                failures += 1;
                tracing::warn!(instance, failures, why, "heartbeat failed");
                let silence = clock.now().saturating_sub(acknowledged);
                if silence >= interval * MISSES_THAT_END {
                    return format!("no heartbeat was acknowledged for three intervals: {why}");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::time::Instant;

    const INTERVAL: Duration = Duration::from_millis(200);

    fn scripted(script: Vec<Beat>) -> (Beats, Arc<Mutex<Vec<Instant>>>) {
        let sent = Arc::new(Mutex::new(Vec::new()));
        let script = Arc::new(Mutex::new(script.into_iter()));
        let log = Arc::clone(&sent);
        let beats: Beats = Arc::new(move |_| {
            log.lock().unwrap().push(Instant::now());
            let beat = script.lock().unwrap().next().unwrap_or(Beat::Alive);
            Box::pin(async move { beat })
        });
        (beats, sent)
    }

    /// Longer than any test.
    const FAR: Duration = Duration::from_secs(60);

    async fn within<T>(wait: impl Future<Output = T>) -> T {
        tokio::time::timeout(Duration::from_secs(10), wait)
            .await
            .expect("in time")
    }

    #[tokio::test]
    async fn s12_a_gone_instance_is_a_message_not_a_log_line() {
        let heartbeats = Heartbeats::with_pulse(INTERVAL / 20).unwrap();
        let (beats, _) = scripted(vec![Beat::Alive, Beat::Gone("stopped".into())]);
        let kept = heartbeats.keep_alive("i".into(), INTERVAL, FAR, beats);
        assert_eq!(within(kept.lost()).await, LeaseLost("stopped".into()));
        assert!(kept.is_lost().is_some());
    }

    #[tokio::test]
    async fn s13_two_failures_are_tolerated_and_three_silent_intervals_are_not() {
        let heartbeats = Heartbeats::with_pulse(INTERVAL / 20).unwrap();
        let failed = || Beat::Failed("503".into());
        let (beats, sent) = scripted(vec![
            failed(),
            failed(),
            Beat::Alive,
            Beat::Gone("x".into()),
        ]);
        let kept = heartbeats.keep_alive("i".into(), INTERVAL, FAR, beats);
        assert_eq!(within(kept.lost()).await, LeaseLost("x".into()));
        assert_eq!(sent.lock().unwrap().len(), 4);

        let (beats, sent) = scripted(vec![failed(); 1000]);
        let start = Instant::now();
        let kept = heartbeats.keep_alive("i".into(), INTERVAL, FAR, beats);
        let LeaseLost(why) = within(kept.lost()).await;
        assert!(why.contains("three intervals"), "{why}");
        assert!(start.elapsed() >= INTERVAL * 3);
        assert!(sent.lock().unwrap().len() > 2, "it kept trying");
    }

    #[tokio::test]
    async fn s16_the_switch_opens_at_the_deadline_and_when_the_lease_is_dropped() {
        let heartbeats = Heartbeats::with_pulse(INTERVAL / 20).unwrap();
        let (beats, sent) = scripted(vec![]);
        let deadline = Instant::now() + INTERVAL * 2;
        let kept = heartbeats.keep_alive("i".into(), INTERVAL, INTERVAL * 2, Arc::clone(&beats));
        let LeaseLost(why) = within(kept.lost()).await;
        assert!(why.contains("deadline"), "{why}");
        let after = sent.lock().unwrap().len();
        drop(kept);
        drop(heartbeats);
        assert!(
            sent.lock()
                .unwrap()
                .iter()
                .all(|at| *at < deadline + INTERVAL)
        );
        assert_eq!(sent.lock().unwrap().len(), after);
    }

    #[test]
    fn s16_a_main_runtime_that_stands_still_stops_the_beats() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let heartbeats = Heartbeats::with_pulse(INTERVAL / 20).unwrap();
            let (beats, sent) = scripted(vec![]);
            let kept = heartbeats.keep_alive("i".into(), INTERVAL, FAR, beats);
            // Blocks the only thread of the main runtime, as a bug would.
            let until = Instant::now() + INTERVAL * 6;
            while Instant::now() < until {
                std::hint::spin_loop();
            }
            let LeaseLost(why) = kept.is_lost().expect("the thread of its own saw it");
            assert!(why.contains("stalled"), "{why}");
            let last = *sent.lock().unwrap().last().unwrap();
            assert!(Instant::now().duration_since(last) > INTERVAL * 2);
        });
    }

    /// A clock that a test can move, as sleep does: timers see nothing of it.
    fn sleeping_clock() -> (BootClock, Arc<AtomicU64>) {
        let slept = Arc::new(AtomicU64::new(0));
        let (start, added) = (tokio::time::Instant::now(), Arc::clone(&slept));
        let clock = BootClock::of(move || {
            start.elapsed() + Duration::from_millis(added.load(Ordering::SeqCst))
        });
        (clock, slept)
    }

    /// As in a real spec; the clock of these tests is not the wall's.
    const USUAL: Duration = Duration::from_secs(30);
    const NIGHT: Duration = Duration::from_hours(8);

    #[tokio::test(start_paused = true)]
    async fn k13_after_sleep_the_service_is_asked_and_a_living_lease_goes_on() {
        let (clock, slept) = sleeping_clock();
        let heartbeats = Heartbeats::simulated(clock);
        let (beats, sent) = scripted(vec![]);
        let kept = heartbeats.keep_alive("i".into(), USUAL, NIGHT, beats);
        tokio::time::sleep(USUAL).await;
        let before = sent.lock().unwrap().len();
        slept.fetch_add(500_000, Ordering::SeqCst);
        tokio::time::sleep(USUAL * 4).await;
        assert_eq!(kept.is_lost(), None, "the service still takes its beats");
        assert!(sent.lock().unwrap().len() > before + 3);
        // A night is longer than the lease.
        slept.fetch_add(40_000_000, Ordering::SeqCst);
        let LeaseLost(why) = kept.lost().await;
        assert!(why.contains("deadline"), "{why}");
    }

    #[tokio::test(start_paused = true)]
    async fn k13_a_lease_that_ended_in_our_sleep_is_lost_and_sleep_is_named() {
        let (clock, slept) = sleeping_clock();
        let heartbeats = Heartbeats::simulated(clock);
        let script = [
            vec![Beat::Alive; 3],
            vec![Beat::Gone("it is stopped".into()); 9],
        ]
        .concat();
        let (beats, _) = scripted(script);
        let kept = heartbeats.keep_alive("i".into(), USUAL, NIGHT, beats);
        tokio::time::sleep(USUAL * 2 / 3 + USUAL / 6).await;
        assert_eq!(kept.is_lost(), None);
        slept.fetch_add(500_000, Ordering::SeqCst);
        let LeaseLost(why) = kept.lost().await;
        assert!(why.contains("stopped") && why.contains("slept"), "{why}");
    }
}
