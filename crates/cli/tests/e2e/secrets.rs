//! Secrets: not in what a run starts, writes or says, in whatever form they come out of a program.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::json;

use crate::support::{Bench, Finished, RunFolder, task_with};

/// The credential of the service, of all characters that encodings treat differently and a header may carry.
const KEY: &str = "sk-live/5f+E2e?Key=Zq9\"x~z";
/// A secret that the agent is given, of several lines.
const DEPLOY_KEY: &str = "-----BEGIN TEST KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEF\nAASCBKcwggSjAgEAAoIBAQC7\n-----END TEST KEY-----";

/// A secret as programs print it.
fn shown(secret: &str) -> Vec<String> {
    let json = |text: &str| {
        let quoted = serde_json::to_string(text).unwrap();
        quoted[1..quoted.len() - 1].to_owned()
    };
    let percent = |upper: bool| -> String {
        let encode = |byte: u8| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ if upper => format!("%{byte:02X}"),
            _ => format!("%{byte:02x}"),
        };
        secret.bytes().map(encode).collect()
    };
    let mut forms = vec![
        secret.to_owned(),
        json(secret),
        json(&json(secret)),
        percent(true),
        percent(false),
        hex(secret),
    ];
    for user in ["", "u", "us"] {
        forms.push(STANDARD.encode(format!("{user}{secret}")));
        forms.push(URL_SAFE.encode(format!("{user}{secret}")));
    }
    forms
}

fn hex(text: &str) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap();
    text.bytes()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

/// Texts of which none may be found where the secret must not be: its forms, its lines, and of Base64 the part that
/// does not depend on what stands around it.
fn traces(secret: &str) -> Vec<String> {
    let mut traces: Vec<String> = shown(secret)
        .into_iter()
        .map(|form| form.trim_end_matches('=').to_owned())
        .map(|form| match form.len() {
            0..12 => form,
            length => form[4..length - 4].to_owned(),
        })
        .collect();
    traces.extend(secret.lines().map(str::to_owned));
    traces
}

fn trace_in(bytes: &[u8], secret: &str) -> Option<String> {
    traces(secret)
        .into_iter()
        .find(|trace| bytes.windows(trace.len()).any(|w| w == trace.as_bytes()))
}

#[track_caller]
fn assert_clean(what: &str, bytes: &[u8], secrets: &[&str]) {
    for secret in secrets {
        if let Some(trace) = trace_in(bytes, secret) {
            panic!("{what} has {trace:?}:\n{}", String::from_utf8_lossy(bytes));
        }
    }
}

/// What is known of a process.
struct Process {
    parent: u32,
    name: String,
    words: Vec<u8>,
    env: Vec<u8>,
}

/// Everything that `root` has started, by id; `root` itself left out.
fn started_by(root: u32) -> BTreeMap<u32, Process> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let read = |name: &str| fs::read(entry.path().join(name)).unwrap_or_default();
        let stat = String::from_utf8_lossy(&read("stat")).into_owned();
        let Some((name, rest)) = stat.rsplit_once(") ") else {
            continue;
        };
        let parent = rest.split(' ').nth(1).and_then(|id| id.parse().ok());
        let process = Process {
            parent: parent.unwrap_or(0),
            name: name.split_once('(').map_or("", |(_, name)| name).to_owned(),
            words: read("cmdline"),
            env: read("environ"),
        };
        all.insert(pid, process);
    }
    let mut ours = vec![root];
    loop {
        let more: Vec<u32> = all
            .iter()
            .filter(|(pid, process)| ours.contains(&process.parent) && !ours.contains(pid))
            .map(|(pid, _)| *pid)
            .collect();
        if more.is_empty() {
            break;
        }
        ours.extend(more);
    }
    all.retain(|pid, _| *pid != root && ours.contains(pid));
    all
}

/// Looks at everything that runs below `root`; answers the names of it.
fn look_at_processes(root: u32) -> Vec<String> {
    let started = started_by(root);
    for (pid, process) in &started {
        let name = &process.name;
        let whole: Vec<u8> = [&*process.words, b"\0", &process.env].concat();
        assert_clean(&format!("process {pid} {name}"), &whole, &[KEY]);
        assert_clean(
            &format!("the command line of {name}"),
            &process.words,
            &[DEPLOY_KEY],
        );
        if name.starts_with("harness-shim") {
            assert!(process.env.is_empty(), "a supervisor has an environment");
        }
    }
    started.into_values().map(|process| process.name).collect()
}

/// Prints every form to both streams, some bytes at a time, and into every file that a harness reads.
const AGENT: &str = r#"
dd if="$1/forms" bs=7 2>/dev/null
cat "$1/forms" >&2
printf '%s\n' "$DEPLOY_KEY"
cp "$1/forms" "$HARNESS_TRANSCRIPT_FILE"
cp "$1/forms" "$FLEET_SESSION_LOG"
cp "$1/result" "$HARNESS_RESULT_FILE"
touch "$1/agent"
while [ ! -e "$1/looked-at-agent" ]; do sleep 0.02; done
exit 1
"#;

// Confined: it can read what lies beside its task, and write nothing there.
const VERIFIER: &str = r#"
cat "$1/forms" >&2
while [ ! -e "$1/looked-at-verifier" ]; do sleep 0.02; done
cat "$1/forms"
echo
echo '{"score": 1}'
"#;

/// Runs an agent and a verifier that print everything they know, and looks at their processes meanwhile.
fn run_that_prints_its_secrets(bench: &Bench) -> Finished {
    let forms: Vec<String> = [KEY, DEPLOY_KEY]
        .iter()
        .flat_map(|secret| shown(secret))
        .collect();
    let root = bench.path("");
    bench.write("forms", forms.join("\n"));
    let result = json!({"final_answer": forms, "error": format!("401 for {}", forms.join(", ")), "completed": false});
    bench.write("result", result.to_string());
    bench.write("verify.sh", VERIFIER);
    let verifier = json!({
        "kind": "command", "command": ["sh", "{task_dir}/verify.sh", root], "expect": null, "ignore": null,
    });
    bench.tasks_file(&[task_with("t", json!({"verifier": verifier}))]);
    let spec = bench.script_spec(
        AGENT,
        json!({
            "fleet": {"api_key": "${MY_KEY}"},
            "agent": {
                "command": ["sh", "{spec_dir}/agent.sh", root],
                "env": {"DEPLOY_KEY": "${DEPLOY_KEY}"},
            },
            "report": {"formats": ["csv", "json", "junit", "html", "md"]},
        }),
    );
    let mut command = bench.harness();
    command
        .args(["-vv", "run"])
        .arg(spec)
        .env("MY_KEY", KEY)
        .env("DEPLOY_KEY", DEPLOY_KEY);
    let mut running = bench.start(command);
    let pid = running.pid();
    running.until("the agent", || bench.path("agent").exists());
    let seen = look_at_processes(pid);
    for name in ["harness-shim", "sh", "helpdesk"] {
        // The demo's app is this binary under its own name.
        let name = if name == "helpdesk" { "harness" } else { name };
        assert!(
            seen.iter().any(|seen| seen.starts_with(name)),
            "no {name} in {seen:?}"
        );
    }
    bench.write("looked-at-agent", "");
    running.until("the verifier", || {
        started_by(pid).values().any(|process| {
            process.name == "sh" && String::from_utf8_lossy(&process.words).contains("verify.sh")
        })
    });
    assert!(look_at_processes(pid).iter().any(|seen| seen == "sh"));
    bench.write("looked-at-verifier", "");
    running.end()
}

#[test]
fn c4_a18_no_secret_is_in_what_a_run_starts_writes_or_says() {
    let bench = Bench::new();
    let ran = run_that_prints_its_secrets(&bench);
    let both = [KEY, DEPLOY_KEY];
    assert_clean("stdout", ran.stdout.as_bytes(), &both);
    assert_clean("stderr", ran.stderr.as_bytes(), &both);
    let run = bench.run();
    let files = run.files();
    for wanted in [
        "journal.jsonl",
        "report.html",
        "junit.xml",
        "summary.md",
        "trials/t/1/result.json",
        "trials/t/1/transcript.jsonl",
        "trials/t/1/session.jsonl",
        "trials/t/1/verifier.json",
    ] {
        assert!(
            files.iter().any(|file| file == wanted),
            "{wanted} in {files:?}"
        );
    }
    for file in &files {
        assert_clean(file, &run.bytes(file), &both);
    }
    assert_masked_and_whole(&run);
    // What is shown of it later is made of the same files.
    for args in [
        &["show", "latest"][..],
        &["show", "latest", "t"],
        &["report", "latest", "--format", "json"],
    ] {
        let shown = bench.call(args);
        assert_clean("what is shown", shown.stdout.as_bytes(), &both);
        assert_clean("what is shown", shown.stderr.as_bytes(), &both);
    }
}

/// Masking must leave the rest: a test that finds nothing in empty files would prove nothing.
fn assert_masked_and_whole(run: &RunFolder) {
    let mut marks = BTreeMap::new();
    for name in [
        "stdout.log",
        "stderr.log",
        "transcript.jsonl",
        "session.jsonl",
        "result.json",
        "verifier.json",
    ] {
        let text = fs::read_to_string(run.evidence(name)).unwrap();
        marks.insert(name, text.matches("***").count());
    }
    let forms = 2 * shown(KEY).len();
    assert!(
        marks.values().all(|count| *count >= forms),
        "{marks:?}, {forms} forms"
    );
    let error = run.trial()["agent"]["error"].as_str().map(str::to_owned);
    let error = error.or_else(|| Some(run.trial().to_string()));
    assert!(error.unwrap().contains("401 for ***"));
}

#[test]
fn c4_no_message_of_the_command_line_quotes_a_key() {
    let bench = Bench::new();
    bench.write("bad.yaml", format!("version: 1\nfleet: {{api_key: '{KEY}', wrong: 1}}\ntasks: {{keys: [a]}}\nagent: {{command: [x]}}\n"));
    bench.write(
        "broken.yaml",
        format!("version: 1\nfleet: {{api_key: '{KEY}', : [\n"),
    );
    let literal = format!("--api-key={KEY}");
    let set = format!("agent.env.MY_TOKEN={KEY}");
    let cases: [(&[&str], &str); 9] = [
        (
            &["local", "--api-key", KEY, "--port", "none"],
            "invalid value",
        ),
        (&["local", "--api-key", KEY, KEY], "unexpected argument"),
        (&["run", "bad.yaml", &literal], "unexpected argument"),
        (&["show", KEY], ""),
        (&["run", KEY], "there is no file"),
        (&["run", "bad.yaml"], "wrong"),
        (&["run", "broken.yaml"], "error"),
        (
            &["run", "bad.yaml", "--set", &set, "--set", "agent.timeout=x"],
            "timeout",
        ),
        (
            &["fleet", "account", "--endpoint", "http://127.0.0.1:9"],
            "127.0.0.1:9",
        ),
    ];
    for (args, says) in cases {
        let mut command = bench.harness();
        command.args(args).env("FLEET_API_KEY", KEY).arg("-vv");
        let ran = bench.start(command).end();
        assert_ne!(ran.code(), 0, "{args:?}");
        assert!(ran.stderr.contains(says), "{args:?}: {}", ran.stderr);
        assert_clean(&format!("{args:?}"), ran.stderr.as_bytes(), &[KEY]);
        assert_clean(&format!("{args:?}"), ran.stdout.as_bytes(), &[KEY]);
    }
}

#[test]
fn a18_the_key_of_the_hosted_service_reaches_only_an_agent_that_asks_for_it() {
    let print_env = "env > \"$1\"; env";
    for (changes, given) in [
        (json!({}), None),
        // The embedded server has a key of its own, so that even this gives nothing of the hosted one away.
        (json!({"fleet_access": true}), None),
        (json!({"inherit_env": ["PATH", "FLEET_API_KEY"]}), Some(KEY)),
    ] {
        let bench = Bench::new();
        bench.tasks(&["t"]);
        let into = bench.path("env");
        let spec = bench.script_spec(print_env, json!({"agent": changes}));
        let spec = bench.write(
            "spec.yaml",
            fs::read_to_string(&spec).unwrap().replace(
                "\"{spec_dir}/agent.sh\"",
                &format!("\"{{spec_dir}}/agent.sh\", {into:?}"),
            ),
        );
        let mut command = bench.harness();
        command.arg("run").arg(&spec).env("FLEET_API_KEY", KEY);
        bench.start(command).end().expect(0);
        let env = fs::read_to_string(&into).unwrap();
        let has = env
            .lines()
            .find_map(|line| line.strip_prefix("FLEET_API_KEY="));
        assert_eq!(has.filter(|key| *key == KEY), given, "{changes}");
        assert_eq!(trace_in(env.as_bytes(), KEY).is_some(), given.is_some());
        let log = fs::read(bench.run().evidence("stdout.log")).unwrap();
        assert!(log.len() > 100, "it printed its environment");
        assert_clean("stdout.log", &log, &[KEY]);
        assert_clean(
            "the spec",
            &fs::read(Path::new(&bench.run().root).join("spec.yaml")).unwrap(),
            &[KEY],
        );
    }
}
