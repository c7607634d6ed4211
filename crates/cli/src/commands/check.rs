//! `harness check`, and the plan that `harness run --dry-run` prints.

use harness::spec::format_duration;
use run_record::ExitCode;

use super::prepare::{Prepared, prepare};
use crate::args::SpecArgs;
use crate::failure::Outcome;
use crate::printer::{Printer, style, styled};

pub(crate) async fn check(args: &SpecArgs, printer: Printer) -> Outcome {
    let prepared = prepare(args, printer).await?;
    printer.say(describe(&prepared));
    printer.say(format_args!(
        "{}: this spec can be run",
        styled(style::GOOD, "ok")
    ));
    prepared.service.stop().await;
    Ok(ExitCode::Success)
}

/// What a run would do, at most and at once.
pub(crate) fn describe(prepared: &Prepared) -> String {
    let Prepared {
        spec,
        plan,
        service,
        account,
        warnings,
        room,
        ..
    } = prepared;
    let at_once = (room.environments as usize).min(plan.trials.len());
    let ttl = spec.environment.ttl(&spec.agent);
    let rounds = plan.trials.len().div_ceil(at_once.max(1));
    let rounds = u32::try_from(rounds).unwrap_or(u32::MAX);
    let mut lines = vec![
        row("spec", spec.path.display()),
        row("service", &service.endpoint),
        row(
            "trials",
            format_args!(
                "{} = {} tasks × {} variants × {} trials",
                plan.trials.len(),
                plan.tasks,
                plan.variants.len(),
                plan.trials_per_task
            ),
        ),
        row(
            "at once",
            format_args!(
                "{at_once} environments, {} agents, {} verifications (team: {} of {} instances in use)",
                spec.concurrency.agents,
                spec.concurrency.verifiers,
                account.instance_count,
                account.instance_limit
            ),
        ),
        row(
            "agent",
            format_args!(
                "{}, at most {} each",
                spec.agent.name,
                format_duration(spec.agent.timeout)
            ),
        ),
        row(
            "longest",
            format_args!(
                "{} if every agent uses its whole time; an instance ends by itself after {} without us",
                format_duration(spec.agent.timeout.saturating_mul(rounds)),
                format_duration(ttl.min(spec.environment.heartbeat * 3))
            ),
        ),
        row(
            "files",
            format_args!("{}/{}-…", spec.report.dir.display(), spec.name),
        ),
    ];
    for variant in &plan.variants {
        if !variant.values.is_empty() {
            lines.push(row("variant", &variant.name));
        }
    }
    for warning in warnings.iter().chain(&room.warning()) {
        lines.push(format!("{}: {warning}", styled(style::WARN, "warning")));
    }
    lines.join("\n")
}

fn row(name: &str, value: impl std::fmt::Display) -> String {
    format!("{} {value}", styled(style::DIM, format_args!("{name:>8}")))
}
