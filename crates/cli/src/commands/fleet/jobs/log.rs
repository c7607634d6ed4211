//! What is added to a job: raw log entries, and a summary that a model writes.

use std::path::{Path, PathBuf};

use clap::Args;
use fleet_api::Client;
use fleet_api::types::{JobId, JobLogBody, SummarizeJobBody};
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

#[derive(Debug, Args)]
pub(super) struct SummarizeArgs {
    /// The job
    job: String,
    /// The model that reads its sessions
    #[arg(long)]
    model: String,
    /// Make a summary that exists again
    #[arg(long)]
    force: bool,
    /// Tokens of a session that are read
    #[arg(long, value_name = "N")]
    max_tokens: Option<u64>,
    /// Sessions read at a time
    #[arg(long, value_name = "N")]
    concurrency: Option<u64>,
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

pub(super) async fn summarize(args: SummarizeArgs, client: &Client, out: Output) -> Done {
    let mut body = SummarizeJobBody::new(args.job, args.model);
    body.force_new_summary = args.force;
    if let Some(tokens) = args.max_tokens {
        body.max_context_tokens = tokens;
    }
    if let Some(concurrency) = args.concurrency {
        body.max_concurrent = concurrency;
    }
    let summary = client.summarize_job(&body).await?;
    let id = summary
        .summary_id
        .clone()
        .unwrap_or_else(|| "not named".to_owned());
    out.record(&summary, &[("summary", id)])
}
