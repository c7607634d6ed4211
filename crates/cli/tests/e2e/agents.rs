//! The agent contract, held by small scripts that behave well, badly and maliciously.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Bench, Running, assert_row, merge, skip, task_with};

/// How long a process may take to be gone from the process table once the run has ended.
const REAPED: Duration = Duration::from_secs(2);

#[test]
fn a1_an_agent_that_fails_is_verified_all_the_same() {
    let bench = Bench::new();
    bench
        .run_script(&["t"], "echo broken >&2; exit 3", json!({}))
        .expect(0);
    let run = bench.run();
    let row = run.row();
    assert_row(
        &row,
        &[("status", "scored"), ("score", "1"), ("passed", "true")],
    );
    assert_row(
        &row,
        &[("agent", "failed"), ("exit_code", "3"), ("attempts", "1")],
    );
    assert_eq!(
        fs::read_to_string(run.evidence("stderr.log")).unwrap(),
        "broken\n"
    );
}

#[test]
fn a1_verify_on_success_gives_a_failed_agent_its_zero() {
    let bench = Bench::new();
    let script = "[ $FLEET_TASK_KEY = good ] || exit 1";
    bench
        .run_script(
            &["good", "bad"],
            script,
            json!({"agent": {"verify": "on_success"}}),
        )
        .expect(0);
    let rows = bench.run().rows();
    assert_row(
        &rows[0],
        &[("status", "scored"), ("score", "1"), ("agent", "completed")],
    );
    assert_row(
        &rows[1],
        &[("status", "scored"), ("score", "0"), ("agent", "failed")],
    );
    assert!(rows[1]["verifier_execution_id"].is_empty());
}

#[test]
fn a1_exit_75_is_tried_again_and_the_first_evidence_is_kept() {
    let bench = Bench::new();
    let script = "if [ ! -e \"$1\" ]; then touch \"$1\"; echo first; echo left > note.txt; exit 75; fi; echo second";
    let once = bench.path("once");
    let changes =
        json!({"agent": {"command": ["sh", "{spec_dir}/agent.sh", once], "working_dir": "trial"}});
    bench
        .run_script(&["t"], script, changes)
        .expect(0)
        .says(&["t#1"]);
    let run = bench.run();
    assert_row(
        &run.row(),
        &[("status", "scored"), ("attempts", "2"), ("exit_code", "0")],
    );
    let read = |name: &str| fs::read_to_string(run.evidence(name)).unwrap();
    assert_eq!(read("attempt-1/stdout.log"), "first\n");
    assert_eq!(read("attempt-1/note.txt"), "left\n");
    assert_eq!(read("stdout.log"), "second\n");
    let history = &run.trial()["attempt_history"];
    assert_eq!(history[0]["failure"]["kind"], "agent_infrastructure");
    assert_eq!(history[0]["teardown"], "released");
    assert_ne!(history[0]["instance_id"], history[1]["instance_id"]);
}

#[test]
fn a1_an_agent_that_never_gets_its_infrastructure_has_no_score() {
    let bench = Bench::new();
    let script =
        "echo '{\"error\": \"the model is down\", \"error_kind\": \"infrastructure\"}'; exit 1";
    bench.run_script(&["t"], script, json!({})).expect(3);
    let row = bench.run().row();
    assert_row(
        &row,
        &[("status", "unscored"), ("score", ""), ("attempts", "2")],
    );
    assert_row(
        &row,
        &[("phase", "agent"), ("error_kind", "agent_infrastructure")],
    );
    assert_row(
        &row,
        &[("error", "the model is down"), ("teardown", "released")],
    );
    bench.assert_nothing_alive(REAPED);
}

#[test]
fn the_result_file_wins_over_the_last_json_line() {
    let bench = Bench::new();
    let script = "echo '{\"final_answer\": \"first line\", \"steps_taken\": 1}'\n\
        echo '{\"final_answer\": \"last line\", \"steps_taken\": 2}'\n\
        echo 'no json'\n\
        [ $FLEET_TASK_KEY = file ] && cat > $HARNESS_RESULT_FILE <<END\n\
        {\"final_answer\": \"from the file\", \"steps_taken\": 7,\n\
         \"usage\": {\"input_tokens\": 10, \"output_tokens\": 20, \"cost_usd\": 0.5}}\n\
        END\n\
        exit 0";
    bench
        .run_script(&["file", "line"], script, json!({}))
        .expect(0);
    let run = bench.run();
    let rows = run.rows();
    assert_row(
        &rows[0],
        &[
            ("steps", "7"),
            ("input_tokens", "10"),
            ("output_tokens", "20"),
            ("cost_usd", "0.5"),
        ],
    );
    assert_row(
        &rows[1],
        &[("steps", "2"), ("input_tokens", ""), ("cost_usd", "")],
    );
    let answers: Vec<Value> = run.results()["trials"]
        .as_array()
        .unwrap()
        .iter()
        .map(|trial| trial["attempt_history"][0]["agent"]["final_answer"].clone())
        .collect();
    assert_eq!(answers, ["from the file", "last line"]);
}

#[test]
fn an_answer_in_a_line_of_a_mebibyte_arrives() {
    let bench = Bench::new();
    let script = "printf '{\"padding\": \"'; head -c 1048576 /dev/zero | tr '\\0' x\n\
        printf '\", \"final_answer\": \"at the end\"}\\n'";
    bench.run_script(&["t"], script, json!({})).expect(0);
    let agent = &bench.run().trial()["attempt_history"][0]["agent"];
    assert_eq!(agent["final_answer"], "at the end");
}

#[test]
fn nonsense_in_a_result_takes_nothing_else_away() {
    let bench = Bench::new();
    let script = "case $FLEET_TASK_KEY in\n\
        types) echo '{\"steps_taken\": \"many\", \"usage\": 3, \"final_answer\": \"kept\"}' > $HARNESS_RESULT_FILE;;\n\
        torn) echo '{\"final_answer\": \"to' > $HARNESS_RESULT_FILE; echo '{\"final_answer\": \"kept\"}';;\n\
        folder) mkdir $HARNESS_RESULT_FILE; echo '{\"final_answer\": \"kept\"}';;\n\
        bytes) printf '\\377\\376\\n\\000{\"x\\n{\"final_answer\": \"kept\", \"error\": null}\\n\\200';;\n\
        esac";
    bench
        .run_script(&["types", "torn", "folder", "bytes"], script, json!({}))
        .expect(0);
    let run = bench.run();
    for trial in run.results()["trials"].as_array().unwrap() {
        let agent = &trial["attempt_history"][0]["agent"];
        assert_eq!(agent["final_answer"], "kept", "{}", trial["task_key"]);
        assert_eq!(trial["agent"], "completed", "{}", trial["task_key"]);
    }
    assert_eq!(
        run.bytes("trials/bytes/1/stdout.log").first(),
        Some(&0xff),
        "bytes are kept as they are"
    );
    assert_eq!(run.bytes("trials/bytes/1/stdout.log").last(), Some(&0x80));
    bench.call(["show", "latest", "bytes"]).expect(0);
}

#[test]
fn a15_standard_input_is_what_the_spec_says() {
    let bench = Bench::new();
    let prompt = "Two lines,\nand \"quotes\" $HOME `id` ü\n";
    for mode in ["none", "prompt", "task"] {
        bench.tasks_file(&[task_with("t", json!({"prompt": prompt}))]);
        let spec = bench.script_spec("cat", json!({"agent": {"stdin": mode}}));
        bench.call([Path::new("run"), &spec]).expect(0);
        let run = bench.run();
        let seen = fs::read_to_string(run.evidence("stdout.log")).unwrap();
        match mode {
            "none" => assert_eq!(seen, ""),
            "prompt" => assert_eq!(seen, prompt),
            _ => {
                let task: Value = serde_json::from_str(&seen).unwrap();
                assert_eq!(
                    (&task["key"], &task["prompt"]),
                    (&json!("t"), &json!(prompt))
                );
                assert!(
                    task.get("verifier").is_none(),
                    "an agent must not see how it is verified: {task}"
                );
                assert!(!seen.contains("expect"), "{seen}");
            }
        }
    }
}

/// What an agent leaves its environment in. Not its output: that has secrets masked.
const PRINT_ENV: &str = "env -0 > \"$1\"";

fn environment_of(bench: &Bench) -> BTreeMap<String, String> {
    let text = fs::read_to_string(bench.path("env")).unwrap();
    text.split('\0')
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn a18_the_environment_is_the_contract_and_nothing_else() {
    let bench = Bench::new();
    let prompt = "Say \"hi\".\nThen stop.";
    bench.tasks_file(&[task_with("t", json!({"prompt": prompt}))]);
    let into = bench.path("env");
    let spec = bench.script_spec(PRINT_ENV, json!({
        "fleet": {"api_key": "${FLEET_API_KEY}"},
        "agent": {"command": ["sh", "{spec_dir}/agent.sh", into], "env": {"MINE": "a {model} for {task_key} {{as is}}"}},
        "matrix": {"model": ["m-1"]},
    }));
    let mut command = bench.harness();
    command
        .arg("run")
        .arg(spec)
        .env("FLEET_API_KEY", "sk-none-of-yours")
        .env("OTHER", "x");
    bench.start(command).end().expect(0);
    let run = bench.run();
    let env = environment_of(&bench);
    let dir = run.evidence("");
    let file = |name: &str| run.evidence(name).to_str().unwrap().to_owned();
    let id = run.id();
    let row = run.row();
    let exact = [
        ("FLEET_TASK_KEY", "t"),
        ("FLEET_TASK_PROMPT", prompt),
        ("FLEET_INSTANCE_ID", &row["instance_id"]),
        ("FLEET_JOB_ID", &id),
        ("FLEET_MODEL", "m-1"),
        ("FLEET_VERBOSE", "false"),
        ("PYTHONUNBUFFERED", "1"),
        ("HARNESS_RUN_ID", &id),
        ("HARNESS_TRIAL", "1"),
        ("HARNESS_TRIAL_ID", "t[model=m-1]#1"),
        ("HARNESS_TASK_FILE", &file("task.json")),
        ("HARNESS_RESULT_FILE", &file("result.json")),
        ("HARNESS_TRANSCRIPT_FILE", &file("transcript.jsonl")),
        ("MINE", "a m-1 for t {as is}"),
    ];
    for (name, value) in exact {
        assert_eq!(env.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert_eq!(
        Path::new(&env["HARNESS_TRIAL_DIR"]),
        dir.components().as_path()
    );
    for name in [
        "FLEET_MAX_STEPS",
        "FLEET_SCREEN_WIDTH",
        "FLEET_SCREEN_HEIGHT",
    ] {
        assert!(
            env[name].parse::<u32>().is_ok_and(|number| number > 0),
            "{name}={}",
            env[name]
        );
    }
    for name in [
        "FLEET_ENV_URL",
        "FLEET_APP_URL",
        "FLEET_MANAGER_URL",
        "FLEET_MCP_URL",
    ] {
        assert!(env[name].starts_with("http://127."), "{name}={}", env[name]);
    }
    let apps: Vec<String> = serde_json::from_str(&env["FLEET_APP_URLS"]).unwrap();
    assert_eq!(apps.first(), Some(&env["FLEET_APP_URL"]));
    assert!(env["FLEET_MCP_URL"] == format!("{}mcp", env["FLEET_ENV_URL"]));
    let session = Path::new(&env["FLEET_SESSION_LOG"]);
    assert!(session.starts_with(&dir), "{}", session.display());
    // Beyond these only what the default of `inherit_env` names, and what a shell sets by itself.
    let known = |name: &str| {
        name.starts_with("FLEET_")
            || name.starts_with("HARNESS_")
            || [
                "PYTHONUNBUFFERED",
                "MINE",
                "PATH",
                "HOME",
                "LANG",
                "TMPDIR",
                "PWD",
                "OLDPWD",
                "SHLVL",
                "_",
            ]
            .contains(&name)
    };
    let foreign: Vec<&String> = env.keys().filter(|name| !known(name)).collect();
    assert!(foreign.is_empty(), "{foreign:?}");
    for name in ["FLEET_API_KEY", "FLEET_BASE_URL"] {
        assert!(!env.contains_key(name), "{name}");
    }
    assert!(!format!("{env:?}").contains("sk-none-of-yours"));
}

#[test]
fn a18_fleet_access_is_given_only_where_it_is_asked_for() {
    let bench = Bench::new();
    bench.tasks(&["t"]);
    let into = bench.path("env");
    let script = format!("{PRINT_ENV}; cat \"$1\"");
    let spec = bench.script_spec(
        &script,
        json!({
            "fleet": {"api_key": "${KEY}"},
            "agent": {
                "command": ["sh", "{spec_dir}/agent.sh", into],
                "fleet_access": true,
                "inherit_env": ["PATH", "WANTED", "NOT_THERE"],
            },
        }),
    );
    let mut command = bench.harness();
    command
        .arg("run")
        .arg(spec)
        .env("KEY", "sk-shared")
        .env("WANTED", "w");
    bench.start(command).end().expect(0);
    let env = environment_of(&bench);
    assert_eq!(env["FLEET_API_KEY"], "sk-shared");
    let printed = fs::read(bench.run().evidence("stdout.log")).unwrap();
    assert!(
        !String::from_utf8_lossy(&printed).contains("sk-shared"),
        "the key is in the log"
    );
    assert!(env["FLEET_BASE_URL"].starts_with("http://127.0.0.1:"));
    assert_eq!(env["WANTED"], "w");
    assert!(!env.contains_key("HOME") && !env.contains_key("NOT_THERE"));
}

#[test]
fn placeholders_stand_for_their_values_without_a_shell() {
    let bench = Bench::new();
    let prompt = "do; touch /nowhere && $(id)\n'x'";
    bench.tasks_file(&[task_with("t", json!({"prompt": prompt}))]);
    let names = [
        "model",
        "task_key",
        "trial",
        "prompt",
        "prompt_file",
        "task_file",
        "trial_dir",
        "spec_dir",
        "env_url",
        "app_url",
        "mcp_url",
        "instance_id",
    ];
    let mut words = vec!["sh".to_owned(), "{spec_dir}/agent.sh".to_owned()];
    words.extend(names.map(|name| format!("{{{name}}}")));
    let spec = bench.script_spec(
        "printf '%s\\0' \"$@\"; pwd",
        json!({"agent": {"command": words, "working_dir": "trial"}, "matrix": {"model": ["big"]}}),
    );
    bench.call([Path::new("run"), &spec]).expect(0);
    let run = bench.run();
    let text = fs::read_to_string(run.evidence("stdout.log")).unwrap();
    let (values, cwd) = text.rsplit_once('\0').unwrap();
    let got: BTreeMap<&str, &str> = names.into_iter().zip(values.split('\0')).collect();
    assert_eq!(got["prompt"], prompt);
    assert_eq!(
        (got["model"], got["task_key"], got["trial"]),
        ("big", "t", "1")
    );
    assert_eq!(fs::read_to_string(got["prompt_file"]).unwrap(), prompt);
    assert_eq!(PathBuf::from(got["task_file"]), run.evidence("task.json"));
    assert_eq!(
        Path::new(got["trial_dir"]),
        run.evidence("").components().as_path()
    );
    assert_eq!(Path::new(cwd.trim_end()), Path::new(got["trial_dir"]));
    assert_eq!(
        Path::new(got["spec_dir"]),
        bench.path("spec.yaml").parent().unwrap()
    );
    assert_eq!(got["instance_id"], run.row()["instance_id"]);
    assert_eq!(got["mcp_url"], format!("{}mcp", got["env_url"]));
    assert!(got["app_url"].starts_with("http://127."));
}

#[test]
fn a14_what_an_agent_prints_acts_nowhere() {
    let bench = Bench::new();
    // CI commands, the end of an XML section, a new clipboard (OSC 52), a link (OSC 8), a cleared screen.
    let hostile = "::set-env name=A::b\\n::error::x\\n##[group]y\\n+++ z\\n]]>\\n\\033]52;c;cHduZWQ=\\a\\033]8;;http://x\\a\\033[2J\\r\\n";
    let script = format!("printf '{hostile}'; printf '{hostile}' >&2; exit 3");
    let fails = json!({"tasks": {"file": "tasks.json"}, "report": {"formats": ["csv", "json", "junit", "html", "md"]}});
    let never = json!({"verifier": {"answer": [{"equals": "never"}]}});
    bench.tasks_file(&[task_with("t", never)]);
    let spec = bench.script_spec(&script, fails);
    let ran = bench.call([Path::new("run"), &spec]);
    ran.expect(0);
    let shown = bench.call(["show", "latest", "t"]);
    shown.expect(0);
    assert!(shown.stdout.contains("::set-env"), "{}", shown.stdout);
    let acts = |line: &str| {
        let line = line.trim_start();
        line.contains(['\u{1b}', '\u{7}', '\r'])
            || ["::", "##[", "+++"]
                .iter()
                .any(|command| line.starts_with(command))
    };
    let texts = [&ran.stderr, &ran.stdout, &shown.stderr, &shown.stdout];
    for line in texts.iter().flat_map(|text| text.lines()) {
        assert!(!acts(line), "{line:?}");
    }
    let run = bench.run();
    for report in ["junit.xml", "report.html", "summary.md"] {
        let text = run.text(report);
        assert!(!text.lines().any(acts), "{report}");
        assert!(!text.contains('\u{1b}'), "{report}");
    }
    // The evidence itself is as it was printed.
    let log = fs::read(run.evidence("stdout.log")).unwrap();
    assert!(log.starts_with(b"::set-env name=A::b\n"));
}

#[test]
fn p11_a_prompt_of_megabytes_with_quotes_arrives_whole() {
    let bench = Bench::new();
    let line = "it's \"quoted\" $(touch pwned) `id` \\ %s 名前\r\n";
    let prompt = line.repeat(5 * 1024 * 1024 / line.len());
    bench.tasks_file(&[task_with("t", json!({"prompt": prompt}))]);
    let spec = bench.script_spec(
        "cat > stdin; cp \"$1\" file; printf %s \"$FLEET_TASK_PROMPT\" > variable",
        json!({"agent": {
            "command": ["sh", "{spec_dir}/agent.sh", "{prompt_file}"],
            "working_dir": "trial",
            "stdin": "prompt",
        }}),
    );
    bench.call([Path::new("run"), &spec]).expect(0);
    let read = |name: &str| fs::read(bench.run().evidence(name)).unwrap();
    assert!(read("stdin") == prompt.as_bytes(), "standard input");
    assert!(read("file") == prompt.as_bytes(), "the file");
    let task: Value = serde_json::from_slice(&read("task.json")).unwrap();
    assert!(task["prompt"] == prompt, "the task");
    // The variable has as much of it as Linux takes.
    let variable = read("variable");
    assert!(variable.len() > 100 * 1024 && prompt.as_bytes().starts_with(&variable));
    assert!(!bench.run().evidence("pwned").exists());
}

#[test]
fn a3_a4_an_agent_that_ignores_term_is_killed_and_its_work_verified() {
    let bench = Bench::new();
    let script = "trap '' TERM INT HUP; i=0; while [ $i -lt 600 ]; do sleep 0.1; i=$((i+1)); done";
    let ran = bench.run_script(
        &["t"],
        script,
        json!({"agent": {"timeout": "1s", "grace_period": "1s"}}),
    );
    ran.expect(0);
    assert!(ran.took < Duration::from_secs(15), "{:?}", ran.took);
    let row = bench.run().row();
    assert_row(
        &row,
        &[
            ("agent", "timed_out"),
            ("status", "scored"),
            ("score", "1"),
            ("exit_code", ""),
        ],
    );
    let agent_ms: u64 = row["agent_ms"].parse().unwrap();
    assert!((1900..8000).contains(&agent_ms), "{agent_ms}");
    bench.assert_nothing_alive(Duration::ZERO);
}

#[test]
fn a5_an_agent_that_stops_itself_is_ended_at_its_time_limit() {
    let bench = Bench::new();
    let script = "kill -STOP $$; sleep 60";
    bench
        .run_script(
            &["t"],
            script,
            json!({"agent": {"timeout": "1s", "grace_period": "1s"}}),
        )
        .expect(0);
    assert_row(
        &bench.run().row(),
        &[("agent", "timed_out"), ("status", "scored")],
    );
    bench.assert_nothing_alive(Duration::ZERO);
}

#[test]
fn a6_a7_a8_v10_a_daemon_that_keeps_stdout_open_neither_delays_nor_survives() {
    let bench = Bench::new();
    let heart = bench.path("heart");
    // The daemon would change the mark while the verifier looks, if it were still alive then.
    let script = "setsid sh -c 'trap \"\" TERM HUP; i=0; while [ $i -lt 1200 ]; do echo $i > '\"$1\"'; sleep 0.05; i=$((i+1)); done' &\n\
        (setsid env -i sleep 300 >/dev/null 2>&1 &)\n\
        i=0; while [ ! -s \"$1\" ] && [ $i -lt 200 ]; do sleep 0.05; i=$((i+1)); done\n\
        echo '{\"final_answer\": \"done\"}'";
    bench.write(
        "verify.sh",
        format!(
            "a=$(cat {0}); sleep 0.3; b=$(cat {0}); [ \"$a\" = \"$b\" ] && echo 1 || echo 0",
            heart.display()
        ),
    );
    let looks = json!({"verifier": {"kind": "command", "command": ["sh", "{task_dir}/verify.sh"], "expect": null, "ignore": null}});
    bench.tasks_file(&[task_with("t", looks)]);
    let spec = bench.script_spec(
        script,
        json!({"agent": {"command": ["sh", "{spec_dir}/agent.sh", heart]}}),
    );
    let ran = bench.call([Path::new("run"), &spec]);
    ran.expect(0);
    assert!(ran.took < Duration::from_secs(15), "{:?}", ran.took);
    let run = bench.run();
    assert_row(
        &run.row(),
        &[("agent", "completed"), ("exit_code", "0"), ("score", "1")],
    );
    let agent = &run.trial()["attempt_history"][0]["agent"];
    assert!(agent["leaked_processes"].as_u64().unwrap() >= 2, "{agent}");
    assert_eq!(agent["final_answer"], "done");
    bench.assert_nothing_alive(Duration::ZERO);
}

#[test]
fn a2_an_agent_that_dies_by_a_signal_has_crashed() {
    let bench = Bench::new();
    bench
        .run_script(&["t"], "kill -SEGV $$", json!({}))
        .expect(0);
    let run = bench.run();
    assert_row(
        &run.row(),
        &[
            ("agent", "crashed"),
            ("exit_code", ""),
            ("status", "scored"),
        ],
    );
    assert_eq!(run.trial()["attempt_history"][0]["agent"]["signal"], 11);
}

#[test]
fn a10_an_agent_that_kills_its_supervisor_is_not_left_behind() {
    let bench = Bench::new();
    let script = "setsid sleep 300 & kill -9 $PPID; sleep 300";
    let ran = bench.run_script(
        &["t"],
        script,
        json!({"agent": {"timeout": "5s", "grace_period": "1s"}}),
    );
    assert!(ran.took < Duration::from_secs(40), "{:?}", ran.took);
    let row = bench.run().row();
    assert!(
        row["status"] == "scored" || row["status"] == "unscored",
        "{row:#?}"
    );
    assert_row(&row, &[("teardown", "released")]);
    bench.assert_nothing_alive(REAPED);
}

#[test]
fn a11_output_beyond_its_limit_is_dropped_and_marked() {
    let bench = Bench::new();
    let script = "echo start; head -c 8000000 /dev/zero | tr '\\0' x; echo; echo '{\"final_answer\": \"end\"}'";
    bench
        .run_script(&["t"], script, json!({"agent": {"output_limit": "1MiB"}}))
        .expect(0);
    let run = bench.run();
    let kept = fs::read(run.evidence("stdout.log")).unwrap();
    assert!(kept.len() < 1_200_000, "{}", kept.len());
    let text = String::from_utf8_lossy(&kept);
    assert!(text.starts_with("start\n"));
    assert!(
        text.contains("dropped") || text.contains("omitted"),
        "the gap is not marked"
    );
    assert!(
        text.trim_end().ends_with("{\"final_answer\": \"end\"}"),
        "the end is what people look for"
    );
    assert_eq!(
        run.trial()["attempt_history"][0]["agent"]["final_answer"],
        "end"
    );
}

/// Says where its app is, then waits for the word to go on.
const SAY_WHERE: &str = "echo $FLEET_APP_URL > \"$1/part\"; mv \"$1/part\" \"$1/where\"\n\
    i=0; while [ ! -e \"$1/go\" ] && [ $i -lt 1200 ]; do sleep 0.05; i=$((i+1)); done\n";

/// Starts a run of one trial and kills its app once the agent works. It is done from here, because an agent that is
/// well contained cannot see the processes of its instance.
fn crash_the_app(bench: &Bench, script: &str, changes: Value) -> Running {
    bench.tasks(&["t"]);
    let mut all = json!({"agent": {"command": ["sh", "{spec_dir}/agent.sh", bench.path("")], "timeout": "2m"}});
    merge(&mut all, changes);
    let spec = bench.script_spec(script, all);
    let mut command = bench.harness();
    command.arg("run").arg(spec);
    let mut running = bench.start(command);
    running.until("the address of the app", || bench.path("where").exists());
    let url = fs::read_to_string(bench.path("where")).unwrap();
    let port = url
        .trim()
        .trim_end_matches('/')
        .rsplit(':')
        .next()
        .unwrap()
        .to_owned();
    let app = bench
        .alive()
        .into_iter()
        .find(|line| line.contains("demo helpdesk") && line.contains(&format!("--port {port} ")))
        .expect("the app runs");
    let pid = app.split(' ').next().unwrap().parse().unwrap();
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(pid),
        nix::sys::signal::Signal::SIGKILL,
    )
    .unwrap();
    running
}

#[test]
fn s12_an_instance_that_crashes_under_its_agent_is_no_zero() {
    let bench = Bench::new();
    // The agent goes on, so that somebody else must notice the crash: within a heartbeat and what goes with it.
    let running = crash_the_app(&bench, SAY_WHERE, json!({"retry": {"attempts": 1}}));
    let ran = running.end();
    ran.expect(3);
    assert!(
        ran.took < Duration::from_secs(45),
        "the loss was seen after {:?}",
        ran.took
    );
    let row = bench.run().row();
    assert_row(
        &row,
        &[
            ("status", "unscored"),
            ("score", ""),
            ("error_kind", "environment_lost"),
        ],
    );
    assert_row(&row, &[("agent", "lost_environment")]);
    assert_ne!(row["teardown"], "unconfirmed");
    bench.assert_nothing_alive(REAPED);
}

#[test]
fn v9_an_instance_that_crashed_is_not_verified_but_replaced() {
    // The agent ends right after the crash and says that all went well, or that nothing did.
    let cases = [
        ("exit 0", "always"),
        ("exit 1", "always"),
        ("exit 1", "on_success"),
    ];
    for (end, verify) in cases {
        let bench = Bench::new();
        let script = format!("[ -e \"$1/go\" ] && exit 0\n{SAY_WHERE}{end}");
        let running = crash_the_app(&bench, &script, json!({"agent": {"verify": verify}}));
        fs::write(bench.path("go"), "").unwrap();
        running.end().expect(0);
        let run = bench.run();
        assert_row(
            &run.row(),
            &[("status", "scored"), ("attempts", "2"), ("score", "1")],
        );
        let failure = &run.trial()["attempt_history"][0]["failure"];
        assert_eq!(failure["kind"], "environment_lost", "{end}, {verify}");
    }
}

#[test]
fn a16_a_trial_folder_that_the_agent_ruins_costs_nobody_else() {
    let bench = Bench::new();
    let script = "case $FLEET_TASK_KEY in\n\
        gone) rm -rf \"$HARNESS_TRIAL_DIR\";;\n\
        shut) chmod 000 \"$HARNESS_TRIAL_DIR\";;\n\
        link) rm -rf \"$HARNESS_TRIAL_DIR\"; ln -s /nowhere/at/all \"$HARNESS_TRIAL_DIR\";;\n\
        esac";
    let ran = bench.run_script(&["gone", "shut", "link", "fine"], script, json!({}));
    ran.expect(0);
    let rows = bench.run().rows();
    assert_eq!(rows.len(), 4);
    for row in rows {
        assert_row(&row, &[("status", "scored"), ("teardown", "released")]);
    }
}

#[test]
fn an_agent_finds_python_where_the_machine_has_it() {
    if std::process::Command::new("python3")
        .arg("-V")
        .output()
        .is_err()
    {
        return skip(
            "an_agent_finds_python_where_the_machine_has_it",
            "no python3",
        );
    }
    let bench = Bench::new();
    bench.write(
        "agent.py",
        "import json, os, urllib.request\n\
         page = urllib.request.urlopen(os.environ['FLEET_APP_URL'], timeout=10).read()\n\
         root = urllib.request.urlopen(os.environ['FLEET_ENV_URL'], timeout=10).read()\n\
         print(json.dumps({'final_answer': str(b'<html' in page and b'<html' in root)}))\n",
    );
    bench.tasks(&["t"]);
    let spec = bench.spec(json!({"agent": {"command": ["python3", "{spec_dir}/agent.py"]}}));
    bench.call([Path::new("run"), &spec]).expect(0);
    let agent = &bench.run().trial()["attempt_history"][0]["agent"];
    assert_eq!(agent["final_answer"], "True", "both addresses show the app");
}
