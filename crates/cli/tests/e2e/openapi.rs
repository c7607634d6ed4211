//! The embedded server against its own `OpenAPI` documents: schemathesis sends what they allow and what they forbid, and holds
//! every answer against them.

use std::env;
use std::process::Command;

use serde_json::Value;

use crate::support::{Bench, Local, project, skip};

/// The program; `cargo xtask test` gets it.
const SCHEMATHESIS: &str = "HARNESS_TEST_SCHEMATHESIS";

/// Requests of each operation and phase that are drawn, beside those that its parameters ask for.
const EXAMPLES: &str = "12";

#[test]
fn the_control_plane_answers_as_its_document_says() {
    let bench = Bench::new();
    // Two instances at most: creates meet the limit, and no more apps run than the machine can bear.
    let local = Local::start(&bench, &["--api-key", "k-openapi", "--instance-limit", "2"]);
    let header = "Authorization: Bearer k-openapi";
    test(&bench, "control.toml", &local.url, Some(header));
    local.stop().expect(0);
}

#[test]
fn the_manager_of_an_instance_answers_as_its_document_says() {
    let bench = Bench::new();
    let local = Local::start(&bench, &[]);
    let made = local.fleet(&bench, &["instances", "make", "helpdesk"]);
    let record: Value = made.expect(0).json();
    let manager = record["urls"]["manager"]["api"].as_str().unwrap();
    test(&bench, "manager.toml", manager, None);
    local.stop().expect(0);
}

/// The settings say what is not held against the server, and why.
fn test(bench: &Bench, settings: &str, base: &str, header: Option<&str>) {
    let Some(program) = env::var_os(SCHEMATHESIS) else {
        skip("openapi", "`cargo xtask test` gets schemathesis");
        return;
    };
    let settings = project("crates/cli/tests/e2e/openapi").join(settings);
    let mut command = Command::new(program);
    command
        .current_dir(bench.path("."))
        .arg("--config-file")
        .arg(&settings)
        .args(["run", &format!("{base}/openapi.json"), "--url", base])
        .args(["--seed", "1", "--max-examples", EXAMPLES])
        .args(["--no-color", "--request-timeout", "60"])
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
