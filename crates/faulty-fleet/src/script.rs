//! Which fault is due for which call: by rules, or by a seed. Pure: nothing here sends or answers anything.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::RngExt as _;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

/// The calls that a run makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Call {
    /// `GET /v1/account`.
    Account,
    /// The listing of tasks, or one of them.
    Tasks,
    /// The catalogue of environments.
    Environments,
    /// `POST /v1/env/instances`.
    Create,
    /// `GET /v1/env/instances/{id}`.
    Get,
    /// `POST /v1/env/instances/{id}/heartbeat`.
    Heartbeat,
    /// Whether a verifier's bundle is known.
    Check,
    /// `POST /v1/verifiers/execute`.
    Execute,
    /// `DELETE /v1/env/instances/{id}`.
    Close,
    /// `GET /v1/env/instances`.
    List,
    /// `POST /v1/traces/jobs`.
    Job,
    /// `POST /v1/sessions/ingest`, and the end of a session by `POST /v1/traces/logs`.
    Session,
    /// Looking at jobs and sessions.
    LookAtSessions,
    /// Everything else.
    Other,
    /// In a rule: every call, whatever it is.
    Any,
}

/// A change of an answer's JSON.
pub type Change = Arc<dyn Fn(&mut Value) + Send + Sync>;

/// What happens to a call. Where a fault says nothing else, the call takes its effect and only the answer is bad.
#[derive(Clone)]
pub enum Fault {
    /// It is answered with this status and never reaches the service.
    Status(u16),
    /// It never reaches the service and gets this answer: status, headers, body.
    Refuse(u16, Vec<(&'static str, String)>, String),
    /// It never reaches the service: the structured instance limit.
    Quota,
    /// It never reaches the service: 429 with this `Retry-After`.
    SlowDown(Option<String>),
    /// It takes effect and is answered with this status.
    LateStatus(u16),
    /// A create takes effect and is answered with 409, as if an earlier one with its id had made the instance.
    Duplicate,
    /// As `Duplicate`, of an instance that has ended meanwhile.
    DuplicateOfEnded,
    /// The connection is closed before it takes effect.
    CutBefore,
    /// The connection is closed in place of the answer.
    CutAfter,
    /// The connection is reset (RST) before it takes effect.
    ResetBefore,
    /// The connection is reset in place of the answer.
    ResetAfter,
    /// The answer comes late.
    Slow(Duration),
    /// The answer comes one byte a second.
    Drip,
    /// The answer never ends.
    Endless,
    /// The answer is a gigabyte, compressed to a megabyte.
    GzipBomb,
    /// A whole answer that is half of the JSON.
    HalfJson,
    /// The connection is closed in the middle of the answer.
    BrokenOff,
    /// 200 and this text.
    Body(&'static str),
    /// The answer's JSON is changed.
    Change(Change),
    /// The service's clock is off by so many seconds: its `Date` and its deadlines.
    Skew(i64),
    /// A close is answered as done and is not done.
    Lie,
    /// A close is answered with 200 and the record of an instance that runs on.
    Deaf,
    /// The instance dies before the call is made.
    DieFirst,
    /// A create makes two instances, and only the second is told of.
    Twin,
    /// The new instance is missing from so many listings.
    HideFromLists(u32),
    /// As `HideFromLists`, and the create's answer is half of the JSON.
    Lost(u32),
    /// A listing ignores what it was asked for and shows everything.
    ForgetFilter,
}

impl Fault {
    /// A change of the answer's JSON.
    pub fn change(change: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        Self::Change(Arc::new(change))
    }

    /// 429 with this `Retry-After`.
    pub fn slow_down(retry_after: &str) -> Self {
        Self::SlowDown(Some(retry_after.to_owned()))
    }
}

impl std::fmt::Debug for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status(status) => write!(f, "Status({status})"),
            Self::Refuse(status, ..) => write!(f, "Refuse({status})"),
            Self::Quota => f.write_str("Quota"),
            Self::SlowDown(after) => write!(f, "SlowDown({after:?})"),
            Self::LateStatus(status) => write!(f, "LateStatus({status})"),
            Self::Duplicate => f.write_str("Duplicate"),
            Self::DuplicateOfEnded => f.write_str("DuplicateOfEnded"),
            Self::CutBefore => f.write_str("CutBefore"),
            Self::CutAfter => f.write_str("CutAfter"),
            Self::ResetBefore => f.write_str("ResetBefore"),
            Self::ResetAfter => f.write_str("ResetAfter"),
            Self::Slow(time) => write!(f, "Slow({time:?})"),
            Self::Drip => f.write_str("Drip"),
            Self::Endless => f.write_str("Endless"),
            Self::GzipBomb => f.write_str("GzipBomb"),
            Self::HalfJson => f.write_str("HalfJson"),
            Self::BrokenOff => f.write_str("BrokenOff"),
            Self::Body(text) => write!(f, "Body({text:?})"),
            Self::Change(_) => f.write_str("Change"),
            Self::Skew(seconds) => write!(f, "Skew({seconds})"),
            Self::Lie => f.write_str("Lie"),
            Self::Deaf => f.write_str("Deaf"),
            Self::DieFirst => f.write_str("DieFirst"),
            Self::Twin => f.write_str("Twin"),
            Self::HideFromLists(lists) => write!(f, "HideFromLists({lists})"),
            Self::Lost(lists) => write!(f, "Lost({lists})"),
            Self::ForgetFilter => f.write_str("ForgetFilter"),
        }
    }
}

/// A fault, the call it comes to, and when.
#[derive(Clone, Debug)]
pub struct Rule {
    call: Call,
    fault: Fault,
    first: u32,
    last: u32,
    each_target: bool,
}

impl Rule {
    /// Every such call.
    pub fn every(call: Call, fault: Fault) -> Self {
        Self {
            call,
            fault,
            first: 1,
            last: u32::MAX,
            each_target: false,
        }
    }

    /// The first `times` of them.
    pub fn first(times: u32, call: Call, fault: Fault) -> Self {
        Self {
            last: times,
            ..Self::every(call, fault)
        }
    }

    /// Only the one with this number, from 1.
    pub fn nth(number: u32, call: Call, fault: Fault) -> Self {
        Self {
            first: number,
            last: number,
            ..Self::every(call, fault)
        }
    }

    /// From this number on, from 1.
    pub fn from(number: u32, call: Call, fault: Fault) -> Self {
        Self {
            first: number,
            ..Self::every(call, fault)
        }
    }

    /// Counts for each instance by itself (for each request id, where there is no instance yet).
    #[must_use]
    pub fn each_target(self) -> Self {
        Self {
            each_target: true,
            ..self
        }
    }
}

/// How often a seeded Fleet fails.
#[derive(Clone, Copy, Debug)]
pub struct Odds {
    /// From this seed everything follows: the same calls in the same order meet the same faults.
    pub seed: u64,
    /// Share of calls that meet a fault, 0–1.
    pub faults: f64,
}

/// What goes wrong, in the order of its rules: the first that matches decides.
#[derive(Clone, Debug, Default)]
pub struct Script {
    rules: Vec<Rule>,
    odds: Option<Odds>,
    counts: Arc<Mutex<Counts>>,
}

/// Which one a call is, from 1: of all, of its kind, and of its kind for its target.
struct Numbers {
    overall: u32,
    of_call: u32,
    of_target: u32,
}

#[derive(Debug, Default)]
struct Counts {
    all: u32,
    calls: HashMap<Call, u32>,
    targets: HashMap<(Call, String), u32>,
}

impl Script {
    /// Nothing goes wrong.
    pub fn none() -> Self {
        Self::default()
    }

    /// These rules.
    pub fn of(rules: impl IntoIterator<Item = Rule>) -> Self {
        Self {
            rules: rules.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Faults by chance.
    pub fn seeded(odds: Odds) -> Self {
        Self {
            odds: Some(odds),
            ..Self::default()
        }
    }

    /// The fault that is due for this call, if any. Each question counts as one call.
    pub fn due(&self, call: Call, target: &str) -> Option<Fault> {
        let Numbers {
            overall,
            of_call,
            of_target,
        } = self.count(call, target);
        let rule = self.rules.iter().find(|rule| {
            let number = match rule.call {
                Call::Any => overall,
                _ if rule.each_target => of_target,
                _ => of_call,
            };
            let matches = rule.call == call || rule.call == Call::Any;
            matches && (rule.first..=rule.last).contains(&number)
        });
        rule.map(|rule| rule.fault.clone())
            .or_else(|| self.odds.and_then(|odds| by_chance(odds, call, of_call)))
    }

    fn count(&self, call: Call, target: &str) -> Numbers {
        let mut counts = self.counts.lock().unwrap();
        counts.all += 1;
        let overall = counts.all;
        let of_call = counts.calls.entry(call).or_default();
        *of_call += 1;
        let of_call = *of_call;
        let of_target = counts.targets.entry((call, target.to_owned())).or_default();
        *of_target += 1;
        Numbers {
            overall,
            of_call,
            of_target: *of_target,
        }
    }
}

/// Depends on the seed and the call's number alone, so that calls that overtake each other do not change what others meet.
fn by_chance(odds: Odds, call: Call, number: u32) -> Option<Fault> {
    let mut chance = ChaCha8Rng::seed_from_u64(odds.seed);
    chance.set_stream((call as u64) << 32 | u64::from(number));
    if chance.random::<f64>() >= odds.faults {
        return None;
    }
    let pick = chance.random_range(0..100_u32);
    let common = match pick {
        0..=24 => Fault::Status(503),
        25..=34 => Fault::Status(500),
        35..=44 => Fault::slow_down("0"),
        45..=59 => Fault::CutBefore,
        60..=69 => Fault::ResetBefore,
        70..=79 => Fault::Slow(Duration::from_millis(u64::from(
            chance.random_range(1..300_u32),
        ))),
        // What follows has its effect although the caller does not learn of it.
        80..=84 => Fault::CutAfter,
        85..=89 => Fault::ResetAfter,
        90..=92 => Fault::HalfJson,
        93..=95 => Fault::BrokenOff,
        _ => Fault::Body("<html>captive portal</html>"),
    };
    let of_this_call = match (call, pick) {
        (Call::Create, 0..=9) => Fault::Quota,
        (Call::Create, 10..=14) => Fault::HideFromLists(1),
        (Call::Execute, 0..=5) => Fault::DieFirst,
        (Call::Close, 0..=9) => Fault::Deaf,
        (Call::Close, 10..=14) => Fault::Status(404),
        _ => common,
    };
    // A run that cannot begin proves nothing of what is asked here.
    let before_the_run = matches!(call, Call::Account | Call::Tasks | Call::Environments);
    (!before_the_run).then_some(of_this_call)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(script: &Script, call: Call, target: &str) -> String {
        script
            .due(call, target)
            .map_or_else(String::new, |fault| format!("{fault:?}"))
    }

    #[test]
    fn rules_count_calls_or_targets() {
        let script = Script::of([
            Rule::nth(2, Call::Create, Fault::Quota),
            Rule::first(1, Call::Heartbeat, Fault::Status(503)).each_target(),
            Rule::from(3, Call::Close, Fault::Lie),
        ]);
        let creates: Vec<_> = (0..3).map(|_| due(&script, Call::Create, "")).collect();
        assert_eq!(creates, ["", "Quota", ""]);
        let beats: Vec<_> = ["a", "b", "a", "b"]
            .map(|target| due(&script, Call::Heartbeat, target))
            .into();
        assert_eq!(beats, ["Status(503)", "Status(503)", "", ""]);
        let closes: Vec<_> = (0..4).map(|_| due(&script, Call::Close, "a")).collect();
        assert_eq!(closes, ["", "", "Lie", "Lie"]);
    }

    #[test]
    fn a_seed_gives_the_same_faults_whatever_comes_between() {
        let of = |seed| Script::seeded(Odds { seed, faults: 0.3 });
        let (one, other) = (of(7), of(7));
        let creates: Vec<_> = (0..50).map(|_| due(&one, Call::Create, "")).collect();
        let mixed: Vec<_> = (0..50)
            .map(|_| {
                due(&other, Call::Close, "");
                due(&other, Call::Create, "")
            })
            .collect();
        assert_eq!(creates, mixed);
        let met = creates.iter().filter(|fault| !fault.is_empty()).count();
        assert!((5..30).contains(&met), "{met}");
        let another: Vec<_> = (0..50).map(|_| due(&of(8), Call::Create, "")).collect();
        assert_ne!(creates, another);
    }
}
