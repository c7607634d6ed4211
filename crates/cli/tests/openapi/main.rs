//! The embedded server against its own description: `schemathesis` makes requests of the OpenAPI document, right ones and
//! wrong ones, and holds the answers against it.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::env;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use fleet_api::{Client, CreateInstance};

#[path = "../local_server/mod.rs"]
mod local_server;

use local_server::{KEY, Server, run};

/// The program; `cargo xtask test` gets it.
const SCHEMATHESIS: &str = "HARNESS_TEST_SCHEMATHESIS";

/// Requests of each operation in each phase.
const EXAMPLES: &str = "15";

/// The same requests every time.
const SEED: &str = "1";

/// Beyond what a busy machine needs.
const LIMIT: Duration = Duration::from_secs(240);

#[test]
fn the_control_plane_is_as_it_describes_itself() {
    let Some(program) = env::var_os(SCHEMATHESIS) else {
        return skipped();
    };
    // Two instances at most: creates meet the limit, and no more apps run than the machine can bear.
    let server = Server::start(["--instance-limit", "2"]);
    let mut command = Command::new(program);
    command
        .args(["--config-file", &config("control.toml"), "run"])
        .arg(format!("{}/openapi.json", server.base_url))
        .args(["--header", &format!("Authorization: Bearer {KEY}")]);
    attack(&mut command, &server);
    server.stop();
}

#[test]
fn the_manager_of_an_instance_is_as_it_describes_itself() {
    let Some(program) = env::var_os(SCHEMATHESIS) else {
        return skipped();
    };
    let server = Server::start(["--instance-limit", "2"]);
    let manager = manager_of_an_instance(&server.base_url);
    let mut command = Command::new(program);
    command
        .args(["--config-file", &config("manager.toml"), "run"])
        .arg(format!("{manager}/openapi.json"))
        .args(["--url", &manager]);
    attack(&mut command, &server);
    server.stop();
}

fn attack(command: &mut Command, server: &Server) {
    command
        .args(["--no-color", "--workers", "1"])
        .args(["--max-examples", EXAMPLES, "--seed", SEED])
        .args(["--request-timeout", "60"])
        .current_dir(server.path(""))
        // It keeps a database of examples in the home folder.
        .env("HOME", server.path(""));
    let (status, text) = run(command, &server.path("schemathesis.log"), LIMIT);
    assert!(status.success(), "{status}\n{text}\n{}", server.log());
}

fn manager_of_an_instance(base_url: &str) -> String {
    let fleet = Client::builder(KEY.to_owned().into())
        .base_url(base_url)
        .build()
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let create = CreateInstance::new("helpdesk");
    let instance = runtime.block_on(fleet.create_instance(&create)).unwrap();
    instance.urls.unwrap().manager.api
}

fn config(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openapi");
    folder.join(name).to_str().unwrap().to_owned()
}

#[expect(
    clippy::print_stderr,
    reason = "says why nothing was tested; `cargo xtask test` sums it up"
)]
fn skipped() {
    eprintln!("skipped: {SCHEMATHESIS} names no schemathesis");
}
