//! Rows S20–S23: names that do not resolve, certificates nobody signed, proxies, redirects, hostile answers, slowness.

use std::time::Duration;

use faulty_fleet::{Call, Expectation, Fault, FaultyFleet, Rule, Script, Setup};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use crate::scene::{Case, Scene, check_all, told};

#[tokio::test(flavor = "multi_thread")]
async fn s20_a_service_that_cannot_be_reached_is_told_before_anything_is_made() {
    let scene = Scene::new([]).await;
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    // Speaks no TLS, so a client that falls back to plain HTTP would get its answer.
    let plain = scene.fleet.url().replace("http://", "https://");
    let endpoints = [
        "http://no-such-host.invalid".to_owned(),
        format!("http://{closed}"),
        plain,
    ];
    for endpoint in endpoints {
        scene.spec(&["t"], json!({"fleet": {"endpoint": endpoint}}));
        let ended = scene.run().await;
        assert_eq!(ended.code, Some(2), "{endpoint}\n{}", ended.stderr);
        ended.says(&["fleet.endpoint", &endpoint]);
    }
    assert_eq!(
        scene.fleet.ledger().await.entries.len(),
        0,
        "nothing was asked"
    );
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s20_a_proxy_of_the_environment_is_used_for_other_machines_and_not_for_this_one() {
    // The faulty Fleet is the proxy: it answers for any host that it is asked about.
    let scene = Scene::new([]).await;
    scene.spec(
        &["t"],
        json!({"fleet": {"endpoint": "http://fleet.invalid"}}),
    );
    let mut command = scene.harness();
    command
        .args(["run", "spec.yaml"])
        .env("HTTP_PROXY", scene.fleet.url());
    let ended = scene.start(command).end().await;
    let ledger = scene
        .judge("through a proxy", &ended, Expectation::of(1, &[0]))
        .await;
    assert_eq!(ledger.created().len(), 1, "{}", told(&ledger));
    scene.stop().await;
    // A proxy that answers nothing, for a service on this machine.
    let scene = Scene::new([]).await;
    scene.spec(&["t"], json!({}));
    let mut command = scene.harness();
    command
        .args(["run", "spec.yaml"])
        .env("HTTP_PROXY", "http://127.0.0.1:9");
    let ended = scene.start(command).end().await;
    scene
        .judge("past a proxy", &ended, Expectation::of(1, &[0]))
        .await;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s21_a_redirect_is_not_followed() {
    let elsewhere = FaultyFleet::start(Setup::new(
        env!("CARGO_BIN_EXE_harness"),
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/environments"),
    ))
    .await;
    let cases = [301, 302, 303, 307, 308].map(|status| {
        let location = format!("{}/v1/env/instances", elsewhere.url());
        let redirect = Fault::Refuse(status, vec![("location", location)], String::new());
        Case::unscored(
            format!("create answers {status}"),
            [Rule::every(Call::Create, redirect)],
            "provision",
            &["rejected"],
        )
    });
    check_all(cases).await;
    assert_eq!(elsewhere.ledger().await.entries.len(), 0, "it was followed");
    elsewhere.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s22_hostile_names_in_answers_reach_no_other_path_and_no_other_host() {
    // Counts who calls.
    let stranger = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = format!("http://{}", stranger.local_addr().unwrap());
    let names = [
        json!("../../account"),
        json!("a/../../../v1/account"),
        json!("%2e%2e%2faccount"),
        json!("a?b=c"),
        json!("a#b"),
        json!("a\r\nX-Evil: yes"),
        json!("a b"),
        json!(""),
        json!("batch"),
        json!(format!("{host}/x")),
        json!("x".repeat(10 << 20)),
    ];
    let cases = names.map(|name| {
        let label = name.to_string().chars().take(40).collect::<String>();
        let host = host.clone();
        let hostile = Fault::change(move |record| {
            record["instance_id"] = name.clone();
            record["urls"] = json!({"root": host, "app": [host], "manager": {"api": host}});
        });
        async move {
            let scene = Scene::new([Rule::every(Call::Create, hostile)]).await;
            scene.spec(&["t"], json!({}));
            let ended = scene.run().await;
            let name = format!("an instance named {label}");
            // The journal knows such a name, so the run may not be able to say that it gave it back.
            let ledger = scene
                .judge(&name, &ended, Expectation::of(1, &[3, 4]))
                .await;
            assert_eq!(
                ledger.calls(Call::Other).count(),
                0,
                "{name}: {}",
                told(&ledger)
            );
            assert_eq!(
                ledger.calls(Call::Account).count(),
                1,
                "{name}: {}",
                told(&ledger)
            );
            assert_eq!(scene.rows()[0]["score"], "", "{name}");
            scene.stop().await;
        }
    });
    futures::future::join_all(cases).await;
    let called = tokio::time::timeout(Duration::from_millis(100), async {
        let (mut stream, _) = stranger.accept().await.unwrap();
        let mut asked = vec![0; 1024];
        let read = stream.read(&mut asked).await.unwrap();
        String::from_utf8_lossy(&asked[..read]).into_owned()
    });
    assert!(called.await.is_err(), "the other host was called");
}

#[tokio::test(flavor = "multi_thread")]
async fn s23_a_slow_service_makes_a_run_slow_and_nothing_worse() {
    let slow = Fault::Slow(Duration::from_millis(1500));
    let scene =
        Scene::with(|setup| setup.script = Script::of([Rule::every(Call::Any, slow)])).await;
    let keys = ["a", "b", "c", "d"];
    scene.spec(&keys, json!({"concurrency": 4}));
    let ended = scene.run().await;
    let ledger = scene.judge("s23", &ended, Expectation::of(4, &[0])).await;
    // Each call once: nothing was given up and sent again.
    for call in [Call::Create, Call::Execute, Call::Close] {
        assert_eq!(ledger.calls(call).count(), 4, "{}", told(&ledger));
    }
    let slow = Value::from(ledger.injected());
    assert!(slow.as_u64() > Some(12), "{slow}");
    scene.stop().await;
}
