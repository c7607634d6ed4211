//! Makes an instance. Whatever happens on the way, an instance that exists is either told or closed.

use std::time::Duration;

use clap::Args;
use fleet_api::types::{Instance, RequestId, RunId, TaskKey};
use fleet_api::{Client, CreateInstance, Error};
use run_record::ExitCode;
use serde_json::Value;

use super::keep_alive::{self, Ending};
use super::list;
use crate::commands::fleet::failed::{Done, Failed};
use crate::commands::fleet::input;
use crate::commands::fleet::output::Output;
use crate::printer::{style, styled};

/// How long the answer to a create is waited for after Ctrl-C.
const LAST_ANSWER: Duration = Duration::from_secs(10);

/// How often beats are asked for when `--keep-alive` comes without `--heartbeat`.
const USUAL_INTERVAL: Duration = Duration::from_secs(60);

#[derive(Debug, Args)]
pub(super) struct MakeArgs {
    /// The environment: KEY or KEY:VERSION
    #[arg(value_name = "ENV", required_unless_present = "task")]
    env: Option<String>,
    /// The instance that this task plays in: its environment, data and variables
    #[arg(long, value_name = "KEY", conflicts_with_all = ["env", "data"])]
    task: Option<String>,
    /// The data set to start from: KEY or KEY:VERSION
    #[arg(long, value_name = "DATA")]
    data: Option<String>,
    /// How long it lives without heartbeats: 90s, 30m, 2h
    #[arg(long, value_name = "TIME", value_parser = input::duration)]
    ttl: Option<Duration>,
    /// It ends when heartbeats stay away: their interval, 30s to 1h
    #[arg(long, value_name = "TIME", value_parser = interval)]
    heartbeat: Option<Duration>,
    /// Send heartbeats until Ctrl-C, then close it
    #[arg(long)]
    keep_alive: bool,
    /// With --keep-alive: leave it alive after Ctrl-C
    #[arg(long, requires = "keep_alive")]
    leave: bool,
    /// The run it belongs to
    #[arg(long, visible_alias = "run-id", value_name = "ID")]
    run: Option<String>,
    /// Where to run it
    #[arg(long)]
    region: Option<String>,
    /// A variable for the environment, KEY=TEXT or KEY:=JSON; may be given more than once
    #[arg(long = "var", value_name = "KEY=VALUE", value_parser = input::variable)]
    variables: Vec<(String, Value)>,
    /// `mcp` for the computer-use image
    #[arg(long, value_name = "TYPE")]
    image_type: Option<String>,
    /// How long to wait until it runs [default: 15m]
    #[arg(long, value_name = "TIME", value_parser = input::duration)]
    wait: Option<Duration>,
    /// The identity of this create: repeating it finds the same instance
    #[arg(long, value_name = "UUID", value_parser = request_id)]
    request_id: Option<RequestId>,
}

fn request_id(text: &str) -> Result<RequestId, String> {
    text.parse().map_err(|_| "must be a UUID".to_owned())
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = input::duration(text)?;
    let range = Duration::from_secs(30)..=Duration::from_hours(1);
    if range.contains(&interval) {
        return Ok(interval);
    }
    Err("must be between 30s and 1h".to_owned())
}

pub(super) async fn make(args: MakeArgs, client: &Client, out: Output) -> Done {
    let create = create(&args, client).await?;
    out.note(format!("making an instance of {}", create.environment));
    let instance = until_made(&create, client, out).await?;
    list::record(&instance, out)?;
    if args.keep_alive {
        let ending = if args.leave {
            Ending::Leave
        } else {
            Ending::Close
        };
        return keep_alive::until_stopped(&instance, ending, client, out).await;
    }
    let closing = format!("harness fleet instances close {}", instance.instance_id);
    out.note(format!(
        "{} `{closing}` closes it",
        styled(style::GOOD, "running;")
    ));
    Ok(ExitCode::Success)
}

async fn create(args: &MakeArgs, client: &Client) -> Result<CreateInstance, Failed> {
    let mut create = match (&args.task, &args.env) {
        (Some(task), _) => CreateInstance::for_task(&client.task(&TaskKey::new(task)).await?),
        (None, env) => CreateInstance::new(env.clone().unwrap_or_default()),
    };
    if args.data.is_some() {
        create.data.clone_from(&args.data);
    }
    if !args.variables.is_empty() {
        let variables = create.env_variables.get_or_insert_default();
        variables.extend(args.variables.iter().cloned());
    }
    create.region.clone_from(&args.region);
    create.image_type.clone_from(&args.image_type);
    create.ttl = args.ttl;
    create.run_id = args.run.as_ref().map(RunId::new);
    create.heartbeat_interval = args.heartbeat.or(args.keep_alive.then_some(USUAL_INTERVAL));
    create.timeout = args.wait;
    // Named here so that it can be told when no answer comes.
    create.request_id = Some(args.request_id.unwrap_or_else(RequestId::new));
    Ok(create)
}

/// A create that has left is not dropped at Ctrl-C: its answer may be an instance.
async fn until_made(
    create: &CreateInstance,
    client: &Client,
    out: Output,
) -> Result<Instance, Failed> {
    let making = client.create_instance(create);
    tokio::pin!(making);
    // The create is polled again below; waiting for a signal loses nothing.
    let stopped_by = tokio::select! {
        made = &mut making => return made.map_err(|error| not_made(&error, create)),
        exit = keep_alive::asked_to_stop() => exit?,
    };
    out.note("stopping: waiting for the answer to the create");
    match tokio::time::timeout(LAST_ANSWER, making).await {
        Ok(Ok(instance)) => {
            keep_alive::give_back(&instance.instance_id, client).await?;
            let closed = format!(
                "stopped; the instance {} is closed again",
                instance.instance_id
            );
            Err(Failed::fatal(closed).exit(stopped_by))
        }
        Ok(Err(error)) => Err(not_made(&error, create)),
        Err(_) => Err(may_exist("stopped before the service answered", create)),
    }
}

fn not_made(error: &Error, create: &CreateInstance) -> Failed {
    let failed = Failed::from(error);
    if let Some(id) = error.instance_id() {
        let id = id.clone();
        if !error.is_ambiguous() {
            return failed.help(format!(
                "`harness fleet instances get {id}` says why; another --request-id makes another one"
            ));
        }
        return failed.exit(ExitCode::Leaked).help(format!(
            "the instance {id} exists: `harness fleet instances close {id}` closes it"
        ));
    }
    if error.is_ambiguous() {
        let message = failed.message().to_owned();
        return may_exist(&message, create);
    }
    failed
}

/// Nobody knows whether there is an instance.
fn may_exist(why: &str, create: &CreateInstance) -> Failed {
    let failed = Failed::leaked(format!("{why}; an instance may exist"));
    let failed = match &create.run_id {
        Some(run) => failed.help(format!(
            "`harness fleet instances list --run {}` shows it",
            report::text::shell_word(run.as_str())
        )),
        None => failed.help("`harness fleet instances list --profile self` shows it"),
    };
    match create.request_id {
        Some(id) => failed.help(format!("the same command with --request-id {id} finds it")),
        None => failed,
    }
}
