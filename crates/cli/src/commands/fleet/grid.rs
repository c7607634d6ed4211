//! Tables for people: aligned by the width of what is shown, numbers to the right, and in a terminal no wider than it.

use report::text::{fit, one_line, width};

use crate::printer::{style, styled};

/// Between two columns.
const GAP: usize = 2;

/// A column that is cut keeps this much, and in a very narrow terminal at least that much.
const NARROWEST: [usize; 2] = [12, 4];

/// A column and how it is set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    title: &'static str,
    right: bool,
    flexible: bool,
}

impl Column {
    /// Text, to the left, never cut.
    pub(super) const fn text(title: &'static str) -> Self {
        Self {
            title,
            right: false,
            flexible: false,
        }
    }

    /// A number, to the right.
    pub(super) const fn number(title: &'static str) -> Self {
        Self {
            title,
            right: true,
            flexible: false,
        }
    }

    /// Text that may be cut where the terminal is too narrow.
    pub(super) const fn flexible(title: &'static str) -> Self {
        Self {
            title,
            right: false,
            flexible: true,
        }
    }
}

/// Rows under their columns. `room` is the width of the terminal; without one nothing is cut.
pub(super) fn grid(columns: &[Column], rows: &[Vec<String>], room: Option<usize>) -> String {
    let titles: Vec<&str> = columns.iter().map(|column| column.title).collect();
    let set: Vec<(bool, bool)> = columns
        .iter()
        .map(|column| (column.right, column.flexible))
        .collect();
    lines(&titles, &set, rows, room)
}

/// The same for columns that are known only now; all but numbers may be cut.
pub(super) fn free_grid(
    titles: &[String],
    rows: &[Vec<String>],
    right: &[bool],
    room: Option<usize>,
) -> String {
    let titles: Vec<String> = titles.iter().map(|title| one_line(title)).collect();
    let titles: Vec<&str> = titles.iter().map(String::as_str).collect();
    let set: Vec<(bool, bool)> = right.iter().map(|right| (*right, !right)).collect();
    lines(&titles, &set, rows, room)
}

/// Names and values below each other, the values aligned. Empty values are left out.
pub(super) fn record(pairs: &[(&str, String)]) -> String {
    let pairs: Vec<(&str, String)> = pairs
        .iter()
        .map(|(name, value)| (*name, one_line(value)))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    let widest = pairs.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
    let lines: Vec<String> = pairs
        .iter()
        .map(|(name, value)| {
            let name = styled(style::BOLD, fit(name, widest));
            format!("{name}{}{value}", " ".repeat(GAP))
        })
        .collect();
    lines.join("\n")
}

fn lines(
    titles: &[&str],
    set: &[(bool, bool)],
    rows: &[Vec<String>],
    room: Option<usize>,
) -> String {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| one_line(cell)).collect())
        .collect();
    let natural: Vec<usize> = titles
        .iter()
        .enumerate()
        .map(|(at, title)| {
            let cells = rows.iter().map(|row| width(&row[at]));
            cells.fold(width(title), usize::max)
        })
        .collect();
    let widths = fitted(natural, set, room);
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (at, cell) in cells.enumerate() {
            if at > 0 {
                text.push_str(&" ".repeat(GAP));
            }
            if set[at].0 {
                let missing = widths[at].saturating_sub(width(cell));
                text.push_str(&" ".repeat(missing));
                text.push_str(cell);
            } else {
                text.push_str(&fit(cell, widths[at]));
            }
        }
        text.truncate(text.trim_end().len());
        text
    };
    let mut out = styled(style::BOLD, line(&mut titles.iter().copied()));
    for row in &rows {
        out.push('\n');
        out.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    out
}

/// Takes what is too much from the widest flexible column, again and again.
fn fitted(widths: Vec<usize>, set: &[(bool, bool)], room: Option<usize>) -> Vec<usize> {
    let Some(room) = room else { return widths };
    let narrowed = |widths, narrowest| narrowed(widths, set, room, narrowest);
    NARROWEST.into_iter().fold(widths, narrowed)
}

fn narrowed(
    mut widths: Vec<usize>,
    set: &[(bool, bool)],
    room: usize,
    narrowest: usize,
) -> Vec<usize> {
    let gaps = widths.len().saturating_sub(1) * GAP;
    loop {
        let total: usize = widths.iter().sum::<usize>() + gaps;
        let Some(excess) = total.checked_sub(room).filter(|excess| *excess > 0) else {
            return widths;
        };
        let flexible = (0..widths.len()).filter(|at| set[*at].1 && widths[*at] > narrowest);
        let mut by_width: Vec<usize> = flexible.collect();
        by_width.sort_by_key(|at| std::cmp::Reverse(widths[*at]));
        let Some(widest) = by_width.first() else {
            return widths;
        };
        let next = by_width.get(1).map_or(narrowest, |at| widths[*at]);
        // Down to the next widest, and one column more where both are as wide.
        let step = (widths[*widest] - next.max(narrowest)).max(1);
        widths[*widest] -= step.min(excess);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    fn rows(rows: &[&[&str]]) -> Vec<Vec<String>> {
        let owned = |row: &&[&str]| row.iter().map(|cell| (*cell).to_owned()).collect();
        rows.iter().map(owned).collect()
    }

    #[test]
    fn p8_columns_are_aligned_by_what_is_seen() {
        let columns = [
            Column::text("name"),
            Column::number("n"),
            Column::flexible("rest"),
        ];
        let rows = rows(&[&["名前", "7", "a\nb\u{1b}[31m"], &["é", "1234", ""]]);
        assert_eq!(
            plain(&grid(&columns, &rows, None)),
            "name     n  rest\n名前     7  a b\u{fffd}[31m\né     1234"
        );
    }

    #[test]
    fn only_flexible_columns_are_cut_and_the_widest_first() {
        let columns = [
            Column::text("id"),
            Column::flexible("a"),
            Column::flexible("b"),
        ];
        let rows = rows(&[&["1234567890123456", &"x".repeat(60), &"y".repeat(20)]]);
        let shown = plain(&grid(&columns, &rows, Some(60)));
        let last = shown.lines().last().unwrap_or_default();
        assert_eq!(width(last), 60, "{last}");
        assert!(last.starts_with("1234567890123456  xxx"));
        assert!(last.ends_with(&"y".repeat(20)), "{last}");
        // Nothing more to give: the line is longer than the terminal and whole.
        let shown = plain(&grid(&columns, &rows, Some(10)));
        assert!(shown.contains("1234567890123456"));
    }

    #[test]
    fn a_record_leaves_out_what_is_not_known() {
        let pairs = [
            ("id", "7".to_owned()),
            ("longer", String::new()),
            ("url", "u".to_owned()),
        ];
        assert_eq!(plain(&record(&pairs)), "id   7\nurl  u");
    }
}
