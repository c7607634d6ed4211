//! Rows of a database for people, for spreadsheets and for programs.

use fleet_api::manager::{Rows, Value};
use run_record::ExitCode;
use serde_json::json;

use crate::commands::fleet::failed::{Done, Failed};
use crate::commands::fleet::grid::free_grid;
use crate::commands::fleet::output::Output;
use crate::printer::{style, styled};

/// How rows are written where JSON is not asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Table,
    Csv,
}

pub(super) fn tell(rows: &Rows, form: Form, out: Output) -> Done {
    if out.json {
        out.printer
            .json(&json!({"columns": rows.columns(), "rows": json(rows)}));
        return Ok(ExitCode::Success);
    }
    if form == Form::Csv {
        out.printer.bytes(&csv(rows)?);
        return Ok(ExitCode::Success);
    }
    if rows.is_empty() {
        out.note("no rows");
        return Ok(ExitCode::Success);
    }
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| values(row).map(shown).collect())
        .collect();
    let is_number =
        |value: &Value| matches!(value, Value::Null | Value::Integer(_) | Value::Real(_));
    let right: Vec<bool> = (0..rows.columns().len())
        .map(|at| {
            rows.iter()
                .all(|row| values(row).nth(at).is_some_and(is_number))
        })
        .collect();
    out.printer
        .data(free_grid(rows.columns(), &cells, &right, out.room()));
    out.note(styled(style::DIM, report::text::plural(rows.len(), "row")));
    Ok(ExitCode::Success)
}

/// The rows as the API has them: arrays in the order of the columns.
pub(super) fn json(rows: &Rows) -> Vec<Vec<serde_json::Value>> {
    rows.iter()
        .map(|row| values(row).map(Value::to_json).collect())
        .collect()
}

fn values(row: &fleet_api::manager::Row) -> impl Iterator<Item = &Value> {
    row.iter().map(|(_, value)| value)
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Text(text) => text.clone(),
        other => plain(other),
    }
}

/// RFC 4180 with LF; NULL is an empty cell.
fn csv(rows: &Rows) -> Result<Vec<u8>, Failed> {
    let cannot = |error: csv::Error| Failed::fatal(format!("the rows cannot be written: {error}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(rows.columns()).map_err(cannot)?;
    for row in rows {
        writer
            .write_record(values(row).map(plain))
            .map_err(cannot)?;
    }
    writer
        .into_inner()
        .map_err(|error| Failed::fatal(format!("the rows cannot be written: {error}")))
}

fn plain(value: &Value) -> String {
    match value.to_json() {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    }
}
