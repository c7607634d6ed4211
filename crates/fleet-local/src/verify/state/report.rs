//! What a person reads on a verifier's stdout: the blocks that Fleet's graders print and its tools collect.

use serde_json::Value;

use crate::manager::Cell;
use crate::manager::diff::{Difference, Row, Table};

/// Unexpected changes that are spelled out; more are only counted.
const SPELLED_OUT: usize = 50;

/// Characters of a value in a message.
const VALUE_LENGTH: usize = 120;

/// Collects passed and failed checks.
#[derive(Debug, Default)]
pub(super) struct Report {
    errors: Vec<String>,
    successes: Vec<String>,
    pub(super) unexpected: usize,
}

impl Report {
    pub(super) fn passed(&mut self, text: impl AsRef<str>) {
        self.successes.push(format!("[C] {}", text.as_ref()));
    }

    pub(super) fn failed(&mut self, text: impl AsRef<str>) {
        self.errors.push(format!("[X] {}", text.as_ref()));
    }

    pub(super) fn unexpected(&mut self, text: impl FnOnce() -> String) {
        self.unexpected += 1;
        if self.unexpected <= SPELLED_OUT {
            self.failed(text());
        }
    }

    /// Both blocks, each a JSON list with one item per line.
    pub(super) fn render(mut self) -> String {
        if self.unexpected > SPELLED_OUT {
            let more = self.unexpected - SPELLED_OUT;
            self.failed(format!("and {more} more unexpected changes"));
        }
        if self.unexpected == 0 {
            self.passed("no unexpected changes");
        }
        format!(
            "{}{}",
            block("ERROR_ACCUMULATOR", &self.errors),
            block("SUCCESS_ACCUMULATOR", &self.successes)
        )
    }
}

fn block(name: &str, items: &[String]) -> String {
    let items: Vec<String> = items
        .iter()
        .map(|item| Value::from(item.as_str()).to_string())
        .collect();
    let list = if items.is_empty() {
        "[]".to_owned()
    } else {
        format!("[\n{}\n]", items.join(",\n"))
    };
    format!(">>> {name} >>>\n{list}\n<<< {name} <<<\n")
}

/// `tickets[7]`, `ticket_tags[[7,3]]`.
pub(super) fn name(table: &Table, row: &Row) -> String {
    format!("{}[{}]", table.name, table.row_id(row))
}

/// What happened to a row, in one line.
pub(super) fn describe(table: &Table, difference: &Difference) -> String {
    match difference {
        Difference::Added(row) => format!("{} was inserted: {}", name(table, row), fields(row)),
        Difference::Removed(row) => format!("{} was deleted: {}", name(table, row), fields(row)),
        Difference::Modified {
            before,
            after,
            changed,
        } => {
            let changes: Vec<String> = changed
                .iter()
                .map(|field| {
                    format!(
                        "{field}: {} → {}",
                        value(before, field),
                        value(after, field)
                    )
                })
                .collect();
            format!("{} was updated: {}", name(table, after), changes.join(", "))
        }
    }
}

fn fields(row: &Row) -> String {
    let fields: Vec<String> = row
        .fields()
        .filter(|(_, cell)| !cell.is_null())
        .map(|(field, cell)| format!("{field}={}", short(cell)))
        .collect();
    cut(&fields.join(", "), VALUE_LENGTH * 3)
}

pub(super) fn value(row: &Row, field: &str) -> String {
    row.get(field).map_or_else(|| "null".to_owned(), short)
}

fn short(cell: &Cell) -> String {
    cut(&cell.to_json().to_string(), VALUE_LENGTH)
}

pub(super) fn cut(text: &str, length: usize) -> String {
    match text.char_indices().nth(length) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
