//! Rows X1–X3: what goes wrong with sessions costs no trial anything, and nothing is at the service twice.

use std::time::{Duration, Instant};

use faulty_fleet::{Call, Expectation, Fault, Odds, Rule, Script};
use fleet_api::types::{JobQuery, SessionInfo};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::crash::killed_again_and_again;
use crate::scene::{Ended, Scene, told};

/// More than one request of messages.
const MESSAGES: usize = 70;

/// A run of one trial whose agent leaves a transcript.
async fn scene(rules: impl IntoIterator<Item = Rule>) -> Scene {
    let scene = Scene::new(rules).await;
    scene.script(&["t"], &transcript(), json!({"fleet": {"sessions": "on"}}));
    scene
}

/// The agent's script.
fn transcript() -> String {
    format!(
        "i=0; while [ $i -lt {MESSAGES} ]; do echo '{{\"role\": \"user\", \"content\": \"'$i'\"}}'; i=$((i+1)); done > $HARNESS_TRANSCRIPT_FILE"
    )
}

/// A run of many trials with sessions, at a service that fails by chance.
async fn by_chance(odds: Odds) -> Scene {
    let scene = Scene::with(|setup| setup.script = Script::seeded(odds)).await;
    let changes = json!({"trials": 3, "concurrency": 4, "retry": {"attempts": 5}, "fleet": {"sessions": "on"}});
    scene.script(&["a", "b"], &transcript(), changes);
    scene
}

/// Takes the run up without faults if chance left something open, then asks for all of it.
async fn assert_all_whole(scene: &Scene, name: &str, mut ended: Ended) {
    scene.fleet.play(Script::none());
    let open = |scene: &Scene| {
        let mut attempts = attempts(scene).into_iter();
        attempts.any(|attempt| attempt["session"]["status"] == "pending")
    };
    if ended.code != Some(0) || open(scene) {
        ended = scene.call(&["resume", "latest"]).await;
    }
    scene.judge(name, &ended, Expectation::of(6, &[0])).await;
    let (jobs, sessions) = delivered(scene).await;
    assert_eq!(jobs, 1, "{name}");
    let mut recorded: Vec<Value> = attempts(scene)
        .into_iter()
        .filter(|attempt| !attempt["agent"].is_null())
        .map(|attempt| attempt["session"]["session_id"].clone())
        .collect();
    let mut at_the_service = Vec::new();
    for (session, said) in sessions {
        assert_eq!(said, expected(), "{name}: {session:?}");
        assert!(session.status.is_ended(), "{name}: {session:?}");
        at_the_service.push(Value::from(session.session_id.as_str()));
    }
    for ids in [&mut recorded, &mut at_the_service] {
        ids.sort_by_key(Value::to_string);
    }
    assert_eq!(recorded, at_the_service, "{name}");
    assert!(recorded.len() >= 6, "{name}: {recorded:?}");
}

/// All attempts of the run, as `results.json` has them.
fn attempts(scene: &Scene) -> Vec<Value> {
    let results = scene.folder().results();
    let trials = results["trials"].as_array().unwrap().iter();
    trials
        .flat_map(|trial| trial["attempt_history"].as_array().unwrap().clone())
        .collect()
}

/// What the service has, asked without faults: the number of jobs, and the texts of each session of the run.
async fn delivered(scene: &Scene) -> (usize, Vec<(SessionInfo, Vec<String>)>) {
    let client = fleet_api::Client::builder("key-of-the-tests".into());
    let client = client
        .base_url(scene.fleet.faultless_url())
        .build()
        .unwrap();
    let jobs = client.jobs(&JobQuery::default()).await.unwrap().jobs;
    let mut all = Vec::new();
    for job in &jobs {
        let listed = client.job_sessions(&job.id).await.unwrap();
        for session in listed.tasks.into_iter().flat_map(|task| task.sessions) {
            let transcript = client.transcript(&session.session_id).await.unwrap();
            let said = transcript.transcript.into_iter();
            let texts = said.map(|said| said.content.as_str().unwrap().to_owned());
            all.push((session, texts.collect()));
        }
    }
    (jobs.len(), all)
}

fn expected() -> Vec<String> {
    (0..MESSAGES).map(|number| number.to_string()).collect()
}

async fn assert_whole(scene: &Scene, name: &str) {
    let (jobs, sessions) = delivered(scene).await;
    assert_eq!((jobs, sessions.len()), (1, 1), "{name}");
    let (session, said) = &sessions[0];
    assert_eq!(*said, expected(), "{name}");
    assert!(session.status.is_ended(), "{name}: {session:?}");
}

fn session_of(scene: &Scene) -> Value {
    scene.folder().results()["trials"][0]["session"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn x1_a_request_whose_answer_is_lost_or_makes_no_sense_is_not_sent_into_a_second_session() {
    let faults = [
        Fault::CutAfter,
        Fault::ResetAfter,
        Fault::CutBefore,
        Fault::LateStatus(503),
        Fault::Status(503),
        Fault::HalfJson,
        Fault::Body("<html>"),
    ];
    for fault in faults {
        for call in [Call::Job, Call::Session] {
            let name = format!("{call:?} with {fault:?}");
            let scene = scene([Rule::nth(1, call, fault.clone())]).await;
            let ended = scene.run().await;
            let ledger = scene.judge(&name, &ended, Expectation::of(1, &[0])).await;
            assert!(ledger.injected() > 0, "{name}\n{}", told(&ledger));
            assert_eq!(session_of(&scene), "completed", "{name}\n{}", ended.stderr);
            assert_whole(&scene, &name).await;
            scene.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn x1_faults_by_chance_leave_each_message_in_one_session_once() {
    for seed in 1..=3 {
        let name = format!("SEED={seed}");
        let scene = by_chance(Odds { seed, faults: 0.2 }).await;
        let ended = scene.run().await;
        assert_all_whole(&scene, &name, ended).await;
        let ledger = scene.fleet.ledger().await;
        let calls = [Call::Job, Call::Session, Call::LookAtSessions];
        let met: usize = calls.map(|call| ledger.injected_into(call)).iter().sum();
        assert!(met > 0, "{name}\n{}", told(&ledger));
        scene.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn x1_k6_killed_at_any_moment_while_the_service_fails_by_a_seed_each_message_is_there_once() {
    const SEED: u64 = 20_261_126;
    let scene = by_chance(Odds {
        seed: SEED,
        faults: 0.1,
    })
    .await;
    let (killed, ended) = killed_again_and_again(&scene, 8, Duration::from_millis(200)).await;
    assert!(killed >= 3, "killed {killed} times: that proves too little");
    assert_all_whole(&scene, &format!("SEED={SEED}"), ended).await;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn x2_a_service_that_takes_no_sessions_costs_no_score_and_resume_delivers_them() {
    for (call, fault) in [
        (Call::Job, Fault::Status(500)),
        (Call::Job, Fault::CutBefore),
        (Call::Session, Fault::Status(500)),
        (Call::Session, Fault::CutBefore),
    ] {
        let name = format!("every {call:?} with {fault:?}");
        let scene = scene([Rule::every(call, fault)]).await;
        let ended = scene.run().await;
        scene.judge(&name, &ended, Expectation::of(1, &[0])).await;
        ended.says(&["sessions that are not at the service: 1", "harness resume"]);
        scene.fleet.play(Script::none());
        let resumed = scene.call(&["resume", "latest"]).await;
        assert_eq!(resumed.code, Some(0), "{name}\n{}", resumed.stderr);
        resumed.says(&["1 session not at the service"]);
        assert_eq!(
            session_of(&scene),
            "completed",
            "{name}\n{}",
            resumed.stderr
        );
        assert_whole(&scene, &name).await;
        scene.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn x2_a_session_that_is_refused_is_given_up_and_said() {
    let scene = scene([Rule::every(Call::Session, Fault::Status(422))]).await;
    let ended = scene.run().await;
    scene
        .judge("refused", &ended, Expectation::of(1, &[0]))
        .await;
    ended.says(&["its session is not at the service"]);
    assert_eq!(session_of(&scene), "undelivered");
    let resumed = scene.call(&["resume", "latest"]).await;
    resumed.says(&["there is nothing to do"]);
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn x3_a_session_that_hangs_keeps_neither_an_instance_nor_a_stopped_run() {
    let scene = scene([Rule::every(
        Call::Session,
        Fault::Slow(Duration::from_secs(600)),
    )])
    .await;
    let mut running = scene.start_run();
    let fleet = &scene.fleet;
    running
        .until("the first messages", || fleet.count(Call::Session) > 0)
        .await;
    let ledger = scene.fleet.ledger().await;
    let released = ledger.calls(Call::Close).count();
    assert_eq!(
        released,
        1,
        "messages left before the instance\n{}",
        told(&ledger)
    );
    let begun = Instant::now();
    running.signal(Signal::SIGINT);
    let ended = running.end().await;
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "{}",
        ended.stderr
    );
    ended.says(&["sessions that are not at the service: 1"]);
    scene.fleet.play(Script::none());
    scene.call(&["resume", "latest"]).await;
    assert_whole(&scene, "after the resume").await;
    scene.stop().await;
}
