//! Everything that can be found out before the first instance: the spec, the agent's program, the service, the
//! tasks, the folder of the run. All problems of a kind are told together, and nothing is provisioned.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fleet_api::Task;
use fleet_api::types::Account;
use harness::plan::{Plan, load_tasks, select, twins};
use harness::spec::{
    Color, ContainmentSpec, Endpoint, LoadOptions, RunSpec, SpecError, agent_containment,
    agent_programs,
};
use process_tree::Shim;
use report::text;

use crate::args::SpecArgs;
use crate::descriptors::{self, Room};
use crate::failure::{Failure, chain};
use crate::printer::Printer;
use crate::secrets;
use crate::service::Service;

/// A spec that can be run.
pub(crate) struct Prepared {
    pub(crate) spec: Arc<RunSpec>,
    pub(crate) plan: Plan,
    pub(crate) service: Service,
    pub(crate) account: Account,
    /// What will probably not go as meant, one line each.
    pub(crate) warnings: Vec<String>,
    /// How much of what is meant to run at once can.
    pub(crate) room: Room,
    /// The running harness.
    pub(crate) program: PathBuf,
}

/// Free space below which a run is not begun: an empty journal and its reports must at least fit.
const LEAST_FREE: u64 = 16 * 1024 * 1024;

/// Reads and checks; starts the embedded server if the spec asks for it.
pub(crate) async fn prepare(args: &SpecArgs, printer: Printer) -> Result<Prepared, Failure> {
    let spec = load_spec(args, printer)?;
    let program = std::env::current_exe()
        .map_err(|error| Failure::fatal(format!("error: could not find this program: {error}")))?;
    let lookup = |name: &str| std::env::var(name).ok();
    agent_programs(&spec, &program, &lookup).map_err(|error| spec_failure(&error, printer))?;
    check_containment(&spec, printer).await?;
    check_reports_dir(&spec.report.dir)?;
    let room = descriptors::raise(spec.concurrency.environments)?;
    let service = Service::of(&spec).await?;
    match look_at_service(&spec, args, &service).await {
        Ok((plan, account, warnings)) => Ok(Prepared {
            spec: Arc::new(spec),
            plan,
            service,
            account,
            warnings,
            room,
            program,
        }),
        Err(failure) => {
            service.stop().await;
            Err(failure)
        }
    }
}

fn load_spec(args: &SpecArgs, printer: Printer) -> Result<RunSpec, Failure> {
    let current_dir = std::env::current_dir().map_err(|error| {
        Failure::usage(format!("error: could not find the current folder: {error}"))
    })?;
    let mut overrides = args.set.clone();
    overrides.extend(args.trials.map(|trials| format!("trials={trials}")));
    overrides.extend(args.name.as_ref().map(|name| format!("name={name}")));
    let lookup = |name: &str| std::env::var(name).ok();
    let options = LoadOptions {
        overrides: &overrides,
        lookup: &lookup,
        current_dir: &current_dir,
    };
    let mut spec =
        RunSpec::load(&args.spec, &options).map_err(|error| spec_failure(&error, printer))?;
    if let Some(out) = &args.out {
        spec.report.dir = current_dir.join(out);
    }
    secrets::hide(spec.secrets());
    if !spec.warnings.is_empty() {
        printer.say(spec.render_warnings(color(printer)));
    }
    Ok(spec)
}

/// Agents that must be held at a level are not started where it cannot be had. Tried only if the spec asks for it.
pub(crate) async fn check_containment(spec: &RunSpec, printer: Printer) -> Result<(), Failure> {
    if spec.agent.containment == ContainmentSpec::Best {
        return Ok(());
    }
    let machine = process_tree::probe(&Shim::current_exe()).await;
    agent_containment(spec, &machine).map_err(|error| spec_failure(&error, printer))
}

pub(crate) fn spec_failure(error: &SpecError, printer: Printer) -> Failure {
    Failure::usage(error.render(color(printer)).trim_end())
}

fn color(printer: Printer) -> Color {
    if printer.has_color() {
        Color::Ansi
    } else {
        Color::Never
    }
}

/// A run whose results cannot be written must not begin.
fn check_reports_dir(dir: &Path) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::usage(format!(
            "error: the folder for runs `{}` cannot be written: {error}",
            dir.display()
        ))
        .hint("name another with --out, or in the spec as report.dir")
    };
    std::fs::create_dir_all(dir).map_err(|error| failed(&error))?;
    // Really written, because a full disk takes an empty file and refuses the first byte.
    let mut probe = tempfile::tempfile_in(dir).map_err(|error| failed(&error))?;
    std::io::Write::write_all(&mut probe, &[0; 4096])
        .and_then(|()| probe.sync_all())
        .map_err(|error| failed(&error))?;
    let free = nix::sys::statvfs::statvfs(dir).map_err(|error| failed(&error))?;
    let bytes = free.blocks_available().saturating_mul(free.fragment_size());
    if bytes < LEAST_FREE {
        return Err(failed(&format!(
            "only {} KiB are free on its disk",
            bytes / 1024
        )));
    }
    Ok(())
}

async fn look_at_service(
    spec: &RunSpec,
    args: &SpecArgs,
    service: &Service,
) -> Result<(Plan, Account, Vec<String>), Failure> {
    let account = service
        .client
        .account()
        .await
        .map_err(|error| service_failure(&error, spec, service))?;
    let loaded = load_tasks(&spec.tasks.source, &service.client)
        .await
        .map_err(|error| Failure::usage(chain(&error)).hint(tasks_hint(spec)))?;
    let tasks = chosen(spec, args, loaded)?;
    check_verifiers(&tasks)?;
    check_prompts(spec, &tasks)?;
    check_environments(&tasks, service).await?;
    let twins = twins_warning(&tasks);
    let plan = Plan::new(tasks, spec.matrix.variants(), spec.trials);
    let quota = quota_warning(spec, &plan, &account);
    let warnings = twins.into_iter().chain(quota).collect();
    Ok((plan, account, warnings))
}

pub(crate) fn service_failure(
    error: &fleet_api::Error,
    spec: &RunSpec,
    service: &Service,
) -> Failure {
    let failure = Failure::usage(format!(
        "error: the Fleet service at {} cannot be used: {}",
        service.endpoint,
        error.to_line()
    ));
    if error.is_auth() {
        failure
            .hint("the key comes from `fleet.api_key`, by default from the variable FLEET_API_KEY")
    } else if spec.fleet.endpoint == Endpoint::Local {
        failure
    } else {
        failure.hint("check `fleet.endpoint`; `endpoint: local` needs no account")
    }
}

fn tasks_hint(spec: &RunSpec) -> &'static str {
    match spec.tasks.source {
        harness::spec::TaskSource::Files(_) => {
            "a tasks file is the export of fleet-python: a JSON array of tasks"
        }
        _ => "`harness fleet tasks` lists what the service has",
    }
}

/// The tasks that are left after the spec's filters and the command line's.
fn chosen(spec: &RunSpec, args: &SpecArgs, loaded: Vec<Task>) -> Result<Vec<Task>, Failure> {
    let known: BTreeSet<&str> = loaded.iter().map(|task| task.key.as_str()).collect();
    let unknown: Vec<&str> = args
        .tasks
        .iter()
        .map(String::as_str)
        .filter(|key| !known.contains(key))
        .collect();
    if !unknown.is_empty() {
        let some: Vec<&str> = known.iter().copied().take(5).collect();
        return Err(Failure::usage(format!(
            "error: the spec has no task `{}`",
            unknown.join("`, `")
        ))
        .hint(format!("it has `{}`, …", some.join("`, `"))));
    }
    let total = loaded.len();
    let mut tasks = select(&spec.tasks, loaded);
    if !args.tasks.is_empty() {
        tasks.retain(|task| args.tasks.iter().any(|key| key == task.key.as_str()));
    }
    if let Some(limit) = args.limit {
        tasks.truncate(limit as usize);
    }
    if tasks.is_empty() {
        return Err(Failure::usage(format!(
            "error: no tasks are left of {total} after the filters"
        ))
        .hint("look at tasks.include, tasks.exclude, --task and --limit"));
    }
    Ok(tasks)
}

fn check_verifiers(tasks: &[Task]) -> Result<(), Failure> {
    let without: Vec<&str> = tasks
        .iter()
        .filter(|task| task.verifier.is_none())
        .map(|task| task.key.as_str())
        .collect();
    if without.is_empty() {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "error: {} of {} tasks have no verifier and cannot be scored: {}",
        without.len(),
        tasks.len(),
        without.join(", ")
    ))
    .hint("leave them out with tasks.exclude"))
}

/// The longest word of a command line that Linux takes, its end included.
const MAX_WORD: usize = 128 * 1024;

/// A prompt as a word of the command line has a limit that a file has not.
fn check_prompts(spec: &RunSpec, tasks: &[Task]) -> Result<(), Failure> {
    let mut words = spec.agent.command.iter();
    let as_word = words.any(|word| word.placeholders().any(|name| name == "prompt"));
    let mut long = tasks.iter().filter(|task| task.prompt.len() >= MAX_WORD);
    match long.next() {
        Some(task) if as_word => Err(Failure::usage(format!(
            "error: the prompt of the task `{}` has {} KiB, more than a word of a command line may have",
            text::name(task.key.as_str()),
            task.prompt.len() / 1024
        ))
        .hint("give the agent `{prompt_file}` in place of `{prompt}`, or `stdin: prompt`")),
        _ => Ok(()),
    }
}

/// Different tasks with names that a person cannot tell apart.
fn twins_warning(tasks: &[Task]) -> Option<String> {
    let twins = twins(tasks);
    let (first, second) = twins.first()?;
    Some(format!(
        "{} of tasks with names that look alike, for example `{}` and `{}`",
        text::plural(twins.len(), "pair"),
        first.as_str().escape_default(),
        second.as_str().escape_default()
    ))
}

async fn check_environments(tasks: &[Task], service: &Service) -> Result<(), Failure> {
    let wanted: BTreeSet<String> = tasks.iter().map(Task::env_key).collect();
    // A credential that may not list environments may still use them.
    let Ok(listed) = service.client.environments().await else {
        return Ok(());
    };
    let mut problems = Vec::new();
    for wanted in &wanted {
        let (key, version) = wanted.split_once(':').unwrap_or((wanted, ""));
        match listed.iter().find(|known| known.env_key.as_str() == key) {
            None => problems.push(format!("the service has no environment `{key}`")),
            Some(known) => {
                let with_v = format!("v{version}");
                let has = version.is_empty()
                    || known.versions.contains_key(version)
                    || known.versions.contains_key(&with_v);
                if !has {
                    let versions: Vec<&str> = known.versions.keys().map(String::as_str).collect();
                    problems.push(format!(
                        "the environment `{key}` has no version `{version}`; it has {}",
                        versions.join(", ")
                    ));
                }
            }
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(
        Failure::usage(format!("error: {}", problems.join("\nerror: ")))
            .hint("`harness fleet envs` lists what the service has"),
    )
}

fn quota_warning(spec: &RunSpec, plan: &Plan, account: &Account) -> Option<String> {
    let free = account
        .instance_limit
        .saturating_sub(account.instance_count);
    let wanted = u64::from(spec.concurrency.environments).min(plan.trials.len() as u64);
    (free < wanted).then(|| {
        format!(
            "the team may have {} instances and has {}: {free} of the {wanted} environments can run at once, the others wait",
            account.instance_limit, account.instance_count
        )
    })
}
