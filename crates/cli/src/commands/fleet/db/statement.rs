//! One SQL statement, with its values bound and never pasted in.

use std::path::Path;

use clap::Args;
use fleet_api::Client;
use fleet_api::manager::Value;
use run_record::ExitCode;
use serde_json::json;

use super::rows::{self, Form};
use super::topic::Source;
use crate::commands::fleet::failed::{Done, Failed};
use crate::commands::fleet::input;
use crate::commands::fleet::output::Output;

#[derive(Debug, Args)]
pub(super) struct Statement {
    /// The statement, with `?` for its values; `-` reads it from stdin
    sql: String,
    /// The value of the next `?`: a number, null, true, false or "quoted" text as JSON, all else as text
    #[arg(long = "arg", value_name = "VALUE", value_parser = input::scalar, allow_hyphen_values = true)]
    values: Vec<serde_json::Value>,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:
  harness fleet db query INSTANCE 'SELECT id, title FROM tickets WHERE status = ?' --arg open")]
pub(super) struct QueryArgs {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    statement: Statement,
    /// Print CSV
    #[arg(long, conflicts_with = "json")]
    csv: bool,
}

#[derive(Debug, Args)]
pub(super) struct ExecArgs {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    statement: Statement,
}

impl Statement {
    fn read(self) -> Result<(String, Vec<Value>), Failed> {
        let sql = match self.sql.as_str() {
            "-" => input::read(Path::new("-"))?,
            _ => self.sql,
        };
        if sql.trim().is_empty() {
            return Err(Failed::usage("the statement is empty"));
        }
        Ok((sql, self.values.into_iter().map(Value::from_json).collect()))
    }
}

pub(super) async fn query(args: QueryArgs, client: &Client, out: Output) -> Done {
    let (sql, values) = args.statement.read()?;
    let database = args.source.database(client).await?;
    let rows = database.query(&sql, values).await.map_err(|error| {
        let is_write = error.to_string().contains("readonly");
        let failed = Failed::from(error);
        if is_write {
            failed.help("`harness fleet db exec` runs statements that write")
        } else {
            failed
        }
    })?;
    let form = if args.csv { Form::Csv } else { Form::Table };
    rows::tell(&rows, form, out)
}

pub(super) async fn exec(args: ExecArgs, client: &Client, out: Output) -> Done {
    let (sql, values) = args.statement.read()?;
    let database = args.source.database(client).await?;
    let did = database.exec(&sql, values).await?;
    if out.json {
        out.printer.json(&json!({
            "rows_affected": did.rows_affected,
            "last_insert_id": did.last_insert_id,
            "columns": did.rows.columns(),
            "rows": rows::json(&did.rows),
        }));
        return Ok(ExitCode::Success);
    }
    if !did.rows.is_empty() {
        rows::tell(&did.rows, Form::Table, out)?;
    }
    let changed = match did.rows_affected {
        Some(1) => "1 row changed".to_owned(),
        Some(number) => format!("{number} rows changed"),
        None => "done".to_owned(),
    };
    out.note(changed);
    Ok(ExitCode::Success)
}
