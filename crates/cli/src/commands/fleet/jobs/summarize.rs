//! Has a model sum up the sessions of a job, and waits for what it writes where the service shows it.

use std::time::Duration;

use clap::Args;
use fleet_api::types::{JobSummary, SummarizeJobBody, SummarizedJob, SummaryId, SummaryStatus};
use fleet_api::{Client, Error};
use run_record::ExitCode;

use crate::commands::fleet::failed::{Done, Failed};
use crate::commands::fleet::output::Output;

/// Between two looks at a summary that is being written, which takes a model some seconds at least.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A server may have many before it, each of which takes hours.
const LONGEST: Duration = Duration::from_hours(24);

#[derive(Debug, Args)]
#[command(
    after_help = "Prints the summary when it is written. Ctrl-C ends the waiting and not the writing; the same command finds it again.
The hosted service shows summaries on its dashboard alone; then the command says so and ends at once.
A server that asks for a judge's token gets it from FLEET_JUDGE_TOKEN."
)]
pub(super) struct SummarizeArgs {
    /// The job, by id or by name
    job: String,
    /// The model that reads its sessions; '' is the one that `harness local` has for its judge
    #[arg(long, default_value = "anthropic/claude-sonnet-4")]
    model: String,
    /// Make a summary that exists again
    #[arg(long)]
    force: bool,
    /// Tokens that the model is shown at a time
    #[arg(long, value_name = "N")]
    max_tokens: Option<u64>,
    /// Questions to the model at a time
    #[arg(long, value_name = "N")]
    concurrency: Option<u64>,
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
    let asked = client.summarize_job(&body).await?;
    let Some(id) = &asked.summary_id else {
        return on_the_dashboard(&asked, out);
    };
    out.note(format!("summary {id} is being written"));
    let ended = tokio::time::timeout(LONGEST, ended(client, id)).await;
    match ended {
        Ok(Ok(Some(summary))) => tell(&summary, out),
        Ok(Ok(None)) => on_the_dashboard(&asked, out),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(Failed::unwritten("no summary was written within a day")
            .help("the same command looks again")),
    }
}

/// The summary at its end. `None`: the service does not show summaries here.
async fn ended(client: &Client, id: &SummaryId) -> Result<Option<JobSummary>, Error> {
    loop {
        let summary = match client.job_summary(id).await {
            Ok(summary) => summary,
            Err(error) if has_no_such_route(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        if summary.status != SummaryStatus::Running {
            return Ok(Some(summary));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn has_no_such_route(error: &Error) -> bool {
    error.is_gone() || matches!(error.status(), Some(405 | 501))
}

fn on_the_dashboard(asked: &SummarizedJob, out: Output) -> Done {
    let id = asked.summary_id.as_ref().map(ToString::to_string);
    let done = out.record(
        asked,
        &[("summary", id.unwrap_or_else(|| "not named".to_owned()))],
    );
    out.note("the service writes it and shows it on its dashboard, not here");
    done
}

fn tell(summary: &JobSummary, out: Output) -> Done {
    if summary.status != SummaryStatus::Completed {
        let reason = summary.reason.as_deref().unwrap_or("it does not say why");
        let message = format!(
            "no summary was written, its status is {}: {}",
            summary.status,
            report::text::one_line(reason)
        );
        return Err(Failed::unwritten(message)
            .help("the same command tries it again; --model names another model"));
    }
    if out.json {
        out.printer.json(summary);
    } else {
        let text = summary.text.as_deref().unwrap_or_default().trim();
        out.printer.data(report::text::visible(text));
    }
    Ok(ExitCode::Success)
}
