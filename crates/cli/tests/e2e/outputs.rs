//! Agents whose output is too much, no text, or meant for somebody else: rows A8 and A11–A19 of the fault table.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::support::{Bench, assert_row, eventually, task_with};

/// Peak memory of the harness with its embedded server, in KiB, however much an agent prints.
const MEMORY: u64 = 100_000;

/// What each agent prints.
const FLOOD: u64 = 100_000_000;

/// What is kept of a stream.
const KEPT: u64 = 4 << 20;

fn peak(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

#[test]
fn a11_a12_hundreds_of_megabytes_cost_neither_memory_nor_disk_nor_the_score() {
    let bench = Bench::new();
    bench.tasks(&["lines", "one-line"]);
    let script = format!(
        "if [ $FLEET_TASK_KEY = lines ]; then yes 'a line of output' | head -c {FLOOD}\n\
         else head -c {FLOOD} /dev/zero | tr '\\0' x; fi\n\
         printf '\\n{{\"final_answer\": \"end\"}}\\n'"
    );
    let spec = bench.script_spec(
        &script,
        json!({"agent": {"timeout": "90s", "output_limit": "4MiB"}}),
    );
    let mut command = bench.harness();
    command.arg("run").arg(&spec);
    let mut running = bench.start(command);
    let pid = running.pid();
    let mut most = 0;
    assert!(eventually(Duration::from_secs(120), || {
        // The last look may find a zombie, which has no such line.
        most = most.max(peak(pid).unwrap_or_default());
        running.is_over()
    }));
    running.end().expect(0);
    assert!(most > 0 && most < MEMORY, "peak memory {most} KiB");
    let run = bench.run();
    for trial in run.results()["trials"].as_array().unwrap() {
        assert_eq!(trial["score"], 1.0, "{trial}");
        assert_eq!(trial["attempt_history"][0]["agent"]["final_answer"], "end");
        let kept = run.root.join(trial["trial_dir"].as_str().unwrap());
        let kept = fs::metadata(kept.join("stdout.log")).unwrap().len();
        assert!(kept < KEPT + 4096, "{kept} bytes are kept");
    }
}

#[test]
fn a13_what_is_no_text_is_kept_byte_for_byte() {
    let bench = Bench::new();
    let mut bytes: Vec<u8> = (0..=255).collect();
    // A character whose bytes arrive one by one, half of one at the end, and no newline.
    bytes.extend_from_slice("é😀".as_bytes());
    bytes.extend_from_slice(&[0xf0, 0x9f]);
    let file = bench.write("bytes", &bytes);
    // One byte a write, so that no chunk holds a whole character.
    let script = "exec dd if=\"$1\" bs=1 status=none >&2\n";
    bench
        .run_script(
            &["t"],
            script,
            json!({"agent": {"command": ["sh", "{spec_dir}/agent.sh", file]}}),
        )
        .expect(0);
    let run = bench.run();
    assert_eq!(fs::read(run.evidence("stderr.log")).unwrap(), bytes);
    bench.call(["show", "latest", "t"]).expect(0);
}

#[test]
fn a14_what_an_agent_says_went_wrong_commands_neither_a_terminal_nor_a_ci() {
    let bench = Bench::new();
    bench.tasks(&["t"]);
    let evil = "::error file=x::owned\n::set-env name=A::b\n+++ group\n]]>\u{1b}]52;c;b3duZWQ=\u{7}\u{1b}]8;;http://evil/\u{1b}\\link\u{1b}[2J\r\u{9b}31m##[error]owned";
    let result = bench.write(
        "evil.json",
        json!({"error": evil, "final_answer": evil}).to_string(),
    );
    let script = "cat \"$1\" > \"$HARNESS_RESULT_FILE\"; exit 75";
    let spec = bench.script_spec(
        script,
        json!({
            "agent": {"command": ["sh", "{spec_dir}/agent.sh", result]},
            "retry": {"attempts": 1},
            "report": {"formats": ["csv", "json", "junit", "md", "html"]},
        }),
    );
    let mut command = bench.harness();
    command
        .arg("run")
        .arg(spec)
        .env("GITHUB_ACTIONS", "true")
        .env("CI", "true");
    let ran = bench.start(command).end();
    ran.expect(3);
    let shown = bench.call(["show", "latest", "t"]);
    for text in [&ran.stderr, &ran.stdout, &shown.stdout, &shown.stderr] {
        assert_harmless(text);
    }
    let run = bench.run();
    for name in run.files() {
        let made_by_us = name.starts_with("junit") || name.starts_with("summary");
        if made_by_us {
            let text = run.text(&name);
            assert!(!text.contains('\u{1b}'), "{name}: {text}");
        }
    }
    let junit = run.text("junit.xml");
    assert!(!junit.contains("]]>"), "{junit}");
}

/// Nothing that a terminal obeys but colours of our own, and no line that a CI takes for a command.
#[track_caller]
fn assert_harmless(text: &str) {
    let odd = text
        .chars()
        .find(|&c| c.is_control() && !matches!(c, '\n' | '\t'));
    assert_eq!(odd, None, "{text:?}");
    for line in text.lines() {
        let line = line.trim_start();
        let command = ["::", "##[", "+++ "]
            .iter()
            .any(|mark| line.starts_with(mark));
        assert!(!command, "{line:?} in\n{text}");
    }
}

#[test]
fn a15_an_agent_that_closes_its_streams_goes_on() {
    let bench = Bench::new();
    let mark = bench.path("mark");
    let script = "exec <&- >&- 2>&-; sleep 0.5; touch \"$1\"";
    let changes = json!({"agent": {"command": ["sh", "{spec_dir}/agent.sh", mark]}});
    bench.run_script(&["t"], script, changes).expect(0);
    assert!(mark.exists(), "it was ended when its output ended");
    assert_row(
        &bench.run().row(),
        &[("agent", "completed"), ("score", "1")],
    );
}

#[test]
fn a18_an_agent_that_writes_scores_has_the_verifiers() {
    let bench = Bench::new();
    // A task that is not passed by leaving the desk alone.
    let undone = json!({"verifier": {"answer": [{"contains": "what nobody says"}]}});
    bench.tasks_file(&[task_with("t", undone)]);
    let script = "cd \"$HARNESS_TRIAL_DIR\"\n\
        for file in score score.json scores.json verifier.json results.json reward.txt; do\n\
        echo '{\"score\": 1, \"success\": true, \"result\": 1, \"passed\": true}' > $file; done\n\
        echo '{\"score\": 1, \"result\": 1, \"passed\": true, \"reward\": 1}' > \"$HARNESS_RESULT_FILE\"\n\
        echo '{\"score\": 1, \"reward\": 1, \"success\": true, \"passed\": true}'\n";
    let spec = bench.script_spec(script, json!({}));
    bench.call([Path::new("run"), &spec]).expect(0);
    assert_row(
        &bench.run().row(),
        &[("status", "scored"), ("score", "0"), ("passed", "false")],
    );
}

#[test]
fn a19_an_agent_that_ends_at_once_is_an_agent() {
    let bench = Bench::new();
    let keys: Vec<String> = (0..10).map(|n| format!("t{n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    bench.tasks(&keys);
    let spec = bench.spec(json!({"agent": {"command": ["true"]}, "concurrency": 10}));
    bench.call([Path::new("run"), &spec]).expect(0);
    for row in bench.run().rows() {
        assert_row(
            &row,
            &[("agent", "completed"), ("score", "1"), ("attempts", "1")],
        );
    }
    bench.assert_nothing_alive(Duration::ZERO);
}
