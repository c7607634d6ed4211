//! How many of each thing may exist at once: environments, agents, verifications.
//!
//! A trial holds an environment permit from before its create until its instance is given back, and an agent or
//! verifier permit only while one runs. So instances warm up while agents work, and an agent slot never waits
//! for a cold start as long as environments allow.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::pacing::Pacer;

/// The limits of a run, and the room left under each.
#[derive(Debug)]
pub(crate) struct Admission {
    environments: Arc<Semaphore>,
    agents: Semaphore,
    verifiers: Semaphore,
    creates: Pacer,
    given_back: Notify,
}

/// Room for one instance. Gone with the trial that holds it.
#[derive(Debug)]
pub(crate) struct EnvironmentPermit(
    #[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit,
);

/// The first and the longest pause of a trial that waits for the team's quota.
const QUOTA_PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

impl Admission {
    pub(crate) fn new(environments: usize, agents: usize, verifiers: usize) -> Self {
        Self {
            environments: Arc::new(Semaphore::new(environments)),
            agents: Semaphore::new(agents),
            verifiers: Semaphore::new(verifiers),
            creates: Pacer::new(environments),
            given_back: Notify::new(),
        }
    }

    /// Waits for room for one more instance. Dropping the wait gives up the place in the queue.
    pub(crate) async fn environment(&self) -> EnvironmentPermit {
        let permit = Arc::clone(&self.environments).acquire_owned().await;
        EnvironmentPermit(permit.expect("the semaphores are never closed"))
    }

    /// Waits for room for one more agent.
    pub(crate) async fn agent(&self) -> SemaphorePermit<'_> {
        let permit = self.agents.acquire().await;
        permit.expect("the semaphores are never closed")
    }

    /// Waits for room for one more verification.
    pub(crate) async fn verifier(&self) -> SemaphorePermit<'_> {
        let permit = self.verifiers.acquire().await;
        permit.expect("the semaphores are never closed")
    }

    /// How many creates may be under way.
    pub(crate) fn creates(&self) -> &Pacer {
        &self.creates
    }

    /// Says that an instance of ours is gone, so that one create that waits for quota may try.
    pub(crate) fn instance_given_back(&self) {
        self.given_back.notify_one();
    }

    /// Waits until it makes sense to ask for an instance again: one of ours was given back, or a pause that doubles
    /// with each refusal is over — other users of the team give back too, and nobody tells us.
    pub(crate) async fn quota_may_have_changed(&self, refusals: u32) {
        let (first, longest) = QUOTA_PAUSES;
        let pause = first.saturating_mul(1 << refusals.min(8)).min(longest);
        // Both arms are pure waits; dropping either loses nothing but a wake-up that another refusal repeats.
        tokio::select! {
            biased;
            () = self.given_back.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test(start_paused = true)]
    async fn no_more_than_the_limit_at_once_and_all_get_their_turn() {
        let admission = Arc::new(Admission::new(3, 1, 1));
        let live = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let one = |_| {
            let (admission, live, most) = (admission.clone(), live.clone(), most.clone());
            async move {
                let _permit = admission.environment().await;
                most.fetch_max(live.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_secs(1)).await;
                live.fetch_sub(1, Ordering::SeqCst);
            }
        };
        futures::future::join_all((0..20).map(one)).await;
        assert_eq!(most.load(Ordering::SeqCst), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn s3_waiting_for_quota_ends_with_a_release_or_a_bounded_pause() {
        let admission = Admission::new(1, 1, 1);
        let start = tokio::time::Instant::now();
        admission.quota_may_have_changed(40).await;
        assert_eq!(start.elapsed(), QUOTA_PAUSES.1);
        admission.instance_given_back();
        let start = tokio::time::Instant::now();
        admission.quota_may_have_changed(40).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}
