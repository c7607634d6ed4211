//! What an agent (or anybody) did to an instance's data: added, removed and changed rows, table by table.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::Args;
use fleet_api::Client;
use fleet_api::manager::{Diff, DiffSource, IgnoreConfig};
use fleet_api::types::manager::{ModifiedRow, TableDiff, WholeRow};
use report::text::{fit, one_line, plural, width};
use run_record::ExitCode;
use serde_json::Value;

use crate::commands::fleet::failed::Done;
use crate::commands::fleet::manager::Target;
use crate::commands::fleet::output::Output;
use crate::printer::{style, styled};

/// The key under which managers add SQLite's own row number; it is no column.
const ROWID: &str = "rowid";

#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    #[command(flatten)]
    target: Target,
    /// Leave this table out; may be given more than once
    #[arg(long = "ignore-table", value_name = "TABLE")]
    tables: Vec<String>,
    /// Leave this field out, everywhere or, as TABLE.FIELD, in one table; may be given more than once
    #[arg(long = "ignore-field", value_name = "FIELD")]
    fields: Vec<String>,
    /// Only count
    #[arg(long)]
    stat: bool,
}

pub(super) async fn diff(args: DiffArgs, client: &Client, out: Output) -> Done {
    let ignore = ignored(args.tables, args.fields);
    let diff = args.target.manager(client).await?.diff(&ignore).await?;
    if out.json {
        out.printer.json(diff.tables());
        return Ok(ExitCode::Success);
    }
    if diff.source() == DiffSource::Snapshots {
        out.note("the instance does not compare by itself; its data was read and compared here");
    }
    if diff.is_empty() {
        out.note("nothing is different from the beginning");
        return Ok(ExitCode::Success);
    }
    let changed = diff.tables().iter().filter(|(_, table)| changes(table) > 0);
    let room = out.room();
    let tables: Vec<String> = changed
        .map(|(name, table)| {
            if args.stat {
                heading(name, table)
            } else {
                whole(name, table, room)
            }
        })
        .collect();
    let between = if args.stat { "\n" } else { "\n\n" };
    out.printer.data(tables.join(between));
    out.note(styled(style::DIM, total(&diff)));
    Ok(ExitCode::Success)
}

fn ignored(tables: Vec<String>, fields: Vec<String>) -> IgnoreConfig {
    let mut ignore = IgnoreConfig {
        tables: tables.into_iter().collect(),
        ..IgnoreConfig::default()
    };
    for field in fields {
        match field.split_once('.') {
            Some((table, field)) => {
                let of_table = ignore.table_fields.entry(table.to_owned()).or_default();
                of_table.insert(field.to_owned());
            }
            None => {
                ignore.fields.insert(field);
            }
        }
    }
    ignore
}

fn changes(table: &TableDiff) -> usize {
    table.added_rows.len() + table.removed_rows.len() + table.modified_rows.len()
}

fn total(diff: &Diff) -> String {
    let tables = diff
        .tables()
        .values()
        .filter(|table| changes(table) > 0)
        .count();
    format!(
        "{} in {}",
        plural(diff.total_changes(), "row"),
        plural(tables, "table")
    )
}

/// `tickets  1 added, 2 changed`
fn heading(name: &str, table: &TableDiff) -> String {
    let counts = [
        (table.added_rows.len(), "added"),
        (table.removed_rows.len(), "removed"),
        (table.modified_rows.len(), "changed"),
    ];
    let counts: Vec<String> = counts
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{number} {what}"))
        .collect();
    format!(
        "{}  {}",
        styled(style::BOLD, one_line(name)),
        counts.join(", ")
    )
}

fn whole(name: &str, table: &TableDiff, room: Option<usize>) -> String {
    let mut text = heading(name, table);
    let row = |sign: &str, row: &WholeRow| whole_row(sign, row, &table.primary_key, room);
    for added in &table.added_rows {
        text.push_str(&row(&styled(style::GOOD, "+"), added));
    }
    for removed in &table.removed_rows {
        text.push_str(&row(&styled(style::BAD, "-"), removed));
    }
    for modified in &table.modified_rows {
        text.push_str(&modified_row(modified, &table.primary_key, room));
    }
    text
}

fn whole_row(sign: &str, row: &WholeRow, key: &[String], room: Option<usize>) -> String {
    let fields = row
        .data
        .iter()
        .filter(|(name, _)| *name != ROWID && !key.contains(name));
    let fields: BTreeMap<&str, [Option<String>; 2]> = fields
        .map(|(name, value)| (name.as_str(), [Some(json(value)), None]))
        .collect();
    format!(
        "\n  {sign} {}{}",
        identity(&row.row_id, key),
        lines(&fields, room)
    )
}

fn modified_row(row: &ModifiedRow, key: &[String], room: Option<usize>) -> String {
    let changes = row.changes.iter().map(|(name, change)| {
        let sides = [&change.before, &change.after];
        (name.as_str(), sides.map(|side| Some(json(side))))
    });
    let sign = styled(style::WARN, "~");
    format!(
        "\n  {sign} {}{}",
        identity(&row.row_id, key),
        lines(&changes.collect(), room)
    )
}

/// `id 7`, or `user 7, group 3` for a key of several fields.
fn identity(id: &Value, key: &[String]) -> String {
    let values = match id {
        Value::Array(values) => values.iter().map(json).collect(),
        one => vec![json(one)],
    };
    if values.len() != key.len() {
        return format!("row {}", values.join(", "));
    }
    let named: Vec<String> = key
        .iter()
        .zip(values)
        .map(|(name, value)| format!("{} {value}", one_line(name)))
        .collect();
    named.join(", ")
}

/// Fields below their row, the values aligned: one, or before and after. In a terminal they are cut where it ends, and
/// before and after stand below each other where one line has no room for both.
fn lines(fields: &BTreeMap<&str, [Option<String>; 2]>, room: Option<usize>) -> String {
    const INDENT: usize = 6;
    let widest = fields.keys().map(|name| width(name)).max().unwrap_or(0);
    let left = room.map_or(usize::MAX, |room| {
        room.saturating_sub(INDENT + widest + 2).max(12)
    });
    let cut = |value: String| {
        if width(&value) > left {
            fit(&value, left)
        } else {
            value
        }
    };
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let (indent, name) = (" ".repeat(INDENT), fit(&one_line(name), widest));
        write!(text, "\n{indent}{name}  {}", cut(value)).expect("a string takes any text");
    };
    for (name, values) in fields {
        let [before, after] = values
            .each_ref()
            .map(|value| value.clone().unwrap_or_default());
        let both = format!("{before} → {after}");
        if values[1].is_none() {
            line(name, before);
        } else if width(&both) <= left {
            line(name, both);
        } else {
            line(name, before);
            line("", format!("→ {after}"));
        }
    }
    text
}

/// A value so that text and numbers cannot be taken for each other.
fn json(value: &Value) -> String {
    one_line(&value.to_string())
}

#[cfg(test)]
mod tests {
    use fleet_api::types::manager::FieldChange;
    use serde_json::{Map, json};

    use super::*;

    fn row(id: Value, data: Value) -> WholeRow {
        let data: Map<String, Value> = data.as_object().cloned().unwrap_or_default();
        WholeRow { row_id: id, data }
    }

    #[test]
    fn a_table_shows_what_was_done_to_it() {
        let change = FieldChange {
            before: json!("open"),
            after: json!(null),
        };
        let table = TableDiff {
            primary_key: vec!["id".into()],
            added_rows: vec![row(
                json!(9),
                json!({"rowid": 9, "id": 9, "title": "名\n前", "n": "1"}),
            )],
            removed_rows: vec![row(json!([1, "a"]), json!({}))],
            modified_rows: vec![ModifiedRow {
                row_id: json!("x"),
                changes: [("status".to_owned(), change)].into(),
                data: Map::new(),
            }],
            ..TableDiff::default()
        };
        let shown = anstream::adapter::strip_str(&whole("tickets", &table, None)).to_string();
        assert_eq!(
            shown,
            "tickets  1 added, 1 removed, 1 changed\n  \
             + id 9\n      n      \"1\"\n      title  \"名\\n前\"\n  \
             - row 1, \"a\"\n  \
             ~ id \"x\"\n      status  \"open\" → null"
        );
        let narrow = anstream::adapter::strip_str(&whole("t", &table, Some(20))).to_string();
        assert!(
            narrow.contains("status  \"open\"\n              → null"),
            "{narrow}"
        );
    }

    #[test]
    fn fields_are_left_out_everywhere_or_in_one_table() {
        let ignore = ignored(vec!["log".into()], vec!["at".into(), "t.by".into()]);
        assert!(ignore.tables.contains("log"));
        assert!(ignore.covers("any", "at") && ignore.covers("t", "by"));
        assert!(!ignore.covers("u", "by"));
    }
}
