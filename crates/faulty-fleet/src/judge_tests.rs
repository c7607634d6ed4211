use std::fs;
use std::time::Instant;

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::ledger::{LedgerEntry, Listed};
use crate::script::Call;

/// The run of this test: its process is looked for by this name, and other tests run meanwhile.
fn run() -> String {
    let thread = std::thread::current().id();
    format!("judged-{}-{thread:?}", std::process::id())
}

/// A run of one trial as it should be, and its ledger.
struct Fixture {
    folder: TempDir,
    ledger: Ledger,
    journal: Vec<Value>,
    rows: Vec<[&'static str; 7]>,
}

fn entry(call: Call, target: &str, answer: Value) -> LedgerEntry {
    LedgerEntry {
        at: Instant::now(),
        call,
        target: target.to_owned(),
        request_id: "r".to_owned(),
        run_id: Some(run()),
        fault: None,
        status: Some(200),
        answer: Some(answer),
    }
}

fn trial() -> Value {
    json!({"task": "t", "variant": "default", "trial": 1})
}

impl Fixture {
    fn new() -> Self {
        let ledger = Ledger {
            entries: vec![
                entry(Call::Create, "r", json!({"instance_id": "i1"})),
                entry(
                    Call::Execute,
                    "i1",
                    json!({"success": true, "execution_id": "e1"}),
                ),
                entry(Call::Close, "i1", json!({})),
            ],
            max_live: 1,
            limit: 2,
            ..Ledger::default()
        };
        Self {
            folder: tempfile::tempdir().unwrap(),
            ledger,
            journal: vec![
                json!({"event": "provisioned", "instance": "i1", "trial": trial()}),
                json!({"event": "scored", "trial": trial(), "verifier": {"tries": 1}}),
            ],
            rows: vec![["t", "default", "1", "scored", "1", "i1", "e1"]],
        }
    }

    fn wrong(&self) -> Vec<String> {
        self.wrong_for(Some(0), Left::Nothing)
    }

    fn wrong_for(&self, exit: Option<i32>, left: Left) -> Vec<String> {
        let root = self.folder.path().join(run());
        fs::create_dir_all(&root).unwrap();
        let journal: Vec<String> = self.journal.iter().map(Value::to_string).collect();
        fs::write(root.join("journal.jsonl"), journal.join("\n")).unwrap();
        let header = "task_key,variant,trial,status,score,instance_id,verifier_execution_id\n";
        let rows: Vec<String> = self.rows.iter().map(|row| row.join(",") + "\n").collect();
        fs::write(root.join("results.csv"), header.to_owned() + &rows.concat()).unwrap();
        let latest = self.folder.path().join("latest");
        let _ = std::os::unix::fs::symlink(run(), &latest);
        let run = RunFolder::latest(self.folder.path());
        let expected = Expectation {
            left,
            ..Expectation::of(1, &[0])
        };
        judge(&self.ledger, &run, exit, expected)
    }
}

#[track_caller]
fn finds(fixture: &Fixture, words: &str) {
    let wrong = fixture.wrong();
    let found = wrong.iter().any(|line| line.contains(words));
    assert!(found, "no {words:?} in {wrong:?}");
}

#[test]
fn a_run_as_it_should_be_is_not_accused() {
    assert_eq!(Fixture::new().wrong(), Vec::<String>::new());
}

#[test]
fn every_exit_code_but_the_models_is_wrong() {
    let fixture = Fixture::new();
    for exit in [Some(3), Some(4), None] {
        assert_eq!(fixture.wrong_for(exit, Left::Nothing).len(), 1, "{exit:?}");
    }
}

#[test]
fn an_instance_that_lives_is_found_unless_its_lease_may_end_it() {
    let mut fixture = Fixture::new();
    fixture.ledger.live.push(Listed {
        instance: "i1".into(),
        run_id: run(),
    });
    finds(&fixture, "are left");
    assert!(fixture.wrong_for(Some(0), Left::ToItsLease).is_empty());
    fixture.ledger.live[0].run_id = "another".into();
    assert!(fixture.wrong().is_empty());
}

#[test]
fn a_close_of_what_is_not_ours_is_found() {
    let mut fixture = Fixture::new();
    fixture.ledger.foreign.insert("f1".into());
    let close = entry(Call::Close, "f1", json!({}));
    fixture.ledger.entries.push(close);
    finds(&fixture, "not ours");
}

#[test]
fn more_instances_than_are_allowed_are_found() {
    let mut fixture = Fixture::new();
    fixture.ledger.max_live = 3;
    finds(&fixture, "at once");
}

#[test]
fn a_row_too_many_or_too_few_is_found() {
    let mut fixture = Fixture::new();
    fixture.rows.push(fixture.rows[0]);
    finds(&fixture, "2 rows, 1 distinct");
    fixture.rows.clear();
    finds(&fixture, "0 rows");
}

#[test]
fn a_score_that_no_verification_gave_is_found() {
    let mut fixture = Fixture::new();
    fixture.rows[0][6] = "e2";
    finds(&fixture, "no verification gave");
    fixture.rows[0][6] = "";
    finds(&fixture, "no verification gave");
    // Unless the spec asks for no verification, which the journal says.
    fixture.journal[1]["verifier"]["tries"] = json!(0);
    assert!(fixture.wrong().is_empty());
}

#[test]
fn a_score_without_its_status_is_found() {
    let mut fixture = Fixture::new();
    fixture.rows[0][3] = "unscored";
    finds(&fixture, "differ");
    fixture.rows[0][3] = "scored";
    fixture.rows[0][4] = "";
    finds(&fixture, "differ");
}

#[test]
fn a_trial_that_is_scored_twice_is_found() {
    let mut fixture = Fixture::new();
    let again = fixture.journal[1].clone();
    fixture.journal.push(again);
    finds(&fixture, "scored 2 times");
}

#[test]
fn a_verification_that_belongs_to_no_trial_or_to_two_is_found() {
    let mut fixture = Fixture::new();
    let mut other = fixture.journal[0].clone();
    other["trial"]["trial"] = json!(2);
    fixture.journal.push(other);
    finds(&fixture, "belongs to 2 trials");
    fixture.journal.remove(0);
    fixture.journal.remove(1);
    finds(&fixture, "belongs to 0 trials");
}

#[test]
fn a_process_with_the_runs_mark_is_found() {
    let fixture = Fixture::new();
    let mut child = std::process::Command::new("sleep")
        .arg("60")
        .env("HARNESS_RUN_ID", run())
        .spawn()
        .unwrap();
    // The kernel lets the parent go on a moment before it shows the environment of the new program.
    let environ = format!("/proc/{}/environ", child.id());
    for _ in 0..1000 {
        if fs::read(&environ).is_ok_and(|bytes| !bytes.is_empty()) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    finds(&fixture, "processes are alive");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(fixture.wrong().is_empty());
}
