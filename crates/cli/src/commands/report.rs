//! `harness report`: the files of a run, from its record.

use std::io::Write as _;
use std::path::Path;

use harness::spec::ReportFormat;
use report::{Format, Summary};
use run_record::{ExitCode, RunLayout, RunRecord};

use crate::args::ReportArgs;
use crate::failure::{Failure, Outcome};
use crate::printer::Printer;
use crate::runs;

pub(crate) fn report(args: &ReportArgs, printer: Printer) -> Outcome {
    let found = runs::find(&args.dir.runs, &args.run)?;
    let Some(format) = &args.format else {
        write_reports(&found.record, &found.layout, &ReportFormat::ALL)?;
        printer.say(format_args!(
            "wrote the reports in {}",
            found.layout.root().display()
        ));
        return Ok(ExitCode::Success);
    };
    let format: Format = format.parse().map_err(|_| {
        Failure::usage(format!("error: not supported yet: the format `{format}`"))
            .hint("there are csv, json, junit, html and md")
    })?;
    let bytes = format.render(&found.record, &Summary::of(&found.record));
    match &args.output {
        None => printer.bytes(&bytes),
        Some(path) => {
            replace_file(path, &bytes).map_err(|error| {
                Failure::usage(format!(
                    "error: could not write `{}`: {error}",
                    path.display()
                ))
            })?;
            printer.say(format_args!("wrote {}", path.display()));
        }
    }
    Ok(ExitCode::Success)
}

/// Writes the formats into the run's folder.
pub(crate) fn write_reports(
    record: &RunRecord,
    layout: &RunLayout,
    formats: &[ReportFormat],
) -> Result<(), Failure> {
    let summary = Summary::of(record);
    for format in formats {
        let format: Format = format
            .name()
            .parse()
            .expect("the spec's formats are the reports' formats");
        let path = layout.file(format.file_name());
        replace_file(&path, &format.render(record, &summary)).map_err(|error| {
            Failure::fatal(format!(
                "error: could not write `{}`: {error}",
                path.display()
            ))
        })?;
    }
    Ok(())
}

/// The old file or the new one, never a half: a temporary file, synced, moved over.
fn replace_file(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".writing-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    std::fs::File::open(folder)?.sync_all()
}
