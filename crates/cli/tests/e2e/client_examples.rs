//! The examples of the typed client, as they are, against the embedded server run by itself.

use std::error::Error;
use std::time::Duration;

use fleet_api::Client;

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
