//! What is refused: what, where, why and the next command, as text or as one JSON object on stderr.

use serde_json::Value;

use crate::support::{Bench, Local};

/// Every bad input, the exit code, and what the message must have.
const REFUSED: &[(&[&str], i32, &[&str])] = &[
    (
        &["envs", "show", "nope"],
        2,
        &["'nope'", "harness fleet envs"],
    ),
    (
        &["instances", "get", "nope"],
        2,
        &["'nope' not found", "harness fleet instances list"],
    ),
    (&["instances", "get", "a/b"], 2, &["instance id", "a/b"]),
    (
        &["instances", "heartbeat", "nope"],
        2,
        &["'nope' not found"],
    ),
    (
        &["instances", "make", "nope"],
        2,
        &["'nope' not found", "harness fleet envs"],
    ),
    (
        &["instances", "make", "helpdesk:v9"],
        2,
        &["'v9' not found", "harness fleet envs show helpdesk"],
    ),
    (
        &["instances", "make", "helpdesk", "--region", "mars"],
        2,
        &["mars", "harness fleet regions"],
    ),
    (
        &["instances", "make", "helpdesk", "--heartbeat", "5s"],
        2,
        &["between 30s and 1h"],
    ),
    (
        &["instances", "make", "helpdesk", "--ttl", "30"],
        2,
        &["--ttl", "has no unit"],
    ),
    (
        &["instances", "make", "helpdesk", "--var", "x"],
        2,
        &["--var", "KEY=VALUE"],
    ),
    (
        &["instances", "make", "helpdesk", "--request-id", "x"],
        2,
        &["--request-id", "UUID"],
    ),
    (
        &["instances", "make", "helpdesk", "--leave"],
        2,
        &["--keep-alive"],
    ),
    (&["instances", "make"], 2, &["ENV"]),
    (
        &["instances", "close-all"],
        2,
        &["--run ID", "--profile self"],
    ),
    (
        &["instances", "--limit", "3", "get", "x"],
        2,
        &["in front of its subcommand"],
    ),
    (&["instances", "--limit", "0"], 2, &["--limit"]),
    (&["close"], 2, &["INSTANCE"]),
    (
        &["tasks", "get", "nope"],
        2,
        &["'nope' not found", "harness fleet tasks list"],
    ),
    (
        &["tasks", "list", "--key", "nope"],
        2,
        &["no such task: nope", "harness fleet tasks list"],
    ),
    (
        &["tasks", "export", "--project", "nobody"],
        2,
        &["nothing was written", "harness fleet projects"],
    ),
    (
        &["tasks", "import", "no-such-file.json"],
        2,
        &["no-such-file.json cannot be read"],
    ),
    (
        &["tasks", "import", "broken.json"],
        2,
        &["broken.json", "line 2"],
    ),
    (
        &["tasks", "import", "empty.json"],
        2,
        &["empty.json has no tasks"],
    ),
    (
        &["tasks", "update", "helpdesk-new-ticket"],
        2,
        &["--prompt"],
    ),
    (
        &["tasks", "update", "helpdesk-new-ticket", "--metadata", "[]"],
        2,
        &["--metadata must be a JSON object"],
    ),
    (
        &[
            "tasks",
            "update",
            "helpdesk-new-ticket",
            "--verifier",
            "empty.json",
        ],
        2,
        &["no `kind`"],
    ),
    (&["verify", "nope", "x"], 2, &["'nope' not found"]),
    (
        &["verify", "x", "y", "--timeout", "10m"],
        2,
        &["between 1s and 5m"],
    ),
    (
        &["verify", "x", "y", "--verifier", "no.py"],
        2,
        &["no.py cannot be read"],
    ),
    (
        &["verify", "x", "y", "--answer", "a", "--answer-file", "b"],
        2,
        &["--answer-file"],
    ),
    (&["verifiers", "get", "nope"], 2, &["nope"]),
    (
        &["jobs", "get", "nope"],
        2,
        &["nope", "harness fleet jobs list"],
    ),
    (&["jobs", "create", "--model", "m"], 2, &["--project"]),
    (
        &[
            "jobs",
            "create",
            "--model",
            "m",
            "--project",
            "p",
            "--env",
            "e",
        ],
        2,
        &["--env"],
    ),
    (
        &[
            "jobs",
            "create",
            "--model",
            "m",
            "--env",
            "e",
            "--max-duration",
            "90s",
        ],
        2,
        &["whole minutes"],
    ),
    (
        &[
            "jobs",
            "create",
            "--model",
            "m",
            "--env",
            "e",
            "--byok",
            "openai=NO_SUCH_VARIABLE",
        ],
        2,
        &["NO_SUCH_VARIABLE is not set"],
    ),
    (
        &["jobs", "create", "--model", "m", "--env", "helpdesk"],
        2,
        &["harness run"],
    ),
    (&["jobs", "log", "j", "broken.json"], 2, &["broken.json"]),
    (&["sessions", "list", "nope"], 2, &["nope"]),
    (&["sessions", "transcript", "nope"], 2, &["nope"]),
    (
        &["sessions", "ingest", "empty.json"],
        2,
        &["empty.json has no messages", "ATIF"],
    ),
    (&["db", "tables", "nope"], 2, &["'nope' not found"]),
    (&["db", "query", "nope", ""], 2, &["the statement is empty"]),
    (
        &["db", "query", "nope", "SELECT 1", "--csv", "--json"],
        2,
        &["--csv"],
    ),
    (
        &["files", "cat", "nope", "/x", "--max-size", "7"],
        2,
        &["--max-size", "has no unit"],
    ),
    (
        &["instances", "browser", "nope", "--size", "huge"],
        2,
        &["WIDTHxHEIGHT"],
    ),
];

fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("broken.json", "[{\"key\": \"a\"},\n{\"key\": ]");
    bench.write("empty.json", "[]");
    bench
}

#[test]
fn p6_every_bad_input_is_refused_with_what_is_wrong_and_what_to_do() {
    let bench = bench();
    let local = Local::start(&bench, &[]);
    for (args, code, parts) in REFUSED {
        let refused = local.told(&bench, args);
        assert_eq!(refused.code(), *code, "{args:?}\n{}", refused.stderr);
        for part in *parts {
            assert!(
                refused.stderr.contains(part),
                "{args:?} does not say {part:?}:\n{}",
                refused.stderr
            );
        }
        assert_eq!(refused.stdout, "", "{args:?}");
        assert!(refused.stderr.starts_with("error: ") || refused.stderr.starts_with("making "));
        assert!(
            !refused.stderr.contains("\"detail\""),
            "{args:?}\n{}",
            refused.stderr
        );
    }
    assert_eq!(
        local.fleet(&bench, &["instances"]).json(),
        serde_json::json!([])
    );
    local.stop().expect(0);
}

#[test]
fn p6_a_program_gets_the_error_as_one_object() {
    let bench = bench();
    let local = Local::start(&bench, &[]);
    for (args, kind, status) in [
        (&["instances", "get", "nope"][..], "not_found", Some(404)),
        (
            &["instances", "make", "nope"],
            "environment_not_found",
            Some(400),
        ),
        (
            &["instances", "make", "helpdesk:v9"],
            "version_not_found",
            Some(400),
        ),
        (
            &["instances", "make", "helpdesk", "--region", "mars"],
            "region",
            Some(400),
        ),
        (&["instances", "close-all"], "usage", None),
        (&["tasks", "import", "broken.json"], "usage", None),
    ] {
        let refused = local.fleet(&bench, args);
        refused.expect(2);
        assert_eq!(refused.stdout, "", "{args:?}");
        let error: Value = serde_json::from_str(&refused.stderr)
            .unwrap_or_else(|error| panic!("{args:?}: {error}\n{}", refused.stderr));
        let error = &error["error"];
        assert_eq!(error["kind"], kind, "{args:?}");
        assert_eq!(error["status"].as_u64(), status, "{args:?}");
        assert_eq!(error["exit_code"], 2);
        assert_eq!(error["service"], local.url.trim_end_matches('/'));
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|message| !message.is_empty())
        );
    }
    local.stop().expect(0);
    let mut command = bench.harness();
    command.args([
        "fleet",
        "account",
        "--json",
        "--endpoint",
        "http://127.0.0.1:1",
    ]);
    let away = bench.start(command).end();
    let error: Value = serde_json::from_str(&away.expect(2).stderr).unwrap();
    assert_eq!(error["error"]["kind"], "network");
    assert_eq!(error["error"]["retryable"], true);
}
