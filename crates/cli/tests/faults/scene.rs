//! A faulty Fleet, a folder with a spec, the binary, and the judgement of what it did. Nothing here knows a fault by name.

use std::ffi::OsStr;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use faulty_fleet::{Expectation, FaultyFleet, Ledger, Row, Rule, RunFolder, Script, Setup, judge};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// Far beyond what any command of these tests takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(150);

/// Between two looks at a condition.
const LOOK: Duration = Duration::from_millis(20);

/// A test's own Fleet and folder.
pub(crate) struct Scene {
    pub(crate) fleet: FaultyFleet,
    folder: TempDir,
}

impl Scene {
    pub(crate) async fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        Self::with(|setup| setup.script = Script::of(rules)).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Setup)) -> Self {
        let harness = env!("CARGO_BIN_EXE_harness");
        let mut setup = Setup::new(harness, project("examples/environments"));
        change(&mut setup);
        let fleet = FaultyFleet::start(setup).await;
        let folder = tempfile::Builder::new()
            .prefix("faults-")
            .tempdir()
            .unwrap();
        for name in ["home", "tmp", "marks"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self { fleet, folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a spec of the tasks `keys`, each passed by leaving the desk alone; `changes` are merged into it.
    pub(crate) fn spec(&self, keys: &[&str], changes: Value) {
        let tasks: Vec<Value> = keys.iter().map(|key| task(key)).collect();
        fs::write(self.path("tasks.json"), json!(tasks).to_string()).unwrap();
        let mut spec = json!({
            "version": 1,
            "name": "faults",
            "fleet": {"endpoint": self.fleet.url()},
            "tasks": {"file": "tasks.json"},
            "agent": {"command": ["true"], "timeout": "60s", "grace_period": "1s"},
            "environment": {"ready_timeout": "60s"},
            "retry": {"attempts": 2, "initial_delay": "50ms", "max_delay": "100ms"},
            "concurrency": 1,
            "report": {"dir": "runs"},
        });
        merge(&mut spec, changes);
        // JSON is YAML.
        fs::write(self.path("spec.yaml"), spec.to_string()).unwrap();
    }

    /// As [`Scene::spec`], with a shell script for an agent. `$MARKS` in it is a folder of the test.
    pub(crate) fn script(&self, keys: &[&str], script: &str, changes: Value) {
        let marks = self.path("marks");
        let script = format!("MARKS='{}'\n{script}", marks.display());
        fs::write(self.path("agent.sh"), script).unwrap();
        let mut all = json!({"agent": {"command": ["sh", "{spec_dir}/agent.sh"]}});
        merge(&mut all, changes);
        self.spec(keys, all);
    }

    /// The binary with nothing of the caller's environment but what programs need to be found.
    pub(crate) fn harness(&self) -> Command {
        self.program(env!("CARGO_BIN_EXE_harness"))
    }

    pub(crate) fn program(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .env("FLEET_API_KEY", "key-of-the-tests")
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Runs the binary to its end.
    pub(crate) async fn call(&self, args: &[&str]) -> Ended {
        let mut command = self.harness();
        command.args(args);
        self.start(command).end().await
    }

    pub(crate) async fn run(&self) -> Ended {
        self.call(&["run", "spec.yaml"]).await
    }

    /// Starts a command whose output goes to files, so that it can be read while it runs.
    pub(crate) fn start(&self, mut command: Command) -> Running {
        let output = TempDir::with_prefix_in("output-", self.path("tmp")).unwrap();
        let file = |name: &str| fs::File::create(output.path().join(name)).unwrap();
        let child = command
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .spawn()
            .unwrap();
        Running { child, output }
    }

    pub(crate) fn start_run(&self) -> Running {
        let mut command = self.harness();
        command.args(["run", "spec.yaml"]);
        self.start(command)
    }

    pub(crate) fn folder(&self) -> RunFolder {
        RunFolder::latest(&self.path("runs"))
    }

    pub(crate) fn rows(&self) -> Vec<Row> {
        self.folder().rows()
    }

    /// Fails unless the run is as expected and nothing is left of it. The ledger it returns is for more questions.
    pub(crate) async fn judge(&self, name: &str, ended: &Ended, expected: Expectation) -> Ledger {
        let ledger = self.fleet.ledger().await;
        let begun = self.path("runs/latest").exists();
        assert!(begun, "{name}: there is no run\n{}", ended.stderr);
        let wrong = judge(&ledger, &self.folder(), ended.code, expected);
        assert!(
            wrong.is_empty(),
            "{name}:\n  {}\n{}\n{}",
            wrong.join("\n  "),
            ended.stderr,
            told(&ledger)
        );
        ledger
    }

    pub(crate) async fn stop(self) {
        self.fleet.stop().await;
    }
}

/// A ledger for a person who looks for what went wrong.
pub(crate) fn told(ledger: &Ledger) -> String {
    let line = |entry: &faulty_fleet::LedgerEntry| {
        let fault = entry.fault.as_deref().unwrap_or_default();
        format!(
            "{:?} {} {} → {:?} {fault}\n",
            entry.call, entry.target, entry.request_id, entry.status
        )
    };
    ledger.entries.iter().map(line).collect()
}

/// A command under way. Killed if the test gives up on it.
pub(crate) struct Running {
    child: Child,
    output: TempDir,
}

impl Running {
    pub(crate) fn pid(&self) -> Pid {
        let id = self.child.id().expect("it has not been waited for");
        Pid::from_raw(i32::try_from(id).unwrap())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    pub(crate) fn stderr(&self) -> String {
        let bytes = fs::read(self.output.path().join("stderr")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until `condition` holds; fails if the command ends before.
    pub(crate) async fn until(&mut self, what: &str, mut condition: impl FnMut() -> bool) {
        let begun = Instant::now();
        loop {
            if condition() {
                return;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none() && begun.elapsed() < PATIENCE,
                "waited in vain for {what} ({ended:?})\n{}",
                self.stderr()
            );
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until it has said something.
    pub(crate) async fn until_it_says(&mut self, words: &str) {
        let path = self.output.path().join("stderr");
        let says = || {
            let bytes = fs::read(&path).unwrap_or_default();
            String::from_utf8_lossy(&bytes).contains(words)
        };
        self.until(words, says).await;
    }

    pub(crate) fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    pub(crate) async fn end(self) -> Ended {
        self.end_within(PATIENCE).await
    }

    pub(crate) async fn end_within(mut self, limit: Duration) -> Ended {
        let ended = tokio::time::timeout(limit, self.child.wait()).await;
        let stderr = self.stderr();
        let status = ended
            .unwrap_or_else(|_| panic!("it hangs\n{stderr}"))
            .unwrap();
        Ended {
            code: status.code(),
            stderr,
        }
    }

    /// Kills it as nobody can prepare for, and waits for its end.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stderr: String,
}

impl Ended {
    /// Fails unless stderr has every one of `parts`.
    #[track_caller]
    pub(crate) fn says(&self, parts: &[&str]) {
        for part in parts {
            assert!(
                self.stderr.contains(part),
                "no {part:?} in\n{}",
                self.stderr
            );
        }
    }
}

/// One line of a table of faults: what goes wrong, and what every row of the run must then be.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) rules: Vec<Rule>,
    pub(crate) trials: usize,
    pub(crate) changes: Value,
    pub(crate) exit: &'static [i32],
    pub(crate) status: &'static str,
    /// Of which one must be the row's; empty: none may be.
    pub(crate) error_kinds: &'static [&'static str],
    pub(crate) phase: &'static str,
    pub(crate) attempts: RangeInclusive<u32>,
}

impl Case {
    /// A fault that costs nothing: one attempt, a score.
    pub(crate) fn scored(name: impl Into<String>, rules: impl IntoIterator<Item = Rule>) -> Self {
        Self {
            name: name.into(),
            rules: rules.into_iter().collect(),
            trials: 1,
            changes: json!({}),
            exit: &[0],
            status: "scored",
            error_kinds: &[],
            phase: "",
            attempts: 1..=1,
        }
    }

    /// A fault that takes the score away, in this phase, for one of these reasons.
    pub(crate) fn unscored(
        name: impl Into<String>,
        rules: impl IntoIterator<Item = Rule>,
        phase: &'static str,
        error_kinds: &'static [&'static str],
    ) -> Self {
        Self {
            exit: &[3],
            status: "unscored",
            error_kinds,
            phase,
            ..Self::scored(name, rules)
        }
    }

    pub(crate) fn attempts(self, attempts: RangeInclusive<u32>) -> Self {
        Self { attempts, ..self }
    }

    pub(crate) fn changes(self, changes: Value) -> Self {
        Self { changes, ..self }
    }

    /// Runs it and fails unless everything is as it says. The ledger it returns is for more questions.
    pub(crate) async fn check(self) -> Ledger {
        let Self { name, .. } = &self;
        let scene = Scene::new(self.rules.clone()).await;
        let keys: Vec<String> = (0..self.trials).map(|n| format!("t{n}")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        scene.spec(&keys, self.changes.clone());
        let ended = scene.run().await;
        let expected = Expectation::of(self.trials, self.exit);
        let ledger = scene.judge(name, &ended, expected).await;
        assert!(
            ledger.injected() > 0,
            "{name}: the fault never came\n{}\n{}",
            ended.stderr,
            told(&ledger)
        );
        for row in scene.rows() {
            self.check_row(&row, &ended);
        }
        scene.stop().await;
        ledger
    }

    fn check_row(&self, row: &Row, ended: &Ended) {
        let told = || format!("{}: {row:#?}\n{}", self.name, ended.stderr);
        assert_eq!(row["status"], self.status, "{}", told());
        let kind = row["error_kind"].as_str();
        let as_modelled = if self.error_kinds.is_empty() {
            kind.is_empty()
        } else {
            self.error_kinds.contains(&kind)
        };
        assert!(as_modelled, "error_kind {kind}: {}", told());
        assert_eq!(row["phase"], self.phase, "{}", told());
        let attempts: u32 = row["attempts"].parse().unwrap();
        assert!(self.attempts.contains(&attempts), "attempts: {}", told());
        assert_ne!(row["teardown"], "unconfirmed", "{}", told());
        if self.status == "scored" {
            assert_eq!(row["score"], "1", "{}", told());
        }
    }
}

/// How many cases run at once. They mostly wait for pauses to be over.
const AT_ONCE: usize = 6;

/// Checks all cases, some at once.
pub(crate) async fn check_all(cases: impl IntoIterator<Item = Case>) {
    use futures::StreamExt as _;
    let checks = cases.into_iter().map(|case| async {
        // A task of its own, so that one that fails is told and the others' processes end with their owners.
        tokio::spawn(case.check()).await.unwrap();
    });
    futures::stream::iter(checks)
        .buffer_unordered(AT_ONCE)
        .collect::<Vec<()>>()
        .await;
}

/// A task that is passed by leaving the desk alone.
fn task(key: &str) -> Value {
    json!({
        "key": key,
        "prompt": "Change nothing.",
        "env_id": "helpdesk",
        "version": "v1.0.0",
        "data_id": "default",
        "verifier": {"kind": "state", "expect": [], "ignore": {"tables": ["activity"]}},
    })
}

/// RFC 7396.
pub(crate) fn merge(into: &mut Value, changes: Value) {
    let Value::Object(changes) = changes else {
        *into = changes;
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    for (key, change) in changes {
        let fields = into.as_object_mut().unwrap();
        if change.is_null() {
            fields.remove(&key);
        } else {
            merge(fields.entry(key).or_insert(Value::Null), change);
        }
    }
}

fn project(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().unwrap().join(name)
}

/// Says why a test does not run. The name in front is what a reader looks for.
#[expect(clippy::print_stderr, reason = "a skip is told, never silent")]
pub(crate) fn skip(test: &str, why: &str) {
    eprintln!("SKIPPED {test}: {why}");
}
