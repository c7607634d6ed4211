//! What a command answers with: one JSON document, or tables and records for people. Data goes to stdout, what is
//! said about it to stderr.

use std::io::IsTerminal as _;

use jiff::Timestamp;
use run_record::ExitCode;
use serde::Serialize;

use super::args::Limit;
use super::failed::{Done, Failed};
use super::grid::{Column, grid, record};
use super::moment;
use crate::failure::Failure;
use crate::printer::Printer;

/// Where a command's answer goes.
#[derive(Clone, Copy)]
pub(super) struct Output {
    pub(super) printer: Printer,
    pub(super) json: bool,
    /// Whether a person reads stdout in a terminal.
    watched: bool,
}

/// A list for people.
pub(super) struct Table<'a> {
    pub(super) columns: &'a [Column],
    /// What there is none of, and the command to go on with.
    pub(super) none: &'a str,
}

impl Output {
    pub(super) fn new(printer: Printer, json: bool) -> Self {
        Self {
            printer,
            json,
            watched: std::io::stdout().is_terminal(),
        }
    }

    /// A list: an array of the API's objects, or a table.
    pub(super) fn rows<T: Serialize>(
        self,
        items: &[T],
        limit: &Limit,
        table: &Table<'_>,
        row: impl Fn(&T) -> Vec<String>,
    ) -> Done {
        let most = limit.limit.map_or(usize::MAX, |limit| limit as usize);
        let shown = &items[..items.len().min(most)];
        if self.json {
            self.printer.json(&shown);
        } else if items.is_empty() {
            self.note(table.none);
        } else {
            let rows: Vec<Vec<String>> = shown.iter().map(row).collect();
            self.printer.data(grid(table.columns, &rows, self.room()));
        }
        if shown.len() < items.len() {
            let (shown, all) = (shown.len(), items.len());
            self.note(format!("{shown} of {all}; a larger --limit shows more"));
        }
        Ok(ExitCode::Success)
    }

    /// One thing: the API's object, or its fields below each other.
    pub(super) fn record<T: Serialize>(self, item: &T, pairs: &[(&str, String)]) -> Done {
        if self.json {
            self.printer.json(item);
        } else {
            self.printer.data(record(pairs));
        }
        Ok(ExitCode::Success)
    }

    /// A line for people, which programs do not need.
    pub(super) fn note(self, line: impl std::fmt::Display) {
        if !self.json {
            self.printer.say(line);
        }
    }

    /// A moment: how long ago for somebody who watches, exactly for a file or a program.
    pub(super) fn moment(self, text: &str) -> String {
        if self.watched {
            moment::ago(text, Timestamp::now())
        } else {
            text.to_owned()
        }
    }

    /// The width of the terminal that stdout goes to.
    pub(super) fn room(self) -> Option<usize> {
        if !self.watched {
            return None;
        }
        let (width, _) = terminal_size::terminal_size_of(std::io::stdout())?;
        Some(usize::from(width.0))
    }

    pub(super) fn failure(self, failed: Failed, service: Option<&str>) -> Failure {
        failed.rendered(self.json, service)
    }
}

/// A text that may be missing.
pub(super) fn text<T: ToString>(value: Option<&T>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}
