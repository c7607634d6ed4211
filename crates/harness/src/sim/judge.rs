//! Looks at what the harness says and at what really happened, and finds the difference.

use std::collections::HashMap;
use std::time::Duration;

use run_record::{ExitCode, RunRecord, Step, TrialId, TrialRecord, TrialStatus};

use super::fleet::Fleet;

/// An instance lives for three intervals after the last heartbeat that got through, which may have been on its way.
const LAPSE: Duration = Duration::from_secs(3 * 30 + 60);

/// What was true once must stay true.
#[derive(Debug, Default)]
pub(super) struct Judge {
    scores: HashMap<TrialId, f64>,
}

impl Judge {
    /// A sitting that came to its own end.
    pub(super) fn after_a_sitting(
        &mut self,
        told: &RunRecord,
        durable: &RunRecord,
        exit: ExitCode,
        fleet: &Fleet,
    ) {
        let live = fleet.live();
        if exit == ExitCode::Leaked {
            assert!(
                told.end
                    .as_ref()
                    .is_some_and(|end| !end.proven_empty || !end.unconfirmed.is_empty())
                    || !told.open_leases().is_empty(),
                "a leak without a reason"
            );
        } else {
            assert!(live.is_empty(), "exit {exit:?} and {live:?} live on");
        }
        let stats = told.stats();
        if exit == ExitCode::Success {
            assert_eq!(stats.scored, stats.total, "success without every score");
        }
        self.check_scores(durable, fleet);
        // Whoever reads the journal later reads what was told. A score whose sync failed may be there all the same.
        for (told, durable) in told.trials.iter().zip(&durable.trials) {
            if told.score.is_some() {
                assert_eq!(told.score, durable.score, "{}", told.id);
            }
        }
    }

    /// A sitting that was killed: nothing but the journal speaks for it.
    pub(super) fn after_a_kill(&mut self, durable: &RunRecord, fleet: &Fleet) {
        self.check_scores(durable, fleet);
    }

    /// Without a harness everything that it left ends by lapse.
    pub(super) async fn at_the_end(&self, fleet: &Fleet) {
        tokio::time::sleep(LAPSE).await;
        let live = fleet.live();
        assert!(live.is_empty(), "{live:?} outlive their harness");
    }

    /// How many trials were scored by a sitting in the instance that an earlier one had left.
    pub(super) fn adopted(&self, before: &RunRecord, after: &RunRecord) -> usize {
        let was_finished = |trial: &TrialRecord| {
            trial
                .last_attempt()
                .is_some_and(|last| matches!(last.state.step, Step::AgentDead | Step::VerifyIntent))
        };
        let pairs = before.trials.iter().zip(&after.trials);
        pairs
            .filter(|(before, after)| {
                was_finished(before)
                    && after.status == TrialStatus::Scored
                    && before.attempts.len() == after.attempts.len()
            })
            .count()
    }

    /// Every agent that ended has one session, in the one job, with every message once and in order. `all_done` says
    /// that the last sitting had time for what was left.
    pub(super) fn sessions(&self, record: &RunRecord, fleet: &Fleet, wanted: bool, all_done: bool) {
        let ledger = fleet.ledger();
        if !wanted {
            assert!(ledger.sessions.is_empty() && ledger.jobs.is_empty());
            return;
        }
        assert!(
            ledger.jobs.len() <= 1,
            "sessions in two jobs: {:?}",
            ledger.jobs
        );
        let attempts = record.trials.iter().flat_map(|trial| &trial.attempts);
        let (ended, open): (Vec<_>, Vec<_>) = attempts
            .filter(|attempt| attempt.agent.is_some())
            .partition(|attempt| {
                let session = attempt.session.as_ref();
                session.is_some_and(|session| session.end.is_some())
            });
        assert!(open.is_empty() || !all_done, "sessions have no end");
        let possible = ended.len()..=ended.len() + open.len();
        assert!(
            possible.contains(&ledger.sessions.len()),
            "sessions are missing or twice there: {} of {possible:?}",
            ledger.sessions.len()
        );
        for attempt in ended {
            let session = attempt.session.as_ref().expect("it was delivered");
            let id = session.session_id.as_ref().expect("it is known");
            let there = &ledger.sessions[id];
            let instance = attempt.instance.as_ref().expect("it worked in one");
            assert_eq!(there.instance, instance.as_str());
            assert!(there.ended, "session {id} has no end");
            assert_eq!(there.messages.len() as u64, session.messages);
            if there.messages != ["work"] {
                let numbered = there.messages.iter().enumerate();
                for (number, said) in numbered {
                    assert_eq!(*said, format!("{instance} {number}"), "session {id}");
                }
            }
        }
    }

    fn check_scores(&mut self, durable: &RunRecord, fleet: &Fleet) {
        let ledger = fleet.ledger();
        for trial in &durable.trials {
            if let Some(before) = self.scores.get(&trial.id) {
                assert_eq!(
                    trial.score,
                    Some(*before),
                    "{} lost or changed its score",
                    trial.id
                );
            }
            let Some(score) = trial.score else { continue };
            self.scores.insert(trial.id.clone(), score);
            let instance = trial.instance().expect("a score comes from an instance");
            let given = ledger.scores.get(instance.as_str());
            let given = given.unwrap_or_else(|| panic!("{} was never verified", trial.id));
            #[expect(clippy::float_cmp, reason = "zero and one are exact")]
            let same = score == *given as f64;
            assert!(
                same,
                "{}: {score} where the verifier said {given}",
                trial.id
            );
        }
    }
}
