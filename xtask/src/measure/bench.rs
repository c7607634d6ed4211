//! `cargo xtask bench NAME`: how far something is from the limit that this machine has, measured in the same run. A ratio
//! can be compared between machines and days; nothing here is a test, and nothing fails for being slow.

use std::fs::File;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::place::{Place, Server};
use crate::command;
use crate::say::{say, step};
use crate::workspace::Workspace;

pub(crate) const NAMES: [&str; 3] = ["trials", "journal", "archive"];

/// Trials that are measured.
const TRIALS: usize = 600;
/// Trials, creates and processes at the same time: the same for the thing and for its limits.
const AT_ONCE: usize = 16;
/// How long a limit is measured.
const WHILE: Duration = Duration::from_secs(5);

pub(crate) fn run(name: &str) -> Result<()> {
    match name {
        "trials" => trials(),
        "journal" => journal(),
        "archive" => archive(),
        _ => bail!("there is no bench `{name}`; there are {}", NAMES.join(", ")),
    }
}

/// Whole trials of an agent that does nothing, against starting the agent alone and against creating and closing alone.
fn trials() -> Result<()> {
    step("build");
    let place = Place::new("bench-trials")?;
    place.write_tasks(TRIALS)?;
    let server = place.server()?;
    place.write_spec(&server.url, AT_ONCE)?;
    step(format!("limits of this machine, {AT_ONCE} at once"));
    let starts = rate(|| {
        let agent = Command::new("true").stdin(Stdio::null()).status()?;
        anyhow::ensure!(agent.success(), "`true` failed");
        Ok(())
    })?;
    say(format!("start and end of the agent: {starts:.1} a second"));
    let lives = rate(|| create_and_close(&server))?;
    say(format!(
        "create and close at the embedded server: {lives:.1} a second"
    ));
    step(format!("{TRIALS} trials"));
    let begun = Instant::now();
    let log = File::create(place.folder.join("harness.log"))?;
    let mut run = place.harness();
    run.args(["run", "spec.yaml"])
        .stdout(log.try_clone()?)
        .stderr(log);
    command::run(&mut run)?;
    let rate = TRIALS as f64 / begun.elapsed().as_secs_f64();
    server.stop()?;
    say(format!(
        "whole trials, start-up and reports included: {rate:.1} a second"
    ));
    say(format!(
        "{:.2} of the rate of creating and closing alone",
        rate / lives
    ));
    say(format!(
        "{:.4} of the rate of starting the agent alone",
        rate / starts
    ));
    Ok(())
}

/// What it costs that instances are remembered beyond the server's end: creates and closes with a state directory,
/// against the same where what is remembered is never synced to the disk.
fn archive() -> Result<()> {
    const ROUNDS: usize = 3;
    step("build");
    let place = Place::new("bench-archive")?;
    let mut ratios = Vec::new();
    for round in 1..=ROUNDS {
        step(format!("round {round} of {ROUNDS}, {AT_ONCE} at once"));
        // In turns, so that what else the machine does meets both.
        let lives = |options: &[&str]| {
            let server = place.server_with(options)?;
            let rate = rate(|| create_and_close(&server))?;
            server.stop()?;
            anyhow::Ok(rate)
        };
        let forgets = lives(&[])?;
        // A new one each time: what it has from before would be another thing to measure.
        let remembers = lives(&["--state", &format!("state-{round}")])?;
        say(format!(
            "create and close: {forgets:.1} a second without a state directory, {remembers:.1} with one"
        ));
        ratios.push(remembers / forgets);
    }
    ratios.sort_by(f64::total_cmp);
    say(format!(
        "{:.2} of the rate without a state directory (median of {ROUNDS}, {:.2} to {:.2})",
        ratios[ROUNDS / 2],
        ratios[0],
        ratios[ROUNDS - 1]
    ));
    Ok(())
}

/// How often a second `work` can be done, by as many threads as there are trials at once.
fn rate(work: impl Fn() -> Result<()> + Sync) -> Result<f64> {
    let done = AtomicUsize::new(0);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                scope.spawn(|| {
                    while begun.elapsed() < WHILE {
                        work()?;
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                    anyhow::Ok(())
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("measuring does not panic")?;
        }
        anyhow::Ok(())
    })?;
    Ok(done.into_inner() as f64 / begun.elapsed().as_secs_f64())
}

fn create_and_close(server: &Server) -> Result<()> {
    let body = r#"{"env_key": "empty", "data_key": "default", "max_wait_seconds": 30}"#;
    let (status, answer) = server.call("POST", "/v1/env/instances", body)?;
    anyhow::ensure!(status == 200, "a create was answered {status}: {answer}");
    let answer: serde_json::Value = serde_json::from_str(&answer)?;
    let id = answer["instance_id"].as_str().context("it has an id")?;
    let (status, answer) = server.call("DELETE", &format!("/v1/env/instances/{id}"), "")?;
    anyhow::ensure!(status == 200, "a close was answered {status}: {answer}");
    Ok(())
}

/// Events of the journal against the syncs of the same disk. The journal is a library's, so its own bench does it.
fn journal() -> Result<()> {
    let root = Workspace::load()?.root;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args([
            "bench",
            "--locked",
            "--package",
            "run-record",
            "--bench",
            "journal",
        ])
        .current_dir(root);
    command::run(&mut cargo)
}
