//! Stores raw log entries of a job.

use std::path::{Path, PathBuf};

use clap::Args;
use fleet_api::Client;
use fleet_api::types::{JobId, JobLogBody};
use run_record::ExitCode;
use serde_json::{Map, Value};

use crate::commands::fleet::failed::{Done, Failed};
use crate::commands::fleet::input;
use crate::commands::fleet::output::Output;

/// Entries of one request, as the official client sends them.
const ENTRIES_PER_REQUEST: usize = 100;

#[derive(Debug, Args)]
pub(super) struct LogArgs {
    /// The job
    job: String,
    /// The entries: JSON objects, one a line, or an array of them; `-` is stdin
    file: PathBuf,
}

pub(super) async fn log(args: LogArgs, client: &Client, out: Output) -> Done {
    let job = JobId::new(args.job);
    let entries = entries(&args.file)?;
    for batch in entries.chunks(ENTRIES_PER_REQUEST) {
        let body = JobLogBody {
            job_id: job.clone(),
            entries: batch.to_vec(),
        };
        client.log_job(&body).await?;
    }
    if out.json {
        out.printer
            .json(&serde_json::json!({"job_id": job, "entries": entries.len()}));
    }
    let entries = match entries.len() {
        1 => "1 entry".to_owned(),
        number => format!("{number} entries"),
    };
    out.note(format!("stored {entries} of {job}"));
    Ok(ExitCode::Success)
}

fn entries(path: &Path) -> Result<Vec<Map<String, Value>>, Failed> {
    let text = input::read(path)?;
    let entries = input::objects(&text, path)?;
    if entries.is_empty() {
        return Err(Failed::usage(format!("{} has no entries", path.display())));
    }
    Ok(entries)
}
