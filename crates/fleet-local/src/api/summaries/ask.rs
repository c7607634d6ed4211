//! Asking for a summary, which is answered at once, and reading it.

use axum::extract::{Path, State};
use axum::response::Json;
use fleet_api::types::{JobSummary, SummarizeJobBody, SummarizedJob};
use http::StatusCode;
use rusqlite::Connection;

use super::write::{Work, run};
use crate::api::body::{Body, once};
use crate::api::error::ApiError;
use crate::api::judge::admitted;
use crate::api::state::App;
use crate::archive::{SessionRow, StoredJob, StoredRequest, sql};
use crate::clock::text;
use crate::judge::INSTRUCTIONS;
use crate::summary::{self, Limits};

/// Tokens of one question: fewer have no room for more than the instructions, more no model reads.
const TOKENS: std::ops::RangeInclusive<u64> = 2_000..=2_000_000;

/// Bytes of text that are taken for a token.
const TOKEN: u64 = 4;

/// Questions of one summary at a time, whatever is asked for.
const PARALLEL: u64 = 16;

/// Bytes of the questions of one summary that are under way.
const UNDER_WAY: usize = 16 << 20;

/// Characters of a model's name.
const NAME: usize = 1_024;

/// Sessions of one summary.
const SESSIONS: u64 = 10_000;

/// Summaries that are being written or wait for it.
const RUNNING: u64 = 20;

pub(in crate::api) async fn start(
    State(app): State<App>,
    body: Body,
) -> Result<Json<SummarizedJob>, ApiError> {
    admitted(&app, &body.headers)?;
    let wanted: SummarizeJobBody = body.json()?;
    check(&wanted)?;
    let request = body.request(&app, "summarize")?;
    // Not in this future, which ends when the caller hangs up: what is kept as running must have somebody who writes it.
    let begun = app.writers.spawn(begin(app.clone(), wanted, request));
    begun
        .await
        .unwrap_or_else(|panic| {
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            Err(ApiError::new(status, panic.to_string()))
        })
        .map(Json)
}

/// Not of the hosted API. An unknown one is no 404: by that clients know a service that has no such route.
pub(in crate::api) async fn get(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<JobSummary>, ApiError> {
    let unknown = format!("Summary '{id}' not found");
    let found = app
        .archive
        .read(move |connection| sql::summaries::get(connection, &id))
        .await?;
    found
        .map(Json)
        .ok_or_else(|| ApiError::bad_request(unknown))
}

fn check(wanted: &SummarizeJobBody) -> Result<(), ApiError> {
    let (least, most) = TOKENS.into_inner();
    let small = |field, least| {
        let message = format!("Input should be greater than or equal to {least}");
        Err(ApiError::invalid_field(
            field,
            message,
            "greater_than_equal",
        ))
    };
    if wanted.max_context_tokens < least {
        return small("max_context_tokens", least);
    }
    if wanted.max_context_tokens > most {
        let message = format!("Input should be less than or equal to {most}");
        let field = "max_context_tokens";
        return Err(ApiError::invalid_field(field, message, "less_than_equal"));
    }
    if wanted.max_concurrent == 0 {
        return small("max_concurrent", 1);
    }
    if wanted.model.chars().count() > NAME {
        let message = format!("String should have at most {NAME} characters");
        return Err(ApiError::invalid_field("model", message, "string_too_long"));
    }
    Ok(())
}

/// The job and its sessions as they were when a summary was asked for.
struct Seen {
    job: StoredJob,
    sessions: Vec<SessionRow>,
    hash: [u8; 32],
}

async fn begin(
    app: App,
    wanted: SummarizeJobBody,
    request: Option<StoredRequest>,
) -> Result<SummarizedJob, ApiError> {
    let now = text(app.host.clock.now());
    let job = wanted.job_id.clone();
    // Beside the writer, for whom everybody waits.
    let seen = app
        .archive
        .read(move |connection| look(connection, job.as_str()))
        .await?;
    let (answer, work) = app
        .archive
        .write(move |connection| {
            let mut work = None;
            let answer = once(connection, request.as_ref(), || {
                let (summary_id, new) = find_or_add(connection, &wanted, seen, now)?;
                work = new;
                Ok(SummarizedJob {
                    summary_id: Some(summary_id.into()),
                })
            })?;
            Ok::<_, ApiError>((answer, work))
        })
        .await?;
    if let Some(work) = work {
        app.writers.spawn(run(app.clone(), work));
    }
    Ok(answer)
}

fn look(connection: &Connection, name: &str) -> Result<Seen, ApiError> {
    let job = sql::jobs::find(connection, name)?
        .ok_or_else(|| ApiError::bad_request(format!("Job '{name}' not found")))?;
    if job.sessions == 0 || job.sessions > SESSIONS {
        return Err(ApiError::bad_request(format!(
            "Job '{name}' has {} sessions; a summary is written of 1 to {SESSIONS}",
            job.sessions
        )));
    }
    let sessions = sql::sessions::of_job(connection, &job.id)?;
    let hash = summary::fingerprint(&sessions);
    Ok(Seen {
        job,
        sessions,
        hash,
    })
}

/// The summary that answers the request, and what is to be done for it if it is new.
fn find_or_add(
    connection: &Connection,
    wanted: &SummarizeJobBody,
    seen: Seen,
    created_at: String,
) -> Result<(String, Option<Work>), ApiError> {
    let Seen {
        job,
        sessions,
        hash,
    } = seen;
    if !wanted.force_new_summary
        && let Some(id) = sql::summaries::same(connection, &job.id, &wanted.model, hash)?
    {
        return Ok((id, None));
    }
    if sql::summaries::running(connection)? >= RUNNING {
        return Err(ApiError::new(
            StatusCode::TOO_MANY_REQUESTS,
            format!(
                "{RUNNING} summaries are being written or wait for it; wait until one of them has ended"
            ),
        ));
    }
    let summary = JobSummary {
        summary_id: uuid::Uuid::new_v4().to_string().into(),
        job_id: job.id.as_str().into(),
        model: wanted.model.clone(),
        session_count: sessions.len() as u64,
        created_at,
        ..JobSummary::default()
    };
    sql::summaries::add(connection, &summary, hash)?;
    let work = Work {
        summary,
        job,
        sessions,
        limits: limits(wanted),
    };
    Ok((work.summary.summary_id.to_string(), Some(work)))
}

/// The room is what a model is shown beside its instructions; the heading is taken from it where it is known.
fn limits(wanted: &SummarizeJobBody) -> Limits {
    let bytes = usize::try_from(wanted.max_context_tokens * TOKEN).unwrap_or(usize::MAX);
    let parallel = wanted.max_concurrent.min(PARALLEL);
    let parallel = usize::try_from(parallel).unwrap_or(1);
    Limits {
        room: bytes - INSTRUCTIONS.len(),
        parallel: parallel.min((UNDER_WAY / bytes).max(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_questions_are_asked_fewer_at_a_time() {
        let parallel = |tokens, concurrent| {
            let mut wanted = SummarizeJobBody::new("j", "m");
            wanted.max_context_tokens = tokens;
            wanted.max_concurrent = concurrent;
            limits(&wanted).parallel
        };
        assert_eq!(parallel(180_000, 20), 16);
        assert_eq!(parallel(180_000, 3), 3);
        assert_eq!(parallel(2_000_000, 20), 2);
        assert_eq!(parallel(2_000, 1), 1);
    }
}
