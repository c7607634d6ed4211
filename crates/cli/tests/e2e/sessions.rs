//! Sessions of a run, seen at the service: what agents left, what they made themselves, and what a killed harness owes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use fleet_api::types::{SessionInfo, SessionStatus, TranscriptMessage};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::{Bench, Finished, Local, assert_row, eventually, merge, skip};

const KEY: &str = "k-sessions";

/// A server elsewhere, and runs against it: what a run leaves there can be looked at after it.
struct Scene {
    bench: Bench,
    local: Local,
}

impl Scene {
    fn new() -> Self {
        let bench = Bench::new();
        let local = Local::start(&bench, &["--api-key", KEY]);
        Self { bench, local }
    }

    fn spec(&self, script: &str, changes: Value) -> PathBuf {
        let mut all = json!({
            "fleet": {"endpoint": self.local.url, "api_key": "${FLEET_API_KEY}", "local": null, "sessions": "on"},
            "tasks": {"project": "helpdesk", "file": null, "include": ["helpdesk-ticket-owner"]},
            "agent": {"working_dir": "trial"},
            "matrix": {"model": ["acme/one"]},
        });
        // Before the changes: what they take away must stay away.
        let without_command = changes["agent"].get("command").is_some_and(Value::is_null);
        merge(&mut all, changes);
        if without_command {
            all["agent"]["command"] = Value::Null;
        }
        self.bench.script_spec(script, all)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.bench.harness();
        command.args(args).env("FLEET_API_KEY", KEY);
        command
    }

    fn run(&self, spec: &Path) -> Finished {
        let command = self.command(&["run", spec.to_str().unwrap()]);
        self.bench.start(command).end()
    }

    /// What the service says to a client of its own.
    fn ask<T>(
        &self,
        call: impl AsyncFnOnce(fleet_api::Client) -> Result<T, fleet_api::Error>,
    ) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let client = fleet_api::Client::builder(KEY.into()).base_url(&self.local.url);
        runtime.block_on(async { call(client.build().unwrap()).await.unwrap() })
    }

    fn jobs(&self) -> Vec<fleet_api::types::Job> {
        let query = fleet_api::types::JobQuery::default();
        self.ask(async |client| client.jobs(&query).await).jobs
    }

    /// Every session of the run's job.
    fn sessions(&self) -> Vec<SessionInfo> {
        let results = self.bench.run().results();
        let job = results["run"]["job_id"].as_str().unwrap().into();
        let named = self.jobs().into_iter().find(|known| known.id == job);
        let name = named.unwrap().name.unwrap();
        assert_eq!(name, results["run"]["run_id"].as_str().unwrap());
        let listed = self.ask(async |client| client.job_sessions(&job).await);
        let tasks = listed.tasks.into_iter();
        tasks.flat_map(|task| task.sessions).collect()
    }

    fn transcript(&self, session: &SessionInfo) -> Vec<TranscriptMessage> {
        let id = &session.session_id;
        self.ask(async |client| client.transcript(id).await)
            .transcript
    }

    fn end(self) {
        self.local.stop().expect(0);
        self.bench.assert_nothing_alive(Duration::ZERO);
    }
}

fn score(session: &SessionInfo) -> Option<f64> {
    session.verifier_execution.as_ref()?.score
}

#[test]
fn x1_a_transcript_of_any_length_is_a_session_with_its_score() {
    let scene = Scene::new();
    let script = "i=0; while [ $i -lt 75 ]; do echo \"{\\\"role\\\": \\\"user\\\", \\\"content\\\": \\\"$i\\\"}\"; i=$((i+1)); done > $HARNESS_TRANSCRIPT_FILE
        echo \"{\\\"final_answer\\\": \\\"Priya Raman\\\"}\"";
    scene.run(&scene.spec(script, json!({}))).expect(0);
    let sessions = scene.sessions();
    assert_eq!(sessions.len(), 1);
    let session = &sessions[0];
    assert_eq!(
        (&session.status, session.model.as_str()),
        (&SessionStatus::Completed, "acme/one")
    );
    assert_eq!(score(session), Some(1.0), "{session:?}");
    let said = scene.transcript(session);
    let texts: Vec<_> = said
        .iter()
        .map(|message| message.content.as_str().unwrap())
        .collect();
    let expected: Vec<_> = (0..75).map(|number| number.to_string()).collect();
    assert_eq!(texts, expected);
    let row = scene.bench.run().row();
    assert_row(&row, &[("session", "completed"), ("passed", "true")]);
    assert_eq!(row["session_id"], session.session_id.as_str());
    let left = std::fs::read_dir(scene.bench.run().root.join("outgoing")).unwrap();
    assert_eq!(left.count(), 0, "what is delivered is not kept");
    scene.end();
}

#[test]
fn x5_a_trajectory_of_a_failed_agent_is_a_failed_session_without_secrets() {
    let scene = Scene::new();
    let script = "cat > trajectory.json <<END
{\"schema_version\": \"ATIF-v1.6\", \"session_id\": \"x\", \"agent\": {\"name\": \"a\", \"version\": \"1\"}, \"steps\": [
 {\"step_id\": 1, \"source\": \"user\", \"message\": \"go, $MY_SECRET\"},
 {\"step_id\": 2, \"source\": \"agent\", \"message\": \"\", \"tool_calls\": [{\"tool_call_id\": \"c\", \"function_name\": \"look\", \"arguments\": {}}],
  \"observation\": {\"results\": [{\"source_call_id\": \"c\", \"content\": \"seen\"}]}}]}
END
exit 3";
    let changes = json!({"agent": {"env": {"MY_SECRET": "hunter2-hunter2"}}});
    scene.run(&scene.spec(script, changes)).expect(0);
    let sessions = scene.sessions();
    assert_eq!(
        (sessions.len(), &sessions[0].status),
        (1, &SessionStatus::Failed)
    );
    let said = scene.transcript(&sessions[0]);
    let roles: Vec<_> = said.iter().map(|message| message.role.as_str()).collect();
    assert_eq!(roles, ["user", "assistant", "tool"]);
    assert_eq!(said[0].content, "go, ***");
    assert_eq!(said[2].tool_call_id.as_deref(), Some("c"));
    scene.end();
}

#[test]
fn without_being_asked_for_no_session_is_made() {
    let scene = Scene::new();
    let spec = scene.spec("exit 0", json!({"fleet": {"sessions": "off"}}));
    scene.run(&spec).expect(0);
    let results = scene.bench.run().results();
    assert!(results["run"].get("job_id").is_none());
    assert_row(
        &scene.bench.run().row(),
        &[("session", ""), ("session_id", "")],
    );
    assert!(scene.jobs().is_empty());
    scene.end();
}

#[test]
fn x1_a_run_that_was_killed_delivers_its_sessions_when_it_is_resumed() {
    let scene = Scene::new();
    let script = "if [ $FLEET_TASK_KEY = helpdesk-count-urgent ] && [ ! -e \"$1\" ]; then touch \"$1\"; sleep 60; fi; echo '{\"final_answer\": \"4\"}'";
    let hung = scene.bench.path("hung");
    let changes = json!({
        "tasks": {"include": ["helpdesk-ticket-owner", "helpdesk-count-urgent"]},
        "agent": {"command": ["sh", "{spec_dir}/agent.sh", hung]},
    });
    let spec = scene.spec(script, changes);
    let mut running = scene
        .bench
        .start(scene.command(&["run", spec.to_str().unwrap()]));
    let seen = scene.bench.path("hung");
    running.until("the second agent", || seen.exists());
    running.signal(Signal::SIGKILL);
    running.end();
    assert!(eventually(Duration::from_secs(10), || {
        let resumed = scene
            .bench
            .start(scene.command(&["resume", "latest"]))
            .end();
        resumed.code() == 0
    }));
    let sessions = scene.sessions();
    assert_eq!(sessions.len(), 2, "{sessions:?}");
    for session in &sessions {
        assert!(session.status.is_ended(), "{session:?}");
        assert_eq!(scene.transcript(session).len(), 2);
    }
    assert_eq!(scene.jobs().len(), 1);
    scene.end();
}

#[test]
fn an_agent_of_flt_eval_run_runs_unchanged() {
    let Some(python) = std::env::var_os("HARNESS_TEST_PYTHON") else {
        skip(
            "an_agent_of_flt_eval_run_runs_unchanged",
            "HARNESS_TEST_PYTHON is not set",
        );
        return;
    };
    let scene = Scene::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/flt-agent");
    let spec = scene.spec(
        "",
        json!({
            "fleet": {"sessions": null},
            "tasks": {"include": ["helpdesk-close-solved"]},
            "agent": {"flt": folder, "command": null, "working_dir": null},
        }),
    );
    let mut command = scene.command(&["run", spec.to_str().unwrap()]);
    let bin = Path::new(&python).parent().unwrap();
    let mut path = bin.as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    command.env("PATH", path);
    scene.bench.start(command).end().expect(0);
    let run = scene.bench.run();
    let row = run.row();
    assert_row(
        &row,
        &[
            ("status", "scored"),
            ("passed", "true"),
            ("agent", "completed"),
            ("exit_code", "1"),
        ],
    );
    assert_row(&row, &[("steps", "2"), ("session", "completed")]);
    let sessions = scene.sessions();
    assert_eq!(sessions.len(), 1, "the agent's own, and no second one");
    let session = &sessions[0];
    assert_eq!(row["session_id"], session.session_id.as_str());
    assert_eq!(
        (&session.status, session.model.as_str()),
        (&SessionStatus::Completed, "acme/one")
    );
    assert_eq!(score(session), Some(1.0), "{session:?}");
    let said = scene.transcript(session);
    let roles: Vec<_> = said.iter().map(|message| message.role.as_str()).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "assistant"]);
    assert!(run.evidence("session.jsonl").exists());
    scene.end();
}
