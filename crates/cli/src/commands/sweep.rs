//! `harness sweep`: finds and closes instances that were left behind.
//!
//! Without an option only what the unfinished runs of this machine may have left is closed. Nothing is closed that
//! the options do not name: another user's instance is not ours because it is old.

use std::collections::BTreeSet;

use fleet_api::Client;
use fleet_api::types::{Instance, InstanceQuery, ProfileId, RunId};
use run_record::{ExitCode, Journal, RunEnd, RunRecord};

use super::fleet::{by_environment, failed};
use crate::args::SweepArgs;
use crate::failure::{Failure, Outcome};
use crate::printer::{Printer, table};
use crate::runs;

pub(crate) async fn sweep(args: &SweepArgs, printer: Printer) -> Outcome {
    let service = by_environment(args.endpoint.as_deref())?;
    let found = find(args, &service.client, printer).await?;
    if found.is_empty() {
        printer.say("nothing is left behind");
        return Ok(ExitCode::Success);
    }
    let rows: Vec<Vec<String>> = found.iter().map(row).collect();
    printer.data(table(&["instance", "status", "run", "created"], &rows));
    if args.dry_run {
        printer.say(format_args!("dry run: {} would be closed", found.len()));
        return Ok(ExitCode::Success);
    }
    let mut problems = Vec::new();
    for instance in &found {
        match service.client.close_instance(&instance.instance_id).await {
            Ok(closed) if closed.status.is_ended() => {}
            Ok(_) => problems.push(format!("{} is not closed yet", instance.instance_id)),
            Err(error) if error.is_gone() => {}
            Err(error) => problems.push(format!("{}: {}", instance.instance_id, error.to_line())),
        }
    }
    printer.say(format_args!(
        "closed {} of {}",
        found.len() - problems.len(),
        found.len()
    ));
    if problems.is_empty() {
        return Ok(ExitCode::Success);
    }
    Err(Failure {
        exit: ExitCode::Leaked,
        message: format!("error: not confirmed closed:\n  {}", problems.join("\n  ")),
    })
}

async fn find(
    args: &SweepArgs,
    client: &Client,
    printer: Printer,
) -> Result<Vec<Instance>, Failure> {
    if let Some(run) = &args.run_id {
        return live(client, InstanceQuery::of_run(RunId::new(run))).await;
    }
    if args.profile.is_some() {
        return live(client, InstanceQuery::of_profile(ProfileId::myself())).await;
    }
    if args.all_harness_runs {
        let all = live(client, InstanceQuery::default()).await?;
        let ours = |instance: &Instance| {
            instance
                .run_id
                .as_ref()
                .is_some_and(|run| is_harness_run(run.as_str()))
        };
        return Ok(all.into_iter().filter(ours).collect());
    }
    let mut unfinished = BTreeSet::new();
    for folder in runs::folders(&args.dir.runs) {
        match runs::read(&folder) {
            Ok(run) if Journal::is_locked(&run.layout.journal()) => printer.say(format_args!(
                "{} is being worked on and left alone",
                run.record.info.run_id
            )),
            Ok(run) if may_hold_something(&run.record) => {
                unfinished.insert(run.record.info.run_id.to_string());
            }
            Ok(_) => {}
            Err(failure) => printer.error(failure.message),
        }
    }
    let mut found = Vec::new();
    for run in unfinished {
        found.extend(live(client, InstanceQuery::of_run(RunId::new(run))).await?);
    }
    Ok(found)
}

/// Whether an instance of the run may live: it did not end, holds a lease, or could not be told to be empty.
fn may_hold_something(record: &RunRecord) -> bool {
    let proven = |end: &RunEnd| end.proven_empty && end.unconfirmed.is_empty();
    !record.end.as_ref().is_some_and(proven) || !record.open_leases().is_empty()
}

async fn live(client: &Client, query: InstanceQuery) -> Result<Vec<Instance>, Failure> {
    let listed = client
        .instances(&query)
        .await
        .map_err(|error| failed(&error))?;
    // A service that ignores a filter must not make us close what was not asked for.
    let asked = |instance: &Instance| query.run_id.is_none() || instance.run_id == query.run_id;
    Ok(listed
        .into_iter()
        .filter(asked)
        .filter(|instance| !instance.status.is_ended())
        .collect())
}

/// `NAME-YYYYMMDD-HHMMSS-xxxx`, as only a harness names its runs.
fn is_harness_run(id: &str) -> bool {
    let mut parts = id.rsplitn(4, '-');
    let is = |part: Option<&str>, length: usize, ok: fn(&char) -> bool| {
        part.is_some_and(|part| part.len() == length && part.chars().all(|c| ok(&c)))
    };
    is(parts.next(), 4, char::is_ascii_hexdigit)
        && is(parts.next(), 6, char::is_ascii_digit)
        && is(parts.next(), 8, char::is_ascii_digit)
        && parts.next().is_some_and(|name| !name.is_empty())
}

fn row(instance: &Instance) -> Vec<String> {
    vec![
        instance.instance_id.to_string(),
        instance.status.to_string(),
        instance
            .run_id
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        instance.created_at.clone(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_that_a_harness_makes_are_taken_for_ours() {
        let made = run_record::RunId::generate("nightly-crm", jiff::Timestamp::now());
        assert!(is_harness_run(made.as_str()));
        for other in [
            "",
            "run-42",
            "nightly",
            "-20261102-030405-00ff",
            "x-2026110-030405-00ff",
            "x-20261102-030405-00fg",
        ] {
            assert!(!is_harness_run(other), "{other}");
        }
    }
}
