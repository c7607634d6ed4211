//! Summaries of jobs from the shell: waited for where they can be read, and told to be elsewhere where not.

use std::net::SocketAddr;

use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Bench, Local};

/// A job with a session.
fn job(bench: &Bench, local: &Local) -> String {
    let job = local.fleet(bench, &["jobs", "trace"]).expect(0).json();
    let job = job["job_id"].as_str().unwrap().to_owned();
    let messages = json!([{"role": "assistant", "content": "I closed it."}]);
    bench.write("messages.json", messages.to_string());
    let ingest = ["sessions", "ingest", "messages.json", "--job", &job];
    local.fleet(bench, &ingest).expect(0);
    job
}

#[test]
fn a_summary_is_waited_for_and_the_same_is_not_written_twice() {
    let bench = Bench::new();
    let count = bench.path("count");
    let script = format!(
        "grep -q 'I closed it' && echo x >> {}; printf '%s' '{{\"summary\": \"It went\\nwell.\"}}'\n",
        count.display()
    );
    let script = bench.write("judge.sh", script);
    let command = format!("sh {}", script.display());
    let local = Local::start(&bench, &["--judge-command", &command]);
    let job = job(&bench, &local);
    let told = local.told(&bench, &["jobs", "summarize", &job]);
    assert_eq!(told.expect(0).stdout, "It went\nwell.\n");
    told.says(&["is being written"]);
    let again = local
        .fleet(&bench, &["jobs", "summarize", &job])
        .expect(0)
        .json();
    assert_eq!(
        (&again["status"], &again["text"], &again["model"]),
        (
            &json!("completed"),
            &json!("It went\nwell."),
            &json!("anthropic/claude-sonnet-4")
        )
    );
    local
        .fleet(&bench, &["jobs", "summarize", &job, "--force"])
        .expect(0);
    assert_eq!(std::fs::read_to_string(count).unwrap(), "x\nx\n");
    local.stop().expect(0);
}

#[test]
fn a_summary_that_cannot_be_written_is_an_error_with_its_reason() {
    let bench = Bench::new();
    let local = Local::start(&bench, &["--judge-command", "sh -c false"]);
    let job = job(&bench, &local);
    local
        .told(&bench, &["jobs", "summarize", &job])
        .expect(5)
        .says(&["no summary was written", "ended with", "--model"]);
    local
        .told(&bench, &["jobs", "summarize", "nothing"])
        .expect(2)
        .says(&["Job 'nothing' not found"]);
    local.stop().expect(0);
    let without = Local::start(&bench, &[]);
    without
        .told(&bench, &["jobs", "summarize", "nothing"])
        .expect(2)
        .says(&["--judge-command"]);
    without.stop().expect(0);
}

/// Answers as a service that shows summaries on its dashboard alone.
async fn hosted(answer: Value) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let start = post(move || async move { Json(answer) });
    let app = Router::new().route("/v1/summarize/job", start);
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

#[test]
fn a_service_that_shows_it_on_its_dashboard_alone_is_not_waited_for() {
    let bench = Bench::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for (answer, id) in [
        (json!({"summary_id": "s-1"}), "s-1"),
        (json!({}), "not named"),
    ] {
        let service = runtime.block_on(hosted(answer.clone()));
        let ask = |more: &[&str]| {
            let mut command = bench.harness();
            command
                .args(["fleet", "jobs", "summarize", "j-1", "--endpoint"])
                .arg(format!("http://{service}"))
                .args(more);
            bench.start(command).end()
        };
        let told = ask(&[]);
        told.expect(0).says(&["shows it on its dashboard"]);
        assert!(told.stdout.contains(id), "{}", told.stdout);
        let json = ask(&["--json"]).expect(0).json();
        assert_eq!(json["summary_id"], answer["summary_id"]);
    }
}
