//! `harness fleet`: the Fleet API from the shell.

use fleet_api::types::{
    InstanceId, InstanceQuery, ProfileId, RunActivity, RunId, RunQuery, TaskKey,
};
use fleet_api::{Client, DEFAULT_BASE_URL, RateLimits, TaskQuery};
use run_record::ExitCode;
use serde_json::Value;

use crate::args::{FleetArgs, FleetCommand, FleetInstances, FleetTasks};
use crate::failure::{Failure, Outcome};
use crate::printer::{Printer, table};
use crate::service::Service;

/// The variable of the official SDK.
const API_KEY: &str = "FLEET_API_KEY";

pub(crate) async fn fleet(args: FleetArgs, printer: Printer) -> Outcome {
    let service = by_environment(args.endpoint.as_deref())?;
    let out = Output {
        printer,
        json: args.json,
    };
    let answered = match args.command {
        FleetCommand::Account => account(&service.client, out).await,
        FleetCommand::Envs => envs(&service.client, out).await,
        FleetCommand::Tasks(filter) => tasks(&service.client, filter, out).await,
        FleetCommand::Instances(filter) => instances(&service.client, filter, out).await,
        FleetCommand::Runs { status, mine } => runs(&service.client, &status, mine, out).await,
        FleetCommand::Close { instances, run_id } => {
            close(&service.client, instances, run_id, out).await
        }
    };
    // The address may come from a variable that was set long ago, so a failure says whom it asked.
    answered.map_err(|failure| failure.hint(format!("the service asked was {}", service.endpoint)))
}

/// The service that the official SDK would use: `FLEET_BASE_URL` or the hosted one, with `FLEET_API_KEY`.
pub(crate) fn by_environment(endpoint: Option<&str>) -> Result<Service, Failure> {
    let url = endpoint.unwrap_or(DEFAULT_BASE_URL);
    let key = std::env::var(API_KEY).unwrap_or_default();
    if key.is_empty() && url == DEFAULT_BASE_URL {
        return Err(Failure::usage(format!("error: {API_KEY} is not set")).hint(
            "set it, or name another service with --endpoint (`harness local` serves one here)",
        ));
    }
    // A server without a key takes any; the header must have something in it.
    let key = if key.is_empty() {
        "none".to_owned()
    } else {
        key
    };
    Service::remote(url, key.into(), RateLimits::default())
}

#[derive(Clone, Copy)]
struct Output {
    printer: Printer,
    json: bool,
}

impl Output {
    fn rows<T: serde::Serialize>(
        self,
        items: &[T],
        headings: &[&str],
        row: impl Fn(&T) -> Vec<String>,
    ) -> Outcome {
        if self.json {
            self.printer.json(&items);
        } else if items.is_empty() {
            self.printer.say("none");
        } else {
            let rows: Vec<Vec<String>> = items.iter().map(row).collect();
            self.printer.data(table(headings, &rows));
        }
        Ok(ExitCode::Success)
    }
}

pub(crate) fn failed(error: &fleet_api::Error) -> Failure {
    let failure = Failure::usage(format!("error: {}", error.to_line()));
    if error.is_auth() {
        failure.hint(format!("the key comes from the variable {API_KEY}"))
    } else {
        failure
    }
}

async fn account(client: &Client, out: Output) -> Outcome {
    let account = client.account().await.map_err(|error| failed(&error))?;
    if out.json {
        out.printer.json(&account);
        return Ok(ExitCode::Success);
    }
    let profile = account.profile_name.as_deref().unwrap_or("-");
    out.printer.data(format_args!(
        "team       {} ({})\nprofile    {profile}\ninstances  {} of {}",
        account.team_name, account.team_id, account.instance_count, account.instance_limit
    ));
    Ok(ExitCode::Success)
}

async fn envs(client: &Client, out: Output) -> Outcome {
    let envs = client
        .environments()
        .await
        .map_err(|error| failed(&error))?;
    out.rows(&envs, &["key", "name", "default", "versions"], |env| {
        let versions: Vec<&str> = env.versions.keys().map(String::as_str).collect();
        vec![
            env.env_key.to_string(),
            env.name.clone(),
            env.default_version.clone().unwrap_or_default(),
            versions.join(" "),
        ]
    })
}

async fn tasks(client: &Client, filter: FleetTasks, out: Output) -> Outcome {
    let query = TaskQuery {
        project_key: filter.project,
        env_key: filter.env,
        keys: (!filter.keys.is_empty()).then(|| filter.keys.iter().map(TaskKey::new).collect()),
        ..TaskQuery::default()
    };
    let tasks = client.tasks(&query).await.map_err(|error| failed(&error))?;
    let exported: Vec<Value> = tasks.iter().map(fleet_api::Task::to_export_json).collect();
    if let Some(path) = &filter.export {
        let text = serde_json::to_vec_pretty(&exported).expect("a value can be encoded");
        fs_err::write(path, text).map_err(|error| Failure::usage(format!("error: {error}")))?;
        out.printer.say(format_args!(
            "wrote {} tasks to {}",
            tasks.len(),
            path.display()
        ));
        return Ok(ExitCode::Success);
    }
    if out.json {
        out.printer.json(&exported);
        return Ok(ExitCode::Success);
    }
    out.rows(&exported, &["key", "environment", "prompt"], |task| {
        let text = |name: &str| task[name].as_str().unwrap_or_default();
        vec![
            text("key").to_owned(),
            text("env_id").to_owned(),
            report::text::shorten(&report::text::one_line(text("prompt")), 70),
        ]
    })
}

async fn instances(client: &Client, filter: FleetInstances, out: Output) -> Outcome {
    let query = InstanceQuery {
        status: filter.status.as_deref().map(Into::into),
        region: filter.region,
        run_id: filter.run_id.map(RunId::new),
        profile_id: filter.mine.then(ProfileId::myself),
    };
    let instances = client
        .instances(&query)
        .await
        .map_err(|error| failed(&error))?;
    out.rows(
        &instances,
        &["instance", "environment", "status", "run", "created", "url"],
        |instance| {
            vec![
                instance.instance_id.to_string(),
                format!("{}:{}", instance.env_key, instance.version),
                instance.status.to_string(),
                instance
                    .run_id
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
                instance.created_at.clone(),
                instance
                    .urls
                    .as_ref()
                    .map(|urls| urls.root.clone())
                    .unwrap_or_default(),
            ]
        },
    )
}

async fn runs(client: &Client, status: &str, mine: bool, out: Output) -> Outcome {
    let query = RunQuery {
        active: match status {
            "inactive" => RunActivity::Inactive,
            "all" => RunActivity::All,
            _ => RunActivity::Active,
        },
        profile_id: mine.then(ProfileId::myself),
    };
    let runs = client.runs(&query).await.map_err(|error| failed(&error))?;
    out.rows(
        &runs,
        &["run", "running", "total", "first", "last"],
        |run| {
            vec![
                run.run_id.to_string(),
                run.running_count.to_string(),
                run.total_count.to_string(),
                run.first_created_at.clone(),
                run.last_created_at.clone(),
            ]
        },
    )
}

async fn close(client: &Client, ids: Vec<String>, run_id: Option<String>, out: Output) -> Outcome {
    if let Some(run_id) = run_id {
        let run_id = RunId::new(run_id);
        let closed = client
            .close_instances(Some(&run_id), None)
            .await
            .map_err(|error| failed(&error))?;
        return out.rows(&closed, &["closed"], |instance| {
            vec![instance.instance_id.to_string()]
        });
    }
    let mut closed = Vec::new();
    let mut problems = Vec::new();
    for id in ids {
        match client.close_instance(&InstanceId::new(&id)).await {
            Ok(instance) => closed.push(instance),
            Err(error) if error.is_gone() => out.printer.say(format_args!("{id} is gone already")),
            Err(error) => problems.push(format!("error: {id}: {}", error.to_line())),
        }
    }
    let outcome = out.rows(&closed, &["closed"], |instance| {
        vec![instance.instance_id.to_string()]
    });
    if problems.is_empty() {
        return outcome;
    }
    Err(Failure {
        exit: ExitCode::Leaked,
        message: problems.join("\n"),
    })
}
