//! Failure at every step: each step of a trial × each fault × its undo, which fails or is repeated as well. It is asserted that
//! the failure happened there, and that nothing is left. A new step joins this table.

use std::time::Duration;

use faulty_fleet::{Call, Expectation, Fault, Odds, Rule, Script};
use serde_json::{Value, json};

use crate::scene::{Scene, told};

/// A step of a trial, made to fail for good in its first attempt.
#[derive(Clone, Copy, Debug)]
enum Step {
    Create,
    WaitReady,
    AgentStart,
    AgentRun,
    Verify,
    Release,
    FinalList,
}

const STEPS: [Step; 7] = [
    Step::Create,
    Step::WaitReady,
    Step::AgentStart,
    Step::AgentRun,
    Step::Verify,
    Step::Release,
    Step::FinalList,
];

impl Step {
    /// The faults that it can meet.
    fn faults(self) -> Vec<Vec<Rule>> {
        let every = |call, fault| vec![Rule::every(call, fault)];
        match self {
            Self::Create => vec![
                every(Call::Create, Fault::Status(400)),
                every(Call::Create, Fault::Status(503)),
                every(Call::Create, Fault::CutAfter),
                every(Call::Create, Fault::Body("<html>")),
            ],
            // The create is answered early, and the instance never runs, is lost sight of, or is another's.
            Self::WaitReady => {
                let pending = || Fault::change(|record| record["status"] = json!("pending"));
                let early = || Rule::every(Call::Create, pending());
                vec![
                    vec![early(), Rule::every(Call::Get, pending())],
                    vec![early(), Rule::every(Call::Get, Fault::Status(503))],
                    vec![early(), Rule::every(Call::Get, Fault::DieFirst)],
                ]
            }
            // Slow, so that there is time to take the program away.
            Self::AgentStart => vec![every(Call::Create, Fault::Slow(Duration::from_secs(1)))],
            Self::AgentRun => vec![every(Call::Heartbeat, Fault::DieFirst)],
            Self::Verify => vec![
                every(Call::Execute, Fault::Status(500)),
                every(Call::Execute, Fault::CutAfter),
                every(Call::Execute, Fault::Body("{}")),
                every(Call::Execute, Fault::DieFirst),
            ],
            Self::Release => vec![Vec::new()],
            Self::FinalList => vec![
                vec![Rule::first(2, Call::List, Fault::Status(500))],
                vec![Rule::first(2, Call::List, Fault::ResetAfter)],
            ],
        }
    }

    /// The phase in which its failure is recorded; none if a trial does not fail by it.
    fn phase(self) -> Option<&'static str> {
        match self {
            Self::Create | Self::WaitReady => Some("provision"),
            Self::AgentStart | Self::AgentRun => Some("agent"),
            Self::Verify => Some("verify"),
            Self::Release | Self::FinalList => None,
        }
    }

    /// The call whose fault proves that the failure happened there.
    fn call(self) -> Option<Call> {
        match self {
            Self::Create | Self::AgentStart => Some(Call::Create),
            Self::WaitReady => Some(Call::Get),
            Self::AgentRun => Some(Call::Heartbeat),
            Self::Verify => Some(Call::Execute),
            Self::FinalList => Some(Call::List),
            Self::Release => None,
        }
    }

    fn changes(self) -> Value {
        match self {
            // A program that is there when the run begins and not when it is started.
            Self::AgentStart => json!({"agent": {"command": ["{spec_dir}/vanishes"]}}),
            Self::AgentRun => json!({"agent": {"command": ["sleep", "60"]}}),
            Self::WaitReady => json!({"environment": {"ready_timeout": "2s"}}),
            _ => json!({}),
        }
    }
}

/// How the undo of a step goes: the close of its instance.
#[derive(Clone, Copy, Debug)]
enum Undo {
    Works,
    FailsTwice,
    /// It works and nobody hears of it, so it is done again.
    IsRepeated,
    IsRefusedAndLied,
}

const UNDOS: [Undo; 4] = [
    Undo::Works,
    Undo::FailsTwice,
    Undo::IsRepeated,
    Undo::IsRefusedAndLied,
];

impl Undo {
    fn rules(self) -> Vec<Rule> {
        match self {
            Self::Works => Vec::new(),
            Self::FailsTwice => vec![Rule::first(2, Call::Close, Fault::Status(500))],
            Self::IsRepeated => vec![Rule::first(1, Call::Close, Fault::CutAfter).each_target()],
            Self::IsRefusedAndLied => vec![
                Rule::nth(1, Call::Close, Fault::Status(403)),
                Rule::nth(2, Call::Close, Fault::Lie),
            ],
        }
    }
}

async fn fails_there(step: Step, faults: Vec<Rule>, undo: Undo) {
    let name = format!("{step:?} {faults:?}, undo {undo:?}");
    let rules = faults.into_iter().chain(undo.rules());
    let scene = Scene::with(|setup| setup.script = Script::of(rules)).await;
    scene.spec(&["t"], step.changes());
    if matches!(step, Step::AgentStart) {
        let program = scene.path("vanishes");
        std::os::unix::fs::symlink("/bin/true", &program).unwrap();
        let running = scene.start_run();
        scene.fleet.until(1, Call::Create).await;
        std::fs::remove_file(&program).unwrap();
        return judged(&name, scene, step, undo, running.end().await).await;
    }
    let ended = scene.run().await;
    judged(&name, scene, step, undo, ended).await;
}

async fn judged(name: &str, scene: Scene, step: Step, undo: Undo, ended: crate::scene::Ended) {
    let exit: &[i32] = if step.phase().is_some() { &[3] } else { &[0] };
    let ledger = scene.judge(name, &ended, Expectation::of(1, exit)).await;
    let told = || format!("{name}\n{}\n{}", ended.stderr, told(&ledger));
    if let Some(call) = step.call() {
        assert!(ledger.injected_into(call) > 0, "not there: {}", told());
    }
    let row = &scene.rows()[0];
    assert_eq!(row["phase"], step.phase().unwrap_or_default(), "{}", told());
    // What has an instance has an undo, and it went as it was told to.
    let closes = ledger.calls(Call::Close).count();
    if closes > 0 && !matches!(undo, Undo::Works) {
        assert!(ledger.injected_into(Call::Close) > 0, "{}", told());
        assert!(closes > 1, "{}", told());
    }
    // A verification is never asked of an agent that did not work.
    let verified = ledger.calls(Call::Execute).count() > 0;
    let may_be = matches!(step, Step::Verify | Step::Release | Step::FinalList);
    assert_eq!(verified, may_be, "{}", told());
    scene.stop().await;
}

/// All of one step, some at once: they mostly wait for pauses to be over.
async fn every_fault_and_undo(step: Step) {
    use futures::StreamExt as _;
    let faults = step.faults();
    let all = faults
        .iter()
        .flat_map(|faults| UNDOS.map(|undo| (faults.clone(), undo)));
    let checks = all.map(|(faults, undo)| fails_there(step, faults, undo));
    futures::stream::iter(checks)
        .buffer_unordered(6)
        .collect::<Vec<()>>()
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s1_s6_s10_a_failure_in_the_create_is_undone() {
    every_fault_and_undo(STEPS[0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s7_s12_a_failure_in_waiting_for_the_instance_is_undone() {
    every_fault_and_undo(STEPS[1]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a17_a_failure_in_starting_the_agent_is_undone() {
    every_fault_and_undo(STEPS[2]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s12_a_failure_in_the_agents_work_is_undone() {
    every_fault_and_undo(STEPS[3]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v1_v2_v9_a_failure_in_the_verification_is_undone() {
    every_fault_and_undo(STEPS[4]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s18_a_failure_in_the_release_is_undone() {
    every_fault_and_undo(STEPS[5]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s19_a_failure_in_the_last_listing_is_undone() {
    every_fault_and_undo(STEPS[6]).await;
}

/// Faults by chance in all calls of many trials: whatever comes of them, what the judge asks for holds.
async fn by_seed(seed: u64) {
    let odds = Odds { seed, faults: 0.15 };
    let scene = Scene::with(|setup| {
        setup.script = Script::seeded(odds);
        setup.instance_limit = 4;
    })
    .await;
    let keys = ["a", "b", "c", "d", "e", "f"];
    let changes = json!({"trials": 2, "concurrency": 6, "retry": {"attempts": 4}});
    scene.script(&keys, "sleep 0.05", changes);
    let ended = scene.run().await;
    let name = format!("SEED={seed}");
    let ledger = scene
        .judge(&name, &ended, Expectation::of(12, &[0, 3]))
        .await;
    assert!(
        ledger.injected() > 5,
        "{name}: {} faults",
        ledger.injected()
    );
    for row in scene.rows() {
        assert!(
            ["", "1"].contains(&row["score"].as_str()),
            "{name}: {row:?}"
        );
    }
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s1_s19_v1_faults_by_chance_leave_nothing_and_make_no_zero() {
    futures::future::join_all((1..=4).map(by_seed)).await;
}
