//! How many creates may be under way at once: more with each that succeeds, half with each "no room" or "too fast".
//!
//! Additive increase, multiplicative decrease, as networks share a line: many harnesses of a team find their share of
//! its quota without knowing of each other, and a full service is asked by one of us now and then, not by a thousand.
//! The number of instances is not this file's business, see `admission`.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Creates at once before the service has said anything: enough to see how it takes them.
const FIRST_WINDOW: f64 = 16.0;

/// Lets creates through.
#[derive(Debug)]
pub(crate) struct Pacer {
    state: Mutex<State>,
    /// A place may be free.
    changed: Notify,
    most: f64,
}

#[derive(Debug)]
struct State {
    /// Creates that may be under way; between 1 and `most`.
    window: f64,
    /// Below this each success adds one, so that a large run is not held back for hours; above it a whole round does.
    threshold: f64,
    in_flight: u32,
    /// Counts the cuts. A refusal of a create that began before the last cut says nothing new.
    cuts: u64,
}

/// A create that may be under way. Its place is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    pacer: &'a Pacer,
    cuts_seen: u64,
}

impl Pacer {
    /// Never more than `most` at once.
    pub(crate) fn new(most: usize) -> Self {
        let most = (most as f64).max(1.0);
        Self {
            state: Mutex::new(State {
                window: FIRST_WINDOW.min(most),
                threshold: f64::INFINITY,
                in_flight: 0,
                cuts: 0,
            }),
            changed: Notify::new(),
            most,
        }
    }

    /// Waits for a place. Dropping the wait gives up the turn.
    pub(crate) async fn place(&self) -> Place<'_> {
        loop {
            // Asked for before looking, so that a place that frees up in between is not missed.
            let changed = self.changed.notified();
            if let Some(place) = self.try_place() {
                return place;
            }
            changed.await;
        }
    }

    /// Whether the service has asked for less than would be allowed, so that waiting is its doing.
    pub(crate) fn is_held_back(&self) -> bool {
        let state = self.state();
        state.cuts > 0 && state.window < self.most
    }

    fn try_place(&self) -> Option<Place<'_>> {
        let mut state = self.state();
        if f64::from(state.in_flight) >= state.window.floor() {
            return None;
        }
        state.in_flight += 1;
        let more = f64::from(state.in_flight) < state.window.floor();
        let place = Place {
            pacer: self,
            cuts_seen: state.cuts,
        };
        drop(state);
        if more {
            self.changed.notify_one();
        }
        Some(place)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Numbers are whole whatever panicked while they were locked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// The service gave an instance.
    pub(crate) fn granted(self) {
        let mut state = self.pacer.state();
        let step = if state.window < state.threshold {
            1.0
        } else {
            1.0 / state.window
        };
        state.window = (state.window + step).min(self.pacer.most);
    }

    /// The service has no room, or asks for fewer requests. True if this is news.
    pub(crate) fn refused(&mut self) -> bool {
        let mut state = self.pacer.state();
        if self.cuts_seen < state.cuts {
            self.cuts_seen = state.cuts;
            return false;
        }
        state.window = (state.window / 2.0).max(1.0);
        state.threshold = state.window;
        state.cuts += 1;
        self.cuts_seen = state.cuts;
        true
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.pacer.state().in_flight -= 1;
        self.pacer.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    fn window(pacer: &Pacer) -> usize {
        let mut held = Vec::new();
        while let Some(place) = pacer.try_place() {
            held.push(place);
        }
        held.len()
    }

    #[test]
    fn s3_a_round_of_refusals_halves_once_and_successes_add_up_again() {
        let pacer = Pacer::new(100);
        assert_eq!(window(&pacer), 16);
        let mut round: Vec<_> = (0..16).map(|_| pacer.try_place().unwrap()).collect();
        assert!(pacer.try_place().is_none());
        let news = round
            .iter_mut()
            .filter_map(|place| place.refused().then_some(()))
            .count();
        assert_eq!(news, 1, "sixteen refusals of one round are one cut");
        drop(round);
        assert_eq!(window(&pacer), 8);
        assert!(pacer.is_held_back());
        // Above the cut, a whole round of successes adds one.
        for _ in 0..8 {
            pacer.try_place().unwrap().granted();
        }
        assert_eq!(window(&pacer), 8);
        pacer.try_place().unwrap().granted();
        assert_eq!(window(&pacer), 9);
    }

    #[test]
    fn s3_one_always_asks() {
        let pacer = Pacer::new(100);
        for _ in 0..50 {
            let mut place = pacer.try_place().unwrap();
            place.refused();
        }
        assert_eq!(window(&pacer), 1);
    }

    #[test]
    fn without_refusals_it_doubles_with_each_round_up_to_the_limit() {
        let pacer = Pacer::new(100);
        for expected in [32, 64, 100, 100] {
            let round: Vec<_> = std::iter::from_fn(|| pacer.try_place()).collect();
            round.into_iter().for_each(Place::granted);
            assert_eq!(window(&pacer), expected);
        }
        assert!(!pacer.is_held_back());
        assert_eq!(window(&Pacer::new(0)), 1, "a limit of nothing would hang");
    }

    #[tokio::test(start_paused = true)]
    async fn every_waiter_gets_its_turn_and_no_more_than_the_window_at_once() {
        let pacer = Arc::new(Pacer::new(3));
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let one = |number: u64| {
            let (pacer, now, most) = (pacer.clone(), now.clone(), most.clone());
            async move {
                let mut place = pacer.place().await;
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(number % 7)).await;
                now.fetch_sub(1, Ordering::SeqCst);
                if number.is_multiple_of(5) {
                    place.refused();
                } else {
                    place.granted();
                }
            }
        };
        futures::future::join_all((0..200).map(one)).await;
        assert!((1..=3).contains(&most.load(Ordering::SeqCst)));
    }
}
