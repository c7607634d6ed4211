//! `harness fleet envs`: what instances can be made of.

use clap::{Args, Subcommand};
use fleet_api::Client;
use fleet_api::types::{EnvKey, Environment};

use super::args::{Limit, or_list};
use super::failed::Done;
use super::grid::Column;
use super::output::{Output, Table};

#[derive(Debug, Args)]
pub(crate) struct EnvsArgs {
    #[command(subcommand)]
    command: Option<EnvsCommand>,
    #[command(flatten)]
    list: Limit,
}

#[derive(Debug, Subcommand)]
enum EnvsCommand {
    /// All of them (the default)
    List(Limit),
    /// One, with its versions
    #[command(visible_alias = "get")]
    Show {
        /// Its key
        env: String,
    },
}

pub(super) async fn envs(args: EnvsArgs, client: &Client, out: Output) -> Done {
    match or_list(args.command, args.list, EnvsCommand::List)? {
        EnvsCommand::List(limit) => list(&limit, client, out).await,
        EnvsCommand::Show { env } => show(&EnvKey::new(env), client, out).await,
    }
}

async fn list(limit: &Limit, client: &Client, out: Output) -> Done {
    let envs = client.environments().await?;
    let table = Table {
        columns: &[
            Column::text("environment"),
            Column::flexible("name"),
            Column::text("default"),
            Column::flexible("versions"),
        ],
        none: "the service has no environments that this key may use",
    };
    out.rows(&envs, limit, &table, |env| {
        vec![
            env.env_key.to_string(),
            env.name.clone(),
            env.default_version.clone().unwrap_or_default(),
            versions(env).join(" "),
        ]
    })
}

async fn show(key: &EnvKey, client: &Client, out: Output) -> Done {
    let env = client.environment(key).await?;
    let versions: Vec<String> = env
        .versions
        .iter()
        .map(|(version, said)| match said.as_str() {
            "" => version.clone(),
            said => format!("{version} ({said})"),
        })
        .collect();
    let key = report::text::shell_word(env.env_key.as_str());
    let done = out.record(
        &env,
        &[
            ("environment", env.env_key.to_string()),
            ("name", env.name.clone()),
            ("description", env.description.clone().unwrap_or_default()),
            ("default", env.default_version.clone().unwrap_or_default()),
            ("versions", versions.join(", ")),
        ],
    );
    out.note(format!(
        "`harness fleet instances make {key}` makes an instance of it"
    ));
    done
}

fn versions(env: &Environment) -> Vec<&str> {
    env.versions.keys().map(String::as_str).collect()
}
