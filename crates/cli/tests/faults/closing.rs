//! Rows S5 and S17–S19: giving back when the service does not let us, lies, or does not say all.

use std::time::Duration;

use faulty_fleet::{Call, Expectation, Fault, Left, Rule, Script};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::scene::{Case, Scene, check_all, told};

#[tokio::test(flavor = "multi_thread")]
async fn s17_an_instance_that_is_gone_is_given_back() {
    check_all([404, 410].into_iter().flat_map(|status| {
        [
            // It did not have its effect: only the last look at the run's instances finds it.
            Case::scored(
                format!("close answers {status} without an effect"),
                [Rule::nth(1, Call::Close, Fault::Status(status))],
            ),
            Case::scored(
                format!("close answers {status}"),
                [Rule::nth(1, Call::Close, Fault::LateStatus(status))],
            ),
        ]
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s18_a_close_that_fails_is_tried_until_it_works() {
    let faults = [
        Fault::Status(500),
        Fault::Status(503),
        Fault::Status(400),
        Fault::slow_down("1"),
        Fault::CutBefore,
        Fault::CutAfter,
        Fault::ResetAfter,
        Fault::LateStatus(504),
    ];
    check_all(faults.map(|fault| {
        let name = format!("two closes {fault:?}");
        Case::scored(name, [Rule::first(2, Call::Close, fault)])
    }))
    .await;
    Case::scored(
        "five closes fail",
        [Rule::first(5, Call::Close, Fault::Status(502))],
    )
    .check()
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s18_an_instance_that_is_said_to_be_closed_and_runs_is_closed() {
    check_all([
        Case::scored(
            "close says running",
            [Rule::first(2, Call::Close, Fault::Deaf)],
        ),
        Case::scored(
            "close says stopped",
            [Rule::nth(1, Call::Close, Fault::Lie)],
        ),
    ])
    .await;
}

/// A run that cannot give its instance back: two signals, so that it does not take its whole budget.
async fn hurried(scene: &Scene, until: Call) -> crate::scene::Ended {
    let mut running = scene.start_run();
    scene.fleet.until(1, until).await;
    // Two signals within a moment are one.
    for _ in 0..50 {
        if running.stderr().contains("killing agents") || running.is_over() {
            break;
        }
        running.signal(Signal::SIGINT);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    running.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s18_k2_what_cannot_be_closed_is_named_with_the_command_that_closes_it_later() {
    let scene = Scene::new([Rule::every(Call::Close, Fault::Status(500))]).await;
    scene.spec(&["t"], json!({}));
    let ended = hurried(&scene, Call::Close).await;
    let expected = Expectation {
        left: Left::ToItsLease,
        ..Expectation::of(1, &[4])
    };
    let ledger = scene.judge("s18", &ended, expected).await;
    let run = scene.folder();
    let live: Vec<String> = ledger
        .live_of(run.id())
        .into_iter()
        .map(str::to_owned)
        .collect();
    assert_eq!(live.len(), 1, "{}", told(&ledger));
    ended.says(&[&live[0]]);
    // The score is not touched by it.
    assert_eq!(scene.rows()[0]["score"], "1");
    // The service has recovered: what was held is given back, and the run is well.
    scene.fleet.play(Script::none());
    let resumed = scene.call(&["resume", "latest"]).await;
    scene
        .judge("s18, resumed", &resumed, Expectation::of(1, &[0]))
        .await;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s5_a_key_that_is_revoked_in_the_middle_stops_the_run_at_every_call() {
    // A run of one trial makes about nine calls, heartbeats among them. The key comes back later, as keys do.
    const CALLS: u32 = 9;
    const REVOKED: u32 = 3;
    let checks = (2..=CALLS).map(|call| async move {
        let name = format!("the key is revoked before call {call}");
        let rules = (call..call + REVOKED).map(|n| Rule::nth(n, Call::Any, Fault::Status(401)));
        let scene = Scene::new(rules).await;
        scene.spec(&["a", "b"], json!({}));
        let ended = scene.run().await;
        if !scene.path("runs/latest").exists() {
            assert_eq!(ended.code, Some(2), "{name}\n{}", ended.stderr);
            assert_eq!(scene.fleet.count(Call::Create), 0, "{name}");
            return scene.stop().await;
        }
        let ledger = scene
            .judge(&name, &ended, Expectation::of(2, &[0, 3, 5]))
            .await;
        assert!(ledger.injected() > 0, "{name}");
        let refused = |call| ledger.injected_into(call) > 0;
        if refused(Call::Create) {
            // What was refused to one is refused to all.
            assert_eq!(ended.code, Some(5), "{name}\n{}", ended.stderr);
        }
        scene.stop().await;
    });
    futures::future::join_all(checks).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s5_k2_a_key_that_never_comes_back_leaves_the_names_of_what_is_held() {
    let scene = Scene::new([
        Rule::every(Call::Execute, Fault::Status(401)),
        Rule::every(Call::Close, Fault::Status(401)),
        Rule::every(Call::List, Fault::Status(401)),
    ])
    .await;
    scene.spec(&["a", "b"], json!({}));
    let ended = hurried(&scene, Call::Close).await;
    let expected = Expectation {
        left: Left::ToItsLease,
        ..Expectation::of(2, &[4])
    };
    let ledger = scene.judge("s5", &ended, expected).await;
    let run = scene.folder();
    let live = ledger.live_of(run.id());
    assert_eq!(
        live.len(),
        1,
        "one was made, and no second: {}",
        told(&ledger)
    );
    ended.says(&[live[0]]);
    for row in scene.rows() {
        assert_eq!(row["score"], "", "{row:?}");
    }
    scene.fleet.play(Script::none());
    let resumed = scene.call(&["resume", "latest"]).await;
    scene
        .judge("s5, resumed", &resumed, Expectation::of(2, &[0]))
        .await;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s19_a_listing_that_fails_is_asked_again_before_the_run_says_that_nothing_is_left() {
    let faults = [
        Fault::Status(503),
        Fault::CutBefore,
        Fault::ResetAfter,
        Fault::slow_down("0"),
    ];
    check_all(faults.map(|fault| {
        let name = format!("first listing {fault:?}");
        Case::scored(name, [Rule::nth(1, Call::List, fault)])
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s19_an_instance_that_is_listed_late_is_found() {
    // Its name is not known and the first listing does not show it, so one empty listing proves nothing.
    Case::scored(
        "lost and hidden",
        [Rule::nth(1, Call::Create, Fault::Lost(1))],
    )
    .attempts(1..=2)
    .check()
    .await;
    Case::scored(
        "hidden",
        [Rule::nth(1, Call::Create, Fault::HideFromLists(2))],
    )
    .check()
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s19_a_listing_that_shows_everybody_closes_nobody_else() {
    let scene = Scene::new([
        Rule::every(Call::List, Fault::ForgetFilter),
        Rule::nth(1, Call::Create, Fault::Lost(0)),
    ])
    .await;
    let foreign = scene.fleet.make_foreign("helpdesk").await.unwrap();
    scene.spec(&["t"], json!({}));
    let ended = scene.run().await;
    let ledger = scene.judge("s19", &ended, Expectation::of(1, &[0])).await;
    assert!(ledger.injected_into(Call::List) > 0);
    let live: Vec<_> = ledger.live.iter().map(|listed| &listed.instance).collect();
    assert_eq!(live, [&foreign], "the foreign instance lives");
    scene.stop().await;
}
