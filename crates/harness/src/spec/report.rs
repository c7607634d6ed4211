//! `report`: where a run's folder is made and which files are written into it at the end.

use std::path::PathBuf;

use serde_json::{Value as Json, json};
use serde_yaml::Value;

use super::reader::{Context, Field, tidy};
use super::{resolved, schema};

pub(super) const KEYS: [&str; 2] = ["dir", "formats"];
const DEFAULT_DIR: &str = "runs";

/// The files of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportSpec {
    /// The folder that the runs' folders are made in; absolute. Relative to where the command was given, so that all
    /// specs of a project share one.
    pub dir: PathBuf,
    /// What is written beside the journal; each at most once.
    pub formats: Vec<ReportFormat>,
}

/// A kind of report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportFormat {
    /// `results.csv`.
    Csv,
    /// `results.json`.
    Json,
    /// `junit.xml`.
    Junit,
    /// `report.html`.
    Html,
    /// `summary.md`.
    Markdown,
}

impl ReportFormat {
    /// All of them, which is also the default.
    pub const ALL: [Self; 5] = [
        Self::Csv,
        Self::Json,
        Self::Junit,
        Self::Html,
        Self::Markdown,
    ];

    /// The word of the spec.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Junit => "junit",
            Self::Html => "html",
            Self::Markdown => "md",
        }
    }
}

impl ReportSpec {
    pub(super) fn read(ctx: &mut Context<'_>, field: Option<&Field<'_>>) -> Self {
        let section = field.and_then(|field| ctx.section(field, &KEYS));
        let get = |key: &str| section.as_ref().and_then(|section| section.get(key));
        let dir = get("dir").and_then(|field| ctx.path(&field).and_then(|_| ctx.name(&field)));
        let formats = get("formats").and_then(|field| read_formats(ctx, &field));
        Self {
            dir: tidy(&ctx.current_dir.join(dir.as_deref().unwrap_or(DEFAULT_DIR))),
            formats: formats.unwrap_or_else(|| ReportFormat::ALL.to_vec()),
        }
    }

    pub(super) fn resolved(&self) -> Value {
        let formats = self.formats.iter().map(|format| Value::from(format.name()));
        resolved::map([
            ("dir", resolved::path(&self.dir)),
            ("formats", formats.collect()),
        ])
    }
}

fn read_formats(ctx: &mut Context<'_>, field: &Field<'_>) -> Option<Vec<ReportFormat>> {
    let items = ctx.list(field)?;
    let choices = ReportFormat::ALL.map(|format| (format.name(), format));
    let mut formats = Vec::with_capacity(items.len());
    for item in &items {
        if ctx.shown(item) == "`parquet`" {
            let hint = "remove it; `csv` and `json` have the same data";
            ctx.report(
                item.error("not supported yet: the report format `parquet`")
                    .hint(hint),
            );
            continue;
        }
        if let Some(format) = ctx.choice(item, &choices)
            && !formats.contains(&format)
        {
            formats.push(format);
        }
    }
    Some(formats)
}

pub(super) fn json_schema() -> Json {
    let names: Vec<_> = ReportFormat::ALL
        .iter()
        .map(|format| format.name())
        .collect();
    let formats = json!({
        "description": "The files written at the end of a run. Default: all of them.",
        "type": "array",
        "items": schema::choice(&names, "A kind of report."),
    });
    schema::object(
        "The files of a run.",
        vec![
            (
                "dir",
                schema::text(
                    "The folder that the runs' folders are made in, relative to the current directory. Default: runs.",
                ),
            ),
            ("formats", formats),
        ],
        &[],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::testing::{errors, spec};

    #[test]
    fn formats_come_once_and_parquet_comes_later() {
        let report = spec("report: {dir: out/../results, formats: [csv, html, csv]}").report;
        assert!(report.dir.is_absolute() && report.dir.ends_with("results"));
        assert_eq!(report.formats, [ReportFormat::Csv, ReportFormat::Html]);
        assert_eq!(spec("").report.formats, ReportFormat::ALL);
        let text = "version: 1\nfleet: {endpoint: local, local: {environments: [.], tasks: [spec.yaml]}}\ntasks: {project: p}\nagent: {command: [a]}\nreport: {formats: [parquet, jsn]}\n";
        let found = errors(text);
        assert!(
            found[0].starts_with("not supported yet") && found[1].contains("cannot be"),
            "{found:?}"
        );
    }
}
