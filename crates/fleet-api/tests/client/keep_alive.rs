//! The guard that beats: how often, until when, and what it says of an instance that is gone.

use std::time::Duration;

use axum::response::Response;
use fleet_api::types::Instance;
use fleet_api::{Environment, Lost};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::{Seen, Service, detail, instance, ok};

/// Far more than any wait here needs.
const LIMIT: Duration = Duration::from_secs(20);

/// A monitored instance whose interval is a second: a beat each third of one.
fn monitored(service: &Service, seconds: Option<u64>) -> Environment {
    let mut record = instance("running");
    record["heartbeat_interval"] = json!(seconds);
    let record: Instance = serde_json::from_value(record).unwrap();
    Environment::of(&service.client(), record)
}

fn beat() -> Value {
    json!({"success": true, "instance_id": "a1b2"})
}

async fn kept(
    script: impl Fn(&Seen) -> Response + Send + Sync + 'static,
) -> (Service, fleet_api::KeepAlive) {
    let service = Service::start(script).await;
    let alive = monitored(&service, Some(1)).keep_alive().unwrap();
    (service, alive)
}

async fn until(what: impl Fn() -> bool) {
    let waiting = async {
        while !what() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LIMIT, waiting).await.unwrap();
}

#[tokio::test]
async fn beats_go_on_until_they_are_stopped() {
    let (service, alive) = kept(|_| ok(&beat())).await;
    until(|| alive.acknowledged() >= 3).await;
    assert!(alive.last_error().is_none() && alive.is_lost().is_none());
    assert!(alive.stop().await.is_none());
    let sent = service.seen().len();
    // Longer than the next beat was away.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(service.seen().len(), sent);
}

#[tokio::test]
async fn an_instance_that_is_gone_is_lost_at_once_and_no_beat_follows() {
    let (service, alive) = kept(|_| detail(410, "it was stopped")).await;
    let lost = timeout(LIMIT, alive.lost()).await.unwrap();
    assert!(
        matches!(&lost, Lost::Gone(error) if error.is_gone()),
        "{lost}"
    );
    assert!(alive.last_error().is_some());
    assert!(alive.stop().await.is_some());
    assert_eq!(service.seen().len(), 1);
}

#[tokio::test]
async fn failures_are_told_and_forgiven_when_a_beat_succeeds_in_time() {
    let (_service, alive) = kept(|seen| match seen.number {
        1 => detail(400, "not now"),
        _ => ok(&beat()),
    })
    .await;
    until(|| alive.last_error().is_some()).await;
    until(|| alive.acknowledged() > 0).await;
    assert!(alive.last_error().is_none() && alive.is_lost().is_none());
}

#[tokio::test]
async fn three_intervals_without_an_acknowledged_beat_are_the_end() {
    let (_service, alive) = kept(|_| ok(&json!({"success": false, "instance_id": "a1b2"}))).await;
    let lost = timeout(LIMIT, alive.lost()).await.unwrap();
    let Lost::Silence { after, .. } = &lost else {
        panic!("{lost}");
    };
    assert!(*after >= Duration::from_secs(3), "{lost}");
}

#[tokio::test]
async fn an_instance_without_an_interval_cannot_be_kept_alive() {
    let service = Service::start(|_| ok(&beat())).await;
    let error = monitored(&service, None).keep_alive().unwrap_err();
    assert!(error.to_string().contains("heartbeat_interval"), "{error}");
    assert!(service.seen().is_empty());
}

#[test]
fn a_guard_may_outlive_its_runtime_and_none_is_made_without_one() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (service, env, alive) = runtime.block_on(async {
        let service = Service::start(|_| ok(&beat())).await;
        let env = monitored(&service, Some(1));
        let alive = env.keep_alive().unwrap();
        (service, env, alive)
    });
    let error = env.keep_alive().unwrap_err().to_string();
    assert!(error.contains("Tokio runtime"), "{error}");
    drop(runtime);
    drop(alive);
    drop(service);
}
