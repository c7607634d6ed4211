//! The examples of the typed client, as they are, against the embedded server run by itself.

use std::error::Error;
use std::time::Duration;

use fleet_api::{Client, ClientBuilder, Login};
use serde_json::{Value, json};

use crate::support::{Bench, Local};

#[expect(dead_code, reason = "`main` is for who runs the example alone")]
#[path = "../../../fleet-api/examples/account.rs"]
mod account;
#[expect(dead_code, reason = "`main` is for who runs the example alone")]
#[path = "../../../fleet-api/examples/database.rs"]
mod database;
#[expect(dead_code, reason = "`main` is for who runs the example alone")]
#[path = "../../../fleet-api/examples/instances.rs"]
mod instances;
#[expect(dead_code, reason = "`main` is for who runs the example alone")]
#[path = "../../../fleet-api/examples/session.rs"]
mod session;
#[expect(dead_code, reason = "`main` is for who runs the example alone")]
#[path = "../../../fleet-api/examples/tasks.rs"]
mod tasks;
#[expect(dead_code, reason = "`main` is for who runs the example alone")]
#[path = "../../../fleet-api/examples/verify.rs"]
mod verify;

/// Runs one example against a server of its own, and looks for what it left.
#[track_caller]
fn passes<F>(example: impl FnOnce(Client) -> F)
where
    F: Future<Output = Result<(), Box<dyn Error>>>,
{
    let bench = Bench::new();
    let local = Local::start(&bench, &[]);
    let client = Client::builder("the-key".into()).base_url(&local.url);
    let client = client.build().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let limit = Duration::from_secs(120);
        let run = tokio::time::timeout(limit, example(client.clone())).await;
        run.expect("an example ends").expect("an example works");
        let left = client
            .instances(&fleet_api::types::InstanceQuery::default())
            .await
            .unwrap();
        assert!(left.is_empty(), "it gives back what it made: {left:?}");
    });
    local.stop().expect(0);
    bench.assert_nothing_alive(Duration::ZERO);
}

#[test]
fn the_example_of_tasks_works() {
    passes(|fleet| async move { tasks::run(&fleet).await });
}

#[test]
fn the_example_of_instances_works() {
    passes(|fleet| async move { instances::run(&fleet).await });
}

#[test]
fn the_example_of_a_verification_works() {
    passes(|fleet| async move { verify::run(&fleet).await });
}

#[test]
fn the_example_of_an_account_works() {
    passes(|fleet| async move { account::run(&fleet).await });
}

#[test]
fn the_example_of_a_database_works() {
    passes(|fleet| async move { database::run(&fleet).await });
}

#[test]
fn the_example_of_a_session_works() {
    passes(|fleet| async move { session::run(&fleet).await });
}

#[test]
fn a_login_is_refreshed_at_the_embedded_server_and_used() {
    const KEY: &str = "the-key-of-this-test";
    let bench = Bench::new();
    let local = Local::start(&bench, &["--api-key", KEY]);
    let path = bench.path("credentials.json");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let account = |builder: ClientBuilder| {
        let client = builder.base_url(&local.url).build().unwrap();
        runtime.block_on(client.account()).unwrap()
    };
    let by_key = account(Client::builder(KEY.into()));
    let stale =
        json!({"access_token": "not-a-token", "refresh_token": KEY, "team_id": by_key.team_id});
    std::fs::write(&path, stale.to_string()).unwrap();
    assert_eq!(account(Client::builder_with(Login::at(&path))), by_key);
    let stored: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_ne!(stored["access_token"], "not-a-token");
    local.stop().expect(0);
}
