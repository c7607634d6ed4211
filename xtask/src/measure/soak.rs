//! `cargo xtask soak`: many trials of an agent that does nothing, and a look every moment at what harness and server
//! hold. Fails when memory, descriptors or threads grow with the trials that are over.

use std::fs::{self, File};
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::place::{Place, Server, run_folder};
use super::process::{Look, look};
use crate::say::{say, step};

pub(crate) const TRIALS: usize = 20_000;

/// Trials under way at the same time.
const AT_ONCE: usize = 32;
/// Between two looks.
const PACE: Duration = Duration::from_millis(250);
/// Lines of the table.
const LINES: usize = 12;

/// What a trial that is over may leave in memory until the end: its row, which the reports are made of, and what an
/// allocator keeps for itself. In the server it is what it knows of an ended instance.
const KIB_PER_TRIAL: f64 = 6.0;
/// Noise of an allocator between two looks.
const SLACK_KIB: f64 = 8.0 * 1024.0;
/// Connections and threads of pools that come and go.
const SLACK_COUNT: u64 = 24;

/// One look at both processes.
struct Sample {
    at: Duration,
    done: usize,
    harness: Look,
    server: Look,
}

pub(crate) fn run(trials: usize) -> Result<()> {
    step("build");
    let place = Place::new("soak")?;
    place.write_tasks(trials)?;
    let server = place.server()?;
    place.write_spec(&server.url, AT_ONCE)?;
    step(format!("{trials} trials, {AT_ONCE} at once"));
    let log = File::create(place.folder.join("harness.log"))?;
    let mut child = place
        .harness()
        .args(["run", "spec.yaml"])
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("could not start the run")?;
    let runs = place.folder.join("runs");
    let samples = watch(&mut child, &server, &runs)?;
    let status = child.wait()?;
    print(&samples, trials);
    let mut problems = growth(&samples);
    if !status.success() {
        problems.push(format!("the run ended with {status}; see harness.log"));
    }
    problems.extend(results(&run_folder(&runs)?, trials)?);
    problems.extend(left(&server)?);
    server.stop()?;
    if !problems.is_empty() {
        bail!("{}", problems.join("\n       "));
    }
    say("memory, descriptors and threads are flat, every trial has its score, no instance is left");
    Ok(())
}

/// Looks at both until the run is over.
fn watch(child: &mut Child, server: &Server, runs: &Path) -> Result<Vec<Sample>> {
    let begun = Instant::now();
    let mut samples = Vec::new();
    while child.try_wait()?.is_none() {
        if let (Some(harness), Some(server)) = (look(child.id()), look(server.pid())) {
            samples.push(Sample {
                at: begun.elapsed(),
                done: rows(&runs.join("latest")),
                harness,
                server,
            });
        }
        // A pace, not a wait for something.
        std::thread::sleep(PACE);
    }
    Ok(samples)
}

/// Rows that `results.csv` has so far.
fn rows(run: &Path) -> usize {
    let text = fs::read_to_string(run.join("results.csv")).unwrap_or_default();
    text.lines().count().saturating_sub(1)
}

fn print(samples: &[Sample], trials: usize) {
    say(
        "   seconds    done | harness KiB     peak  files threads | server KiB     peak  files threads",
    );
    let every = samples.len().div_ceil(LINES).max(1);
    let last = samples.len().saturating_sub(1);
    for (number, sample) in samples.iter().enumerate() {
        if number % every != 0 && number != last {
            continue;
        }
        let of = |look: &Look| {
            format!(
                "{:>11} {:>8} {:>6} {:>7}",
                look.memory, look.peak, look.descriptors, look.threads
            )
        };
        say(format!(
            "{:>10.1} {:>7} | {} | {}",
            sample.at.as_secs_f64(),
            sample.done,
            of(&sample.harness),
            of(&sample.server).trim_start_matches(' ')
        ));
    }
    if let Some(last) = samples.last() {
        let rate = trials as f64 / last.at.as_secs_f64();
        say(format!("{rate:.1} trials a second"));
    }
}

/// What grew between the first quarter of the trials and the end beyond its bound.
fn growth(samples: &[Sample]) -> Vec<String> {
    let all = samples.last().map_or(0, |last| last.done);
    let quarter = |number: usize| {
        let range = all * number / 4..=all * (number + 1) / 4;
        samples
            .iter()
            .filter(move |sample| range.contains(&sample.done))
    };
    let mut problems = Vec::new();
    let trials = (all * 3 / 4) as f64;
    for (name, of) in [
        ("harness", (|s| s.harness) as fn(&Sample) -> Look),
        ("server", |s| s.server),
    ] {
        let most = |number: usize, what: fn(Look) -> u64| {
            let values = quarter(number).map(|sample| what(of(sample)));
            values.max().unwrap_or_default()
        };
        for (what, value) in [
            ("descriptors", (|l| l.descriptors) as fn(Look) -> u64),
            ("threads", |l| l.threads),
        ] {
            let (first, last) = (most(0, value), most(3, value));
            say(format!("{name} {what}: at most {first}, then {last}"));
            if last > first + SLACK_COUNT {
                problems.push(format!("the {name}'s {what} grew from {first} to {last}"));
            }
        }
        let (first, last) = (most(0, |l| l.memory) as f64, most(3, |l| l.memory) as f64);
        let per_trial = (last - first - SLACK_KIB).max(0.0) / trials.max(1.0);
        say(format!(
            "{name} memory: {:.1} MiB, then {:.1} MiB, {:.2} KiB a trial in between",
            first / 1024.0,
            last / 1024.0,
            (last - first) / trials.max(1.0)
        ));
        let cost = |number: usize| {
            let quarter: Vec<&Sample> = quarter(number).collect();
            let (first, last) = (quarter.first()?, quarter.last()?);
            let hundredths = of(last).processor - of(first).processor;
            Some(hundredths as f64 * 10.0 / (last.done - first.done).max(1) as f64)
        };
        if let (Some(first), Some(last)) = (cost(0), cost(3)) {
            say(format!(
                "{name} processor time: {first:.2} ms a trial, then {last:.2} ms"
            ));
        }
        if per_trial > KIB_PER_TRIAL {
            problems.push(format!(
                "the {name}'s memory grew from {first} to {last} KiB, more than {KIB_PER_TRIAL} KiB a trial"
            ));
        }
    }
    problems
}

/// What is wrong with the rows.
fn results(run: &Path, trials: usize) -> Result<Option<String>> {
    let text = fs::read_to_string(run.join("results.csv"))?;
    let good = text
        .lines()
        .filter(|row| row.contains(",scored,true,1,") && row.contains(",released,"))
        .count();
    say(format!(
        "{good} of {trials} trials have their score and gave their instance back"
    ));
    Ok((good != trials).then(|| format!("only {good} of {trials} rows are as they must be")))
}

/// What the server still has.
fn left(server: &Server) -> Result<Option<String>> {
    let (status, body) = server.call("GET", "/v1/account", "")?;
    let account: serde_json::Value = serde_json::from_str(&body)?;
    let live = &account["instance_count"];
    say(format!("{live} instances left at the server"));
    Ok((status != 200 || live != 0).then(|| format!("{live} instances are left")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(memory: fn(u64) -> u64, descriptors: fn(u64) -> u64) -> Vec<Sample> {
        let of = |done: u64| Look {
            memory: memory(done),
            peak: memory(done),
            descriptors: descriptors(done),
            threads: 5,
            processor: done,
        };
        let sample = |done: u64| Sample {
            at: Duration::from_secs(done),
            done: usize::try_from(done).unwrap(),
            harness: of(done),
            server: of(0),
        };
        (0..=10_000).step_by(100).map(sample).collect()
    }

    #[test]
    fn what_stays_or_grows_within_its_bound_is_flat() {
        assert!(growth(&samples(|_| 50_000, |_| 40)).is_empty());
        assert!(growth(&samples(|done| 50_000 + 2 * done, |done| 40 + done % 7)).is_empty());
        assert!(growth(&[]).is_empty());
    }

    #[test]
    fn what_grows_with_the_trials_is_told() {
        let leak = growth(&samples(|done| 50_000 + 10 * done, |_| 40));
        assert!(leak.len() == 1 && leak[0].contains("memory"), "{leak:?}");
        let leak = growth(&samples(|_| 50_000, |done| 40 + done / 100));
        assert!(
            leak.len() == 1 && leak[0].contains("descriptors"),
            "{leak:?}"
        );
    }
}
