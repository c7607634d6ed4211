//! The only place that prints: human text on stderr, data on stdout.
//!
//! A closed pipe is not an error: `harness list | head` ends quietly, and a run whose terminal is gone goes on.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};

use crate::secrets::{masked, masked_bytes};

/// How much a person wants to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verbosity {
    Quiet,
    Normal,
    Verbose,
    Debug,
}

/// Writes text for people and data for programs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Printer {
    pub(crate) verbosity: Verbosity,
}

/// The styles of the program: few, and never the only carrier of a meaning.
pub(crate) mod style {
    use super::{AnsiColor, Style};

    pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
    pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
    pub(crate) const WARN: Style = AnsiColor::Yellow.on_default().bold();
    pub(crate) const DIM: Style = Style::new().dimmed();
    pub(crate) const BOLD: Style = Style::new().bold();
}

/// `text` in a style; the stream strips it where colours are not wanted.
pub(crate) fn styled(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

impl Printer {
    /// A line for people, unless they asked for quiet.
    pub(crate) fn say(self, line: impl std::fmt::Display) {
        if self.verbosity > Verbosity::Quiet {
            self.error(line);
        }
    }

    /// A line for people that is said even when they asked for quiet.
    pub(crate) fn error(self, line: impl std::fmt::Display) {
        // Nothing can be done about a stderr that is gone.
        let _ = writeln!(anstream::stderr(), "{}", masked(&line.to_string()));
    }

    /// Data for programs, or for a person who asked for exactly this.
    pub(crate) fn data(self, text: impl std::fmt::Display) {
        let _ = writeln!(anstream::stdout(), "{}", masked(&text.to_string()));
    }

    /// Bytes of a report.
    pub(crate) fn bytes(self, bytes: &[u8]) {
        let mut out = std::io::stdout().lock();
        let _ = out
            .write_all(&masked_bytes(bytes))
            .and_then(|()| out.flush());
    }

    /// A value as JSON on stdout.
    pub(crate) fn json(self, value: &impl serde::Serialize) {
        let text = serde_json::to_string_pretty(value).expect("our values have text keys");
        self.data(text);
    }

    /// Whether a person sits there who can answer.
    pub(crate) fn can_ask(self) -> bool {
        let terminals = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        terminals && self.verbosity > Verbosity::Quiet
    }

    /// Asks a question whose usual answer is yes. The end of the input is no answer, and no yes.
    pub(crate) fn ask(self, question: impl std::fmt::Display) -> bool {
        let answer = self.answer(format_args!("{question} [Y/n] "));
        answer.is_some_and(|answer| !answer.starts_with('n'))
    }

    /// Asks a question whose usual answer is no, because the answer cannot be taken back.
    pub(crate) fn confirm(self, question: impl std::fmt::Display) -> bool {
        let answer = self.answer(format_args!("{question} [y/N] "));
        matches!(answer.as_deref(), Some("y" | "yes"))
    }

    /// What a person types: one line, trimmed and in lower case; nothing at the end of the input.
    fn answer(self, prompt: impl std::fmt::Display) -> Option<String> {
        let mut out = anstream::stderr();
        let _ = write!(out, "{}", masked(&prompt.to_string())).and_then(|()| out.flush());
        let mut answer = String::new();
        let read = std::io::stdin().lock().read_line(&mut answer).ok()?;
        (read > 0).then(|| answer.trim().to_lowercase())
    }

    /// Whether a person watches stderr on a terminal that can move its cursor.
    pub(crate) fn is_live(self) -> bool {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let ci = std::env::var_os("CI").is_some_and(|ci| !ci.is_empty());
        self.verbosity > Verbosity::Quiet && std::io::stderr().is_terminal() && !dumb && !ci
    }

    /// Whether text on stderr is coloured.
    pub(crate) fn has_color(self) -> bool {
        anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never
    }
}

/// Rows under headings, columns aligned, two spaces between; the last column is not padded.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let width = report::text::width;
    let widths: Vec<usize> = headings
        .iter()
        .enumerate()
        .map(|(column, heading)| {
            rows.iter()
                .map(|row| width(&row[column]))
                .fold(width(heading), usize::max)
        })
        .collect();
    let line = |cells: Vec<&str>| {
        let mut text = String::new();
        for (column, cell) in cells.iter().enumerate() {
            text.push_str(cell);
            if column + 1 < cells.len() {
                let padding = widths[column] - width(cell) + 2;
                text.extend(std::iter::repeat_n(' ', padding));
            }
        }
        text.trim_end().to_owned()
    };
    let mut out = styled(style::BOLD, line(headings.to_vec()));
    for row in rows {
        out.push('\n');
        out.push_str(&line(row.iter().map(String::as_str).collect()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p8_columns_are_aligned_by_width() {
        let rows = vec![
            vec!["é".to_owned(), "1".to_owned()],
            vec!["long name".to_owned(), "22".to_owned()],
            vec!["名前".to_owned(), "3".to_owned()],
        ];
        let text = anstream::adapter::strip_str(&table(&["name", "n"], &rows)).to_string();
        assert_eq!(
            text,
            "name       n\né          1\nlong name  22\n名前       3"
        );
    }
}
