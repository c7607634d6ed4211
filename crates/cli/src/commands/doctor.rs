//! `harness doctor`: what this machine has, what is missing, and what to do about it. Found out by trying.

use std::path::Path;

use fleet_local::verify::{probe_sandbox, sufficient};
use process_tree::{ContainmentReport, Held, Shim};
use run_record::ExitCode;
use sandbox::Launcher;
use serde::Serialize;

use super::fleet::by_environment;
use crate::args::DoctorArgs;
use crate::failure::Outcome;
use crate::printer::{Printer, style, styled};
use crate::runs;

/// How a finding is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Health {
    Good,
    /// Something works less well, or only some uses do.
    Limited,
    /// Runs will not work.
    Bad,
}

#[derive(Clone, Debug, Serialize)]
struct Finding {
    what: &'static str,
    health: Health,
    found: String,
    /// What to do, one thing a line; empty if there is nothing to do.
    advice: String,
}

impl Finding {
    fn good(what: &'static str, found: impl Into<String>) -> Self {
        Self {
            what,
            health: Health::Good,
            found: found.into(),
            advice: String::new(),
        }
    }

    fn advise(self, health: Health, advice: impl Into<String>) -> Self {
        Self {
            health,
            advice: advice.into(),
            ..self
        }
    }
}

/// Open files below which fifty trials at once do not fit.
const FEW_FILES: u64 = 1024;

/// Free space that a night of logs may need.
const LITTLE_SPACE: u64 = 1024 * 1024 * 1024;

pub(crate) async fn doctor(args: &DoctorArgs, printer: Printer) -> Outcome {
    let mut findings = containment().await;
    findings.extend([
        open_files(),
        space(&args.dir.runs),
        python(),
        verifiers().await,
        unfinished(&args.dir.runs),
        service(args.endpoint.as_deref()).await,
    ]);
    if args.json {
        printer.json(&findings);
    } else {
        for finding in &findings {
            let (mark, color) = match finding.health {
                Health::Good => ("ok     ", style::GOOD),
                Health::Limited => ("limited", style::WARN),
                Health::Bad => ("bad    ", style::BAD),
            };
            printer.data(format_args!(
                "{}  {:<12} {}",
                styled(color, mark),
                finding.what,
                finding.found
            ));
            for line in finding.advice.lines() {
                printer.data(format_args!("{:>22} {line}", "→"));
            }
        }
    }
    let bad = findings.iter().any(|finding| finding.health == Health::Bad);
    Ok(if bad {
        ExitCode::Usage
    } else {
        ExitCode::Success
    })
}

async fn containment() -> Vec<Finding> {
    let report = process_tree::probe(&Shim::current_exe()).await;
    vec![level(&report), limits(&report)]
}

/// What the level guarantees, and why it is not a higher one.
fn level(report: &ContainmentReport) -> Finding {
    let found = match report.level {
        3 => {
            "level 3: agents run sealed in namespaces; nothing survives, even if harness and \
              supervisor are killed"
        }
        2 => {
            "level 2: agents run in a control group each; what survives a kill of harness and \
              supervisor together ends at the next start"
        }
        1 => {
            "level 1: a supervisor kills every process of an agent, unless it is killed together \
              with the harness"
        }
        _ => "level 0: no supervisor could be started, so no agent can be",
    };
    let finding = Finding::good("containment", found);
    let reasons = report.reasons.join("\n");
    match report.level {
        3 => finding,
        2 | 1 => finding.advise(Health::Limited, reasons),
        _ => finding.advise(Health::Bad, reasons),
    }
}

/// How far limits hold for all processes of an agent together.
fn limits(report: &ContainmentReport) -> Finding {
    let holds = |held| match held {
        Held::Tree => "for an agent as a whole",
        Held::EachProcess => "for each process",
        Held::No | Held::NotAsked => "not held",
    };
    let found = format!(
        "memory_limit {}, pids_limit {}",
        holds(report.limits.memory),
        holds(report.limits.processes)
    );
    let finding = Finding::good("agent limits", found);
    if report.limit_reasons.is_empty() {
        finding
    } else {
        finding.advise(Health::Limited, report.limit_reasons.join("\n"))
    }
}

fn open_files() -> Finding {
    use nix::sys::resource::{Resource, getrlimit};
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((soft, hard)) => {
            let finding = Finding::good("open files", format!("{soft}, may be raised to {hard}"));
            if hard < FEW_FILES {
                finding.advise(
                    Health::Limited,
                    "raise the hard limit (ulimit -Hn) for more trials at once",
                )
            } else {
                finding
            }
        }
        Err(error) => Finding::good("open files", error.to_string())
            .advise(Health::Limited, "the limit is not known"),
    }
}

fn space(runs: &Path) -> Finding {
    let place = if runs.is_dir() { runs } else { Path::new(".") };
    match nix::sys::statvfs::statvfs(place) {
        Ok(stat) => {
            let free = stat.blocks_available().saturating_mul(stat.fragment_size());
            let text = format!("{:.1} GiB free for runs", free as f64 / 1024.0_f64.powi(3));
            let finding = Finding::good("disk", text);
            if free < LITTLE_SPACE {
                finding.advise(Health::Limited, "name another place with --out")
            } else {
                finding
            }
        }
        Err(error) => Finding::good("disk", error.to_string())
            .advise(Health::Bad, "name another place with --out"),
    }
}

fn python() -> Finding {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join("python3"))
        .find(|file| file.is_file());
    match found {
        Some(file) => Finding::good("python3", file.display().to_string()),
        None => Finding::good("python3", "not found").advise(
            Health::Limited,
            "only Python verifiers and agents need it; native verifiers do not",
        ),
    }
}

async fn verifiers() -> Finding {
    const WHAT: &str = "verifiers";
    let sandbox = probe_sandbox(&Shim::current_exe(), &Launcher::current_exe()).await;
    let layers = match sandbox {
        Ok(layers) => layers,
        Err(reason) => {
            return Finding::good(WHAT, "no sandbox could be started")
                .advise(Health::Limited, reason);
        }
    };
    let held: Vec<&str> = layers.held.iter().map(|layer| layer.name()).collect();
    let finding = Finding::good(WHAT, format!("confined by {}", held.join(", ")));
    if let Err(reason) = sufficient(&layers) {
        return finding.advise(Health::Limited, reason);
    }
    let missing: Vec<String> = layers
        .missing
        .iter()
        .map(|(layer, reason)| format!("not {layer}: {reason}"))
        .collect();
    Finding {
        advice: missing.join("; "),
        ..finding
    }
}

fn unfinished(dir: &Path) -> Finding {
    let mut names = Vec::new();
    for folder in runs::folders(dir) {
        if let Ok(run) = runs::read(&folder)
            && (run.record.end.is_none() || !run.record.open_leases().is_empty())
        {
            names.push(run.record.info.run_id.to_string());
        }
    }
    match names.as_slice() {
        [] => Finding::good("runs", "none unfinished"),
        [first, ..] => Finding::good(
            "runs",
            format!("{} unfinished: {}", names.len(), names.join(", ")),
        )
        .advise(
            Health::Limited,
            format!("`harness resume {first}` goes on with it and gives back what it left"),
        ),
    }
}

async fn service(endpoint: Option<&str>) -> Finding {
    let unused = "not needed for `endpoint: local`";
    let service = match by_environment(endpoint) {
        Ok(service) => service,
        // Nothing was asked for, so nothing is wrong.
        Err(_) if endpoint.is_none() && std::env::var_os("FLEET_API_KEY").is_none() => {
            return Finding::good("service", format!("no FLEET_API_KEY: {unused}"));
        }
        Err(failure) => {
            let found = failure.message.replace('\n', "; ");
            let advice = format!("check FLEET_API_KEY and FLEET_BASE_URL; {unused}");
            return Finding::good("service", found).advise(Health::Limited, advice);
        }
    };
    match service.client.account().await {
        Ok(account) => Finding::good(
            "service",
            format!(
                "{} answers: team {}, {} of {} instances in use",
                service.endpoint, account.team_name, account.instance_count, account.instance_limit
            ),
        ),
        Err(error) => Finding::good("service", error.to_line()).advise(
            Health::Limited,
            format!("check FLEET_API_KEY and FLEET_BASE_URL; {unused}"),
        ),
    }
}
