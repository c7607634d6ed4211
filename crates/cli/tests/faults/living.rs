//! Rows S12–S16 and S24, K13: the life of an instance while its agent works.

use std::time::{Duration, Instant};

use faulty_fleet::{Call, Expectation, Fault, Rule};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::scene::{Case, Scene, told};

/// Works until the test says so, and says when it begins. A second attempt does not wait.
const WAITS: &str = "\
    mark=\"$MARKS/$FLEET_TASK_KEY\"\n\
    [ -e \"$mark\" ] && exit 0\n\
    touch \"$mark\"\n\
    i=0; while [ ! -e \"$MARKS/go\" ] && [ $i -lt 1800 ]; do sleep 0.1; i=$((i+1)); done\n";

/// The heartbeat interval of these runs, the shortest that the service takes.
const INTERVAL: Duration = Duration::from_secs(30);

fn go(scene: &Scene) {
    std::fs::write(scene.path("marks/go"), "").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn s12_an_instance_that_dies_under_its_agent_ends_the_agent_and_is_replaced() {
    // The first beat comes at once, the second after a third of the interval.
    let dies = Rule::nth(2, Call::Heartbeat, Fault::DieFirst);
    let scene = Scene::new([dies]).await;
    scene.script(&["t"], WAITS, json!({"agent": {"timeout": "5m"}}));
    let begun = Instant::now();
    let ended = scene.run().await;
    assert!(begun.elapsed() < INTERVAL, "{:?}", begun.elapsed());
    let ledger = scene.judge("s12", &ended, Expectation::of(1, &[0])).await;
    assert_eq!(ledger.injected(), 1, "{}", told(&ledger));
    let row = &scene.rows()[0];
    assert_eq!(
        (row["score"].as_str(), row["attempts"].as_str()),
        ("1", "2")
    );
    let history = scene.folder().results()["trials"][0]["attempt_history"].clone();
    assert_eq!(
        history[0]["failure"]["kind"], "environment_lost",
        "{history}"
    );
    assert_eq!(history[0]["failure"]["phase"], "agent", "{history}");
    // What died is not verified.
    assert_eq!(ledger.calls(Call::Execute).count(), 1);
    scene.stop().await;
}

/// A run whose agent works until `beats` heartbeats were sent. It has a score after one attempt.
async fn survives(name: &str, rules: Vec<Rule>, beats: usize) {
    let scene = Scene::new(rules).await;
    scene.script(&["t"], WAITS, json!({"agent": {"timeout": "5m"}}));
    let running = scene.start_run();
    scene.fleet.until(beats, Call::Heartbeat).await;
    go(&scene);
    let ended = running.end().await;
    let ledger = scene.judge(name, &ended, Expectation::of(1, &[0])).await;
    assert!(ledger.injected_into(Call::Heartbeat) > 0, "{name}");
    let row = &scene.rows()[0];
    assert_eq!(
        (row["score"].as_str(), row["attempts"].as_str()),
        ("1", "1"),
        "{name}"
    );
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s13_s24_heartbeats_that_fail_are_tolerated_as_long_as_the_instance_lives() {
    // The second beat of an instance is a third of an interval later than the first.
    let beats = |times: u32, fault: Fault| vec![Rule::first(times, Call::Heartbeat, fault)];
    futures::join!(
        survives("one fails", beats(1, Fault::Status(500)), 2),
        survives("two fail", beats(2, Fault::Status(503)), 3),
        survives("one is cut", beats(1, Fault::ResetBefore), 2),
        // A router's 404 is not the instance's: the service itself is asked and knows it.
        survives("404, but it lives", beats(1, Fault::Status(404)), 2),
        survives("410, but it lives", beats(1, Fault::Status(410)), 2),
        survives("nonsense", beats(1, Fault::Body("<html>")), 2),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn s24_a_heartbeat_that_is_gone_for_the_service_itself_is_a_lost_instance() {
    let rules = [
        // The second, because the first may come before the agent has begun.
        Rule::nth(2, Call::Heartbeat, Fault::Status(404)),
        Rule::nth(1, Call::Get, Fault::Status(404)),
    ];
    let scene = Scene::new(rules).await;
    scene.script(&["t"], WAITS, json!({"agent": {"timeout": "5m"}}));
    let ended = scene.run().await;
    let ledger = scene.judge("s24", &ended, Expectation::of(1, &[0])).await;
    assert_eq!(ledger.injected(), 2, "{}", told(&ledger));
    assert_eq!(scene.rows()[0]["attempts"], "2");
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s14_a_busy_machine_delays_no_heartbeat() {
    const HOGS: usize = 8;
    let scene = Scene::new([]).await;
    let keys: Vec<String> = (0..HOGS).map(|n| format!("hog{n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let hog = "touch \"$MARKS/$FLEET_TASK_KEY\"; while [ ! -e \"$MARKS/go\" ]; do :; done";
    let changes = json!({"concurrency": HOGS, "agent": {"timeout": "5m"}});
    scene.script(&keys, hog, changes);
    let running = scene.start_run();
    // At least two beats of each beside its first.
    scene.fleet.until(3 * HOGS, Call::Heartbeat).await;
    go(&scene);
    let ended = running.end().await;
    let expected = Expectation::of(HOGS, &[0]);
    let ledger = scene.judge("s14", &ended, expected).await;
    let gaps = ledger.heartbeat_gaps();
    assert_eq!(gaps.len(), HOGS, "every instance has a gap");
    let longest = gaps.values().max().copied().unwrap_or_default();
    assert!(longest < INTERVAL / 2, "{longest:?}: {}", told(&ledger));
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s15_a_service_whose_clock_is_an_hour_off_changes_nothing() {
    let case = |seconds: i64| {
        let rules = [Rule::every(Call::Any, Fault::Skew(seconds))];
        Case::scored(format!("clock off by {seconds} s"), rules).check()
    };
    futures::join!(case(3600), case(-3600));
}

#[tokio::test(flavor = "multi_thread")]
async fn s16_k13_a_harness_that_stands_still_loses_its_instance_and_starts_again_when_it_wakes() {
    // The service's clock runs six times as fast: an instance that nobody beats for ends after 15 s.
    let scene = Scene::with(|setup| setup.clock_scale = 6.0).await;
    scene.script(&["t"], WAITS, json!({"agent": {"timeout": "5m"}}));
    let mut running = scene.start_run();
    let mark = scene.path("marks/t");
    running.until("the agent at work", || mark.exists()).await;
    running.signal(Signal::SIGSTOP);
    let run = scene.folder().id().to_owned();
    let begun = Instant::now();
    while !scene.fleet.ledger().await.live_of(&run).is_empty() {
        assert!(begun.elapsed() < INTERVAL, "it lives without heartbeats");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    running.signal(Signal::SIGCONT);
    let ended = running.end().await;
    scene.judge("s16", &ended, Expectation::of(1, &[0])).await;
    let row = &scene.rows()[0];
    assert_eq!(
        (row["score"].as_str(), row["attempts"].as_str()),
        ("1", "2")
    );
    scene.stop().await;
}
