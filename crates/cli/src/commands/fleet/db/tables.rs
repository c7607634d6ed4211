//! What a database is made of.

use clap::Args;
use fleet_api::Client;
use fleet_api::types::manager::{ColumnSchema, TableSchema};
use serde_json::Value;

use super::topic::Source;
use crate::commands::fleet::args::Limit;
use crate::commands::fleet::failed::{Done, Failed};
use crate::commands::fleet::grid::Column;
use crate::commands::fleet::output::{Output, Table};

#[derive(Debug, Args)]
pub(super) struct TablesArgs {
    #[command(flatten)]
    source: Source,
    /// Only this table, with its columns
    table: Option<String>,
}

pub(super) async fn tables(args: &TablesArgs, client: &Client, out: Output) -> Done {
    let tables = args.source.database(client).await?.describe().await?;
    match &args.table {
        Some(name) => one(name, &tables, out),
        None => all(&tables, args, out),
    }
}

fn all(tables: &[TableSchema], args: &TablesArgs, out: Output) -> Done {
    let table = Table {
        columns: &[
            Column::text("table"),
            Column::text("key"),
            Column::flexible("columns"),
        ],
        none: "the database has no tables",
    };
    let done = out.rows(tables, &Limit::default(), &table, |table| {
        let names = |only_key: bool| -> String {
            let columns = table
                .columns
                .iter()
                .filter(|column| !only_key || is_key(column));
            columns
                .map(|column| column.name.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        };
        vec![table.name.clone(), names(true), names(false)]
    });
    if let Some(first) = tables.first() {
        let (instance, name) = (
            args.source.target.instance(),
            first.name.replace('"', "\"\""),
        );
        let sql = report::text::shell_word(&format!("SELECT * FROM \"{name}\" LIMIT 10"));
        out.note(format!(
            "`harness fleet db query {instance} {sql}` shows rows"
        ));
    }
    done
}

fn one(name: &str, tables: &[TableSchema], out: Output) -> Done {
    let Some(found) = tables.iter().find(|table| table.name == name) else {
        let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
        return Err(Failed::usage(format!("there is no table {name}"))
            .help(format!("there are {}", names.join(", "))));
    };
    if out.json {
        return out.record(found, &[]);
    }
    let table = Table {
        columns: &[
            Column::text("column"),
            Column::text("type"),
            Column::text("key"),
            Column::text("null"),
            Column::flexible("default"),
        ],
        none: "the table has no columns",
    };
    out.rows(&found.columns, &Limit::default(), &table, |column| {
        let word = |yes: bool, word: &str| if yes { word.to_owned() } else { String::new() };
        vec![
            column.name.clone(),
            column.declared_type.clone(),
            word(is_key(column), "key"),
            word(column.notnull, "not null"),
            match &column.default_value {
                None | Some(Value::Null) => String::new(),
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
            },
        ]
    })
}

fn is_key(column: &ColumnSchema) -> bool {
    column.primary_key || column.pk.is_some_and(|position| position > 0)
}
