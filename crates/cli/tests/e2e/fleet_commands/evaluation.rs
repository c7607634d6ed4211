//! Verifying, and sessions of jobs, from the shell.

use serde_json::{Value, json};

use crate::support::{Bench, Local};

#[test]
fn a_verification_says_its_score_and_only_a_missing_one_is_an_error() {
    let bench = Bench::new();
    let local = Local::start(&bench, &[]);
    let id = local.instance(&bench, &[]);
    let task = "helpdesk-count-urgent";
    let right = local
        .fleet(&bench, &["verify", task, &id, "--answer", "4"])
        .expect(0)
        .json();
    assert_eq!(
        (&right["success"], &right["result"]),
        (&json!(true), &json!(1.0))
    );
    bench.write("answer.txt", "5");
    let wrong = local.told(
        &bench,
        &["verify", task, &id, "--answer-file", "answer.txt"],
    );
    let text = &wrong.expect(0).stdout;
    assert!(text.starts_with("score      0\n"), "{text}");
    assert!(
        text.contains("failed checks\n  [X] the final answer should give the number 4"),
        "{text}"
    );
    assert!(!text.contains("ACCUMULATOR"), "{text}");
    // One that nobody stored.
    bench.write(
        "own.json",
        json!({"kind": "state", "expect": []}).to_string(),
    );
    let own = local
        .fleet(&bench, &["verify", "mine", &id, "--verifier", "own.json"])
        .expect(0)
        .json();
    assert_eq!((&own["key"], &own["result"]), (&json!("mine"), &json!(1.0)));
    let known = local
        .fleet(&bench, &["verifiers", "check", "own.json"])
        .expect(0)
        .json();
    assert_eq!(known["success"], true);
    bench.write(
        "other.json",
        json!({"kind": "state", "expect": [], "note": 1}).to_string(),
    );
    local
        .fleet(&bench, &["verifiers", "check", "other.json"])
        .expect(0);
    // A verifier that cannot run is no zero.
    bench.write(
        "bad.json",
        json!({"kind": "command", "command": ["/no/such/program"]}).to_string(),
    );
    let unscored = local.told(&bench, &["verify", "mine", &id, "--verifier", "bad.json"]);
    assert_eq!(unscored.code(), 3, "{}", unscored.stderr);
    unscored.says(&["error: "]);
    // Nor is one of an instance that does not exist.
    let nowhere = local.told(&bench, &["verify", task, "nope"]);
    nowhere.expect(3).says(&["instance nope is unknown"]);
    local.stop().expect(0);
}

#[test]
fn a_session_is_stored_whole_and_shown_as_it_was() {
    let bench = Bench::new();
    let local = Local::start(&bench, &[]);
    let job = local
        .fleet(&bench, &["jobs", "trace", "--name", "nightly"])
        .expect(0)
        .json();
    let job = job["job_id"].as_str().unwrap();
    local
        .told(&bench, &["sessions", "list", job])
        .expect(0)
        .says(&["no sessions", "harness fleet sessions ingest"]);
    // More than one request takes.
    let mut lines = vec![
        json!({"role": "user", "content": "Close ticket 2."}).to_string(),
        json!({"role": "assistant", "content": [{"type": "text", "text": "On it."}],
            "tool_calls": [{"id": "c", "function": {"name": "close", "arguments": "{\"id\":2}"}}]})
        .to_string(),
        "cut off {".to_owned(),
    ];
    lines.extend(
        (0..70).map(|n| json!({"role": "assistant", "content": format!("step {n}")}).to_string()),
    );
    bench.write("messages.jsonl", lines.join("\n"));
    let stored = local.told(
        &bench,
        &[
            "sessions",
            "ingest",
            "messages.jsonl",
            "--job",
            job,
            "--task",
            "helpdesk-new-ticket",
            "--model",
            "acme/one",
            "--status",
            "completed",
            "--metadata",
            "{\"a\": 1}",
        ],
    );
    stored
        .expect(0)
        .says(&["1 piece of messages.jsonl", "made the session"]);
    assert!(stored.stdout.contains("messages  72"), "{}", stored.stdout);
    let listed = local
        .fleet(&bench, &["sessions", "list", job])
        .expect(0)
        .json();
    assert_eq!(listed["total_sessions"], 1);
    let session = &listed["tasks"][0]["sessions"][0];
    assert_eq!(
        (&session["status"], &session["model"]),
        (&json!("completed"), &json!("acme/one"))
    );
    let session = session["session_id"].as_str().unwrap();
    let transcript = local
        .fleet(&bench, &["sessions", "transcript", session])
        .expect(0)
        .json();
    let messages = transcript["transcript"].as_array().unwrap();
    assert_eq!(messages.len(), 72);
    assert_eq!(messages[71]["content"], "step 69");
    let told = local.told(&bench, &["sessions", "transcript", session]);
    assert!(
        told.expect(0).stdout.starts_with(
            "user\nClose ticket 2.\n\nassistant\nOn it.\n→ close({\"id\":2})\n\nassistant\nstep 0\n"
        ),
        "{}",
        told.stdout
    );
    let table = local.told(&bench, &["sessions", "list", job]);
    assert!(
        table.expect(0).stdout.contains("helpdesk-new-ticket"),
        "{}",
        table.stdout
    );
    // One more message for the same session.
    bench.write(
        "more.json",
        json!({"messages": [{"role": "user", "content": "thanks"}], "session_id": session})
            .to_string(),
    );
    let more = local
        .fleet(&bench, &["sessions", "ingest", "more.json"])
        .expect(0)
        .json();
    assert_eq!(
        (&more["session_id"], &more["created_new_session"]),
        (&json!(session), &json!(false))
    );
    let jobs = local.fleet(&bench, &["jobs"]).expect(0).json();
    assert_eq!(jobs[0]["id"], job);
    assert_eq!(
        local.fleet(&bench, &["jobs", "get", job]).expect(0).json()["name"],
        "nightly"
    );
    local.stop().expect(0);
}

#[test]
fn raw_logs_of_a_job_are_taken_in_batches() {
    let bench = Bench::new();
    let local = Local::start(&bench, &[]);
    let job = local.fleet(&bench, &["jobs", "trace"]).expect(0).json();
    let job = job["job_id"].as_str().unwrap();
    let entries: Vec<Value> = (0..150).map(|n| json!({"n": n})).collect();
    bench.write("log.json", json!(entries).to_string());
    let stored = local.fleet(&bench, &["jobs", "log", job, "log.json"]);
    assert_eq!(
        stored.expect(0).json(),
        json!({"job_id": job, "entries": 150})
    );
    local.stop().expect(0);
}

#[test]
fn a_judge_grades_by_text_or_criteria_and_one_that_gives_no_score_is_an_error() {
    let bench = Bench::new();
    let answer = json!({
        "criteria": [{"name": "Done", "score": 1, "reasoning": "half of it"}],
        "normalized_score": 0.5,
        "feedback": "nearly",
    });
    let script = bench.write("judge.sh", format!("cat >/dev/null; echo '{answer}'\n"));
    let command = format!("sh {}", script.display());
    let local = Local::start(&bench, &["--judge-command", &command]);
    let id = local.instance(&bench, &[]);
    let criteria = json!([{"name": "Done", "max_score": 2, "description": "- 2 points: closed"}]);
    bench.write("rubric.json", criteria.to_string());
    let grade = [
        "judge",
        "grade",
        &id,
        "--rubric-file",
        "rubric.json",
        "--submission",
        "I closed it.",
    ];
    let graded = local.fleet(&bench, &grade).expect(0).json();
    assert_eq!(graded["normalized_score"], 0.5);
    let told = local.told(&bench, &grade);
    let text = &told.expect(0).stdout;
    for part in ["score", "0.5", "half of it", "feedback\nnearly"] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    for (args, parts) in [
        (&["judge", "grade", &id][..], &["--rubric"][..]),
        (
            &["judge", "grade", &id, "--rubric-file", "judge.json"],
            &["judge.json cannot be read"],
        ),
        (
            &["judge", "grade", &id, "--rubric", "x", "--max-turns", "3"],
            &["--agentic"],
        ),
    ] {
        local.told(&bench, args).expect(2).says(parts);
    }
    local.stop().expect(0);
    let without = Local::start(&bench, &[]);
    let id = without.instance(&bench, &[]);
    without
        .told(&bench, &["judge", "grade", &id, "--rubric", "be kind"])
        .expect(2)
        .says(&["--judge-command"]);
    without.stop().expect(0);
}
