//! `harness sweep`: finds and closes instances that were left behind.
//!
//! Without an option only what the unfinished runs of this machine may have left is closed. Nothing is closed that
//! the options do not name: another user's instance is not ours because it is old.

use std::path::Path;

use fleet_api::Client;
use fleet_api::types::{Instance, InstanceQuery, ProfileId, RunId};
use run_record::{ExitCode, Journal, JournalError, JournalHold, RunEnd, RunLayout, RunRecord};

use super::fleet::{by_environment, failed};
use crate::args::SweepArgs;
use crate::failure::{Failure, Outcome, chain};
use crate::printer::{Printer, table};
use crate::runs;
use crate::service::Service;

pub(crate) async fn sweep(args: &SweepArgs, printer: Printer) -> Outcome {
    let by_name = names_what_to_close(args);
    // Held to the last close: a run that is resumed meanwhile would lose what it is working with.
    let mut unfinished = if by_name {
        Unfinished::default()
    } else {
        Unfinished::of(args, printer)
    };
    if !by_name && unfinished.runs.is_empty() {
        return Ok(nothing_found(unfinished.unknown, printer));
    }
    let service = by_environment(args.endpoint.as_deref())?;
    let found = if by_name {
        named(args, &service.client).await?
    } else {
        unfinished.living(&service, printer).await?
    };
    if found.is_empty() {
        return Ok(nothing_found(unfinished.unknown, printer));
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
        return Ok(told(unfinished.unknown, printer));
    }
    Err(Failure {
        exit: ExitCode::Leaked,
        message: format!("error: not confirmed closed:\n  {}", problems.join("\n  ")),
    })
}

fn names_what_to_close(args: &SweepArgs) -> bool {
    args.run_id.is_some() || args.profile.is_some() || args.all_harness_runs
}

/// What the options name.
async fn named(args: &SweepArgs, client: &Client) -> Result<Vec<Instance>, Failure> {
    if let Some(run) = &args.run_id {
        return live(client, InstanceQuery::of_run(RunId::new(run))).await;
    }
    if args.profile.is_some() {
        return of_own_profile(client).await;
    }
    let all = live(client, InstanceQuery::default()).await?;
    let ours = |instance: &Instance| {
        instance
            .run_id
            .as_ref()
            .is_some_and(|run| is_harness_run(run.as_str()))
    };
    Ok(all.into_iter().filter(ours).collect())
}

/// What the service says is ours, looked at again: one that ignores the filter lists the whole team's.
async fn of_own_profile(client: &Client) -> Result<Vec<Instance>, Failure> {
    let account = client.account().await.map_err(|error| failed(&error))?;
    let Some(own) = account.profile_id else {
        return Err(Failure::usage(
            "error: the service does not say whose this credential is, so nothing can be told to be yours",
        )
        .hint("name a run with --run-id"));
    };
    let listed = live(client, InstanceQuery::of_profile(ProfileId::myself())).await?;
    let ours = |instance: &Instance| instance.profile_id.as_ref() == Some(&own);
    Ok(listed.into_iter().filter(ours).collect())
}

/// Runs of this machine that may have left something at a service.
#[derive(Default)]
struct Unfinished {
    /// Their ids, and the service that they ran at if their journal still says so.
    runs: Vec<(String, Option<String>)>,
    /// Runs that could not be looked at.
    unknown: usize,
    /// Nobody resumes them while they are swept.
    held: Vec<JournalHold>,
}

impl Unfinished {
    fn of(args: &SweepArgs, printer: Printer) -> Self {
        let mut unfinished = Self::default();
        for folder in runs::folders(&args.dir.runs) {
            unfinished.look_at(&folder, printer);
        }
        unfinished
    }

    fn look_at(&mut self, folder: &Path, printer: Printer) {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let hold = match Journal::hold(&RunLayout::at(folder).journal()) {
            Ok(hold) => hold,
            Err(JournalError::Locked { .. }) => {
                return printer.say(format_args!("{name} is being worked on and left alone"));
            }
            Err(error) => {
                self.unknown += 1;
                return printer.error(chain(&error));
            }
        };
        let run = match runs::read(folder) {
            // The instances of an embedded server died with it.
            Ok(run) if run.record.info.endpoint == "local" => return,
            Ok(run) if !may_hold_something(&run.record) => return,
            Ok(run) => {
                let info = run.record.info;
                (info.run_id.to_string(), Some(info.endpoint))
            }
            Err(failure) => {
                printer.error(failure.message);
                // The folder has the run's name, which is all that the service needs.
                if !is_harness_run(&name) {
                    self.unknown += 1;
                    return;
                }
                (name.into_owned(), None)
            }
        };
        self.runs.push(run);
        self.held.push(hold);
    }

    /// What lives of them at this service.
    async fn living(
        &mut self,
        service: &Service,
        printer: Printer,
    ) -> Result<Vec<Instance>, Failure> {
        let here = service.endpoint.trim_end_matches('/');
        let mut found = Vec::new();
        for (run, endpoint) in &self.runs {
            match endpoint {
                Some(there) if there.trim_end_matches('/') != here => {
                    self.unknown += 1;
                    printer.error(format_args!(
                        "{run} ran at {there}: `harness sweep --endpoint {there}` looks there"
                    ));
                }
                _ => {
                    let query = InstanceQuery::of_run(RunId::new(run));
                    found.extend(live(&service.client, query).await?);
                }
            }
        }
        Ok(found)
    }
}

/// Nothing was found, which says that nothing is left only if everything was looked at.
fn nothing_found(unknown: usize, printer: Printer) -> ExitCode {
    if unknown == 0 {
        printer.say("nothing is left behind");
    }
    told(unknown, printer)
}

/// What could not be looked at may have left something.
fn told(unknown: usize, printer: Printer) -> ExitCode {
    if unknown == 0 {
        return ExitCode::Success;
    }
    printer.error(format_args!(
        "what {unknown} of the unfinished runs left could not be looked at"
    ));
    ExitCode::Leaked
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
