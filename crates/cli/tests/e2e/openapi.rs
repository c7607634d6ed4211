//! The embedded server against its own `OpenAPI` documents: schemathesis sends what they allow and what they forbid, and holds
//! every answer against them.

use std::env;
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::support::{Bench, Local, skip};

/// The program; `cargo xtask test` gets it.
const SCHEMATHESIS: &str = "HARNESS_TEST_SCHEMATHESIS";

/// Requests of each operation that are drawn, beside those that its parameters ask for.
const EXAMPLES: &str = "6";

/// What is not held against the server, and why.
const SETTINGS: &str = r#"
[checks]
# 501 is how the server says that it runs no jobs, and has no judge when none is configured; both are documented.
not_a_server_error.expected-statuses = ["2xx", "4xx", 501]
# A schema cannot say which environments, tasks and sessions there are: a request for another one is refused.
positive_data_acceptance.enabled = false
# Readers are lenient on purpose: unknown fields are ignored, and a heartbeat counts whatever its body is.
negative_data_rejection.enabled = false
"#;

#[test]
fn the_control_plane_answers_as_its_document_says() {
    let bench = Bench::new();
    let local = Local::start(&bench, &["--api-key", "k-openapi"]);
    test(&bench, &local.url, Some("Authorization: Bearer k-openapi"));
    local.stop().expect(0);
}

#[test]
fn the_manager_of_an_instance_answers_as_its_document_says() {
    let bench = Bench::new();
    let local = Local::start(&bench, &[]);
    let made = local.fleet(&bench, &["instances", "make", "helpdesk"]);
    let record: Value = made.expect(0).json();
    let manager = record["urls"]["manager"]["api"].as_str().unwrap();
    test(&bench, manager, None);
    local.stop().expect(0);
}

fn test(bench: &Bench, base: &str, header: Option<&str>) {
    let Some(program) = env::var_os(SCHEMATHESIS) else {
        skip("openapi", "`cargo xtask test` gets schemathesis");
        return;
    };
    let settings = bench.path("schemathesis.toml");
    fs::write(&settings, SETTINGS).unwrap();
    let mut command = Command::new(program);
    command
        .current_dir(bench.path("."))
        .arg("--config-file")
        .arg(&settings)
        .args(["run", &format!("{base}/openapi.json"), "--url", base])
        .args(["--seed", "1", "--max-examples", EXAMPLES])
        .args(["--phases", "examples,coverage,fuzzing", "--mode", "all"])
        .args(["--no-color", "--request-timeout", "20"])
        .args(
            header
                .map(|header| ["--header", header])
                .into_iter()
                .flatten(),
        )
        // The server is on this machine, whatever the proxies are.
        .env("NO_PROXY", "127.0.0.1");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    // A run that tested nothing would succeed as well.
    assert!(
        said.contains("Fuzzing") && said.contains(" passed"),
        "{said}"
    );
}
