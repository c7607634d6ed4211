//! The formats by name: what a spec's `report.formats` and `--format` may say.

use std::{fmt, str::FromStr};

use run_record::RunRecord;

use super::{csv, html, json, junit, markdown};
use crate::Summary;

/// A format in which a run can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// One row per trial.
    Csv,
    /// Run, summary, trials: without loss.
    Json,
    /// For CI systems.
    Junit,
    /// One page for people.
    Html,
    /// A page for a pull request or a terminal.
    Markdown,
}

/// A word that names no format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown report format `{given}`; there are csv, json, junit, html and md")]
pub struct UnknownFormat {
    /// The word.
    pub given: String,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 5] = [
        Self::Csv,
        Self::Json,
        Self::Junit,
        Self::Html,
        Self::Markdown,
    ];

    /// The word for it in specs and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Junit => "junit",
            Self::Html => "html",
            Self::Markdown => "md",
        }
    }

    /// The file's name in the run's folder.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Csv => "results.csv",
            Self::Json => "results.json",
            Self::Junit => "junit.xml",
            Self::Html => "report.html",
            Self::Markdown => "summary.md",
        }
    }

    /// Writes a record in this format. UTF-8 throughout.
    pub fn render(self, record: &RunRecord, summary: &Summary) -> Vec<u8> {
        match self {
            Self::Csv => csv(record, summary),
            Self::Json => json(record, summary),
            Self::Junit => junit(record, summary),
            Self::Html => html(record, summary),
            Self::Markdown => markdown(record, summary),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "markdown" => Ok(Self::Markdown),
            _ => Self::ALL
                .into_iter()
                .find(|format| format.as_str() == text)
                .ok_or_else(|| UnknownFormat {
                    given: text.to_owned(),
                }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn the_same_record_gives_the_same_bytes() {
        let build = || fixture::sample(12, 2, &["model=small", "model=large"]);
        let (first, second) = (build(), build());
        for format in Format::ALL {
            let once = format.render(&first, &Summary::of(&first));
            assert!(
                once == format.render(&second, &Summary::of(&second)),
                "{format}"
            );
        }
    }

    #[test]
    fn k14_a_clock_that_jumps_changes_nothing_but_the_times_that_are_shown() {
        let rows = |record: &RunRecord| -> Vec<Vec<String>> {
            let bytes = Format::Csv.render(record, &Summary::of(record));
            let mut reader = ::csv::Reader::from_reader(bytes.as_slice());
            let started = reader
                .headers()
                .unwrap()
                .iter()
                .position(|name| name == "started_at");
            let mut rows: Vec<Vec<String>> = reader.deserialize().map(Result::unwrap).collect();
            for row in &mut rows {
                row.remove(started.unwrap());
            }
            rows
        };
        let steady = fixture::sample(12, 1, &["default"]);
        let jumping = fixture::sample_with_a_jumping_clock(12);
        assert!(
            steady
                .trials
                .iter()
                .zip(&jumping.trials)
                .any(|(a, b)| a.started_at != b.started_at)
        );
        assert_eq!(rows(&steady), rows(&jumping));
        assert_eq!(Summary::of(&steady).all, Summary::of(&jumping).all);
    }

    #[test]
    fn every_format_is_found_by_its_word() {
        for format in Format::ALL {
            assert_eq!(format.to_string().parse(), Ok(format));
        }
        assert_eq!("markdown".parse(), Ok(Format::Markdown));
        assert!(
            "pdf"
                .parse::<Format>()
                .unwrap_err()
                .to_string()
                .contains("`pdf`")
        );
    }
}
