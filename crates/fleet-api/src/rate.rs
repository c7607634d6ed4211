//! Keeps the client below the request rates it was given, and quiet while the service asks for quiet.
//!
//! Creates have a rate of their own, and at most one of them at a time stands in the queue of all
//! requests: a thousand waiting creates delay a delete or a verification by one place. Heartbeats
//! wait for nobody, because a late one costs an instance.

use std::num::NonZeroU32;
use std::sync::Mutex as StdMutex;
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How many requests a client sends per second; nothing means without limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateLimits {
    /// All requests but heartbeats.
    pub requests_per_second: Option<f64>,
    /// Creations of instances.
    pub creates_per_second: Option<f64>,
}

impl Default for RateLimits {
    /// 50 requests and 10 creates: what one machine needs for hundreds of instances, and far below
    /// what a service shared by many would notice.
    fn default() -> Self {
        Self {
            requests_per_second: Some(50.0),
            creates_per_second: Some(10.0),
        }
    }
}

impl RateLimits {
    /// No limits, for a service on the same machine.
    pub fn none() -> Self {
        Self {
            requests_per_second: None,
            creates_per_second: None,
        }
    }
}

/// Which queue a request waits in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lane {
    /// The queue of creates, then the one of all requests.
    Create,
    /// The queue of all requests.
    Request,
    /// No queue and no pause.
    Heartbeat,
}

/// The limiters and the pause of one client.
#[derive(Debug)]
pub(crate) struct Rates {
    requests: Option<Turnstile>,
    creates: Option<Turnstile>,
    pause_until: StdMutex<Option<Instant>>,
}

impl Rates {
    pub(crate) fn new(limits: RateLimits) -> Self {
        Self {
            requests: limits.requests_per_second.and_then(Turnstile::new),
            creates: limits.creates_per_second.and_then(Turnstile::new),
            pause_until: StdMutex::new(None),
        }
    }

    /// Waits until a request of this lane may be sent. Dropping the future gives the place up.
    pub(crate) async fn wait(&self, lane: Lane) {
        match lane {
            Lane::Heartbeat => {}
            Lane::Request => self.wait_for_request().await,
            Lane::Create => {
                let Some(creates) = &self.creates else {
                    return self.wait_for_request().await;
                };
                // The place among the creates is kept while waiting among all requests: that is
                // what lets only one create at a time into the second queue.
                let place = creates.queue.lock().await;
                creates.pass().await;
                self.wait_for_request().await;
                drop(place);
            }
        }
    }

    /// Keeps every lane but heartbeats quiet for `time`. The longest pause asked for holds.
    pub(crate) fn pause(&self, time: Duration) {
        let until = Instant::now() + time;
        let mut pause = self
            .pause_until
            .lock()
            .expect("no code panics while holding this lock");
        *pause = Some(pause.map_or(until, |earlier| earlier.max(until)));
    }

    async fn wait_for_request(&self) {
        loop {
            if let Some(requests) = &self.requests {
                let place = requests.queue.lock().await;
                requests.pass().await;
                drop(place);
            }
            // Looked at last, and again after each wait: a pause may begin or grow meanwhile. Who
            // comes out of one queues again, so that those it held back do not return at once.
            let Some(until) = self.current_pause() else {
                return;
            };
            tokio::time::sleep_until(until).await;
        }
    }

    fn current_pause(&self) -> Option<Instant> {
        let pause = self
            .pause_until
            .lock()
            .expect("no code panics while holding this lock");
        pause.filter(|until| *until > Instant::now())
    }
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Duration>>;

/// A limiter whose waiters pass one after the other, in the order in which they came. The limiter
/// alone would wake all of them for each place.
#[derive(Debug)]
struct Turnstile {
    queue: Mutex<()>,
    limiter: Limiter,
    clock: TokioClock,
}

impl Turnstile {
    /// Nothing for a rate that is no rate (zero, negative, not finite): the builder refuses those.
    fn new(per_second: f64) -> Option<Self> {
        let period = Duration::try_from_secs_f64(1.0 / per_second)
            .ok()
            .filter(|period| !period.is_zero())?;
        // A tenth of a second's worth may go at once: timers are no finer than a millisecond.
        let burst = (0.1 / period.as_secs_f64()).ceil().clamp(1.0, 1_000.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 1 and 1000"
        )]
        let burst = NonZeroU32::new(burst as u32)?;
        let clock = TokioClock::start();
        let quota = Quota::with_period(period)?.allow_burst(burst);
        Some(Self {
            queue: Mutex::new(()),
            limiter: RateLimiter::direct_with_clock(quota, clock.clone()),
            clock,
        })
    }

    /// Waits for the limiter. The caller holds the queue.
    async fn pass(&self) {
        while let Err(not_yet) = self.limiter.check() {
            tokio::time::sleep(not_yet.wait_time_from(self.clock.now())).await;
        }
    }
}

/// The clock of tokio, so that waits follow it when it is paused in tests.
#[derive(Debug, Clone)]
struct TokioClock(Instant);

impl TokioClock {
    fn start() -> Self {
        Self(Instant::now())
    }
}

impl Clock for TokioClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn limits(requests: f64, creates: f64) -> RateLimits {
        RateLimits {
            requests_per_second: Some(requests),
            creates_per_second: Some(creates),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn requests_keep_to_their_rate() {
        let rates = Rates::new(limits(10.0, 10.0));
        let start = Instant::now();
        for _ in 0..31 {
            rates.wait(Lane::Request).await;
        }
        let took = start.elapsed().as_secs_f64();
        assert!((2.9..=3.2).contains(&took), "{took}");
    }

    #[tokio::test(start_paused = true)]
    async fn s2_waiting_creates_hold_up_nobody_else() {
        // Creates are allowed more than requests are, the worst case for everybody else.
        let rates = Arc::new(Rates::new(limits(10.0, 1_000.0)));
        let creates: Vec<_> = (0..100)
            .map(|_| {
                let rates = Arc::clone(&rates);
                tokio::spawn(async move { rates.wait(Lane::Create).await })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(1)).await;
        let start = Instant::now();
        rates.wait(Lane::Request).await;
        assert!(
            start.elapsed() <= Duration::from_millis(300),
            "{:?}",
            start.elapsed()
        );
        rates.wait(Lane::Heartbeat).await;
        assert!(start.elapsed() <= Duration::from_millis(300));
        creates.iter().for_each(tokio::task::JoinHandle::abort);
    }

    #[tokio::test(start_paused = true)]
    async fn s2_a_pause_holds_for_everybody_but_heartbeats() {
        let rates = Rates::new(RateLimits::none());
        rates.pause(Duration::from_secs(30));
        rates.pause(Duration::from_secs(10));
        let start = Instant::now();
        rates.wait(Lane::Heartbeat).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        rates.wait(Lane::Create).await;
        assert!(
            start.elapsed() >= Duration::from_secs(30) && start.elapsed() < Duration::from_secs(31)
        );
        rates.wait(Lane::Request).await;
        assert!(start.elapsed() < Duration::from_secs(31));
    }

    #[tokio::test(start_paused = true)]
    async fn s2_those_who_were_paused_return_at_the_rate() {
        let rates = Arc::new(Rates::new(limits(10.0, 10.0)));
        rates.pause(Duration::from_secs(5));
        let start = Instant::now();
        let waiting: Vec<_> = (0..20)
            .map(|_| {
                let rates = Arc::clone(&rates);
                tokio::spawn(async move { rates.wait(Lane::Request).await })
            })
            .collect();
        for waiter in waiting {
            waiter.await.unwrap();
        }
        let took = start.elapsed().as_secs_f64();
        assert!((6.5..=9.5).contains(&took), "{took}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_rate_below_one_per_second_is_kept() {
        let rates = Rates::new(limits(1_000.0, 0.5));
        let start = Instant::now();
        for _ in 0..3 {
            rates.wait(Lane::Create).await;
        }
        assert!((3.9..=4.1).contains(&start.elapsed().as_secs_f64()));
    }
}
