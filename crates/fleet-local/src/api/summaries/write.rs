//! Writing a summary, to its end or to the reason why there is none.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use fleet_api::types::JobSummary;
use futures::{FutureExt as _, StreamExt as _, stream};

use crate::api::sessions::with_known;
use crate::api::state::App;
use crate::archive::{ArchiveError, SessionRow, StoredJob, sql};
use crate::clock::text;
use crate::cut::cut;
use crate::judge::JudgeError;
use crate::sessions::transcript;
use crate::summary::{self, Limits};

/// The longest that one is written, without its waiting.
const TIME_LIMIT: Duration = Duration::from_hours(2);

/// Scores that are read in one go.
const SCORES: usize = 250;

/// Before the end of a summary that could not be kept is tried again.
const KEEP_AGAIN: Duration = Duration::from_secs(5);

/// Before each repeat of a question whose judge could not be reached.
const PAUSES: [Duration; 3] = [
    Duration::from_secs(2),
    Duration::from_secs(10),
    Duration::from_secs(30),
];

/// A summary that is to be written.
pub(super) struct Work {
    pub(super) summary: JobSummary,
    pub(super) job: StoredJob,
    pub(super) sessions: Vec<SessionRow>,
    /// The room has the heading in it.
    pub(super) limits: Limits,
}

#[derive(Debug, thiserror::Error)]
enum WriteError {
    #[error("the server has no judge")]
    NoJudge,
    #[error(transparent)]
    Judge(JudgeError),
    #[error("the sessions could not be read")]
    Archive(#[from] ArchiveError),
}

/// Writes a summary, whatever becomes of it: nothing stays `running`.
pub(super) async fn run(app: App, work: Work) {
    let id = work.summary.summary_id.to_string();
    // Dropping the writing ends the questions that are under way.
    let ended = tokio::select! {
        biased;
        () = app.writers.stopped() => Err("the server ended before it was written; ask for it again".to_owned()),
        ended = in_turn(&app, work) => ended,
    };
    keep(&app, &id, ended).await;
}

/// The time counts from its turn: that others were before it is no fault of its own.
async fn in_turn(app: &App, work: Work) -> Result<String, String> {
    let _turn = app.writers.turn().await;
    let written = AssertUnwindSafe(write(app, work)).catch_unwind();
    match tokio::time::timeout(TIME_LIMIT, written).await {
        Ok(Ok(written)) => written.map_err(|error| crate::error_chain(&error)),
        Ok(Err(_)) => Err("a bug in the server ended its writing".to_owned()),
        Err(_) => Err(format!(
            "it was not written within {} s",
            TIME_LIMIT.as_secs()
        )),
    }
}

/// Until it is kept: one that stays `running` would have its place for ever. The server's end does not wait for a disk
/// that takes nothing; the next one ends what it finds.
async fn keep(app: &App, id: &str, ended: Result<String, String>) {
    let ended = Arc::new(ended);
    loop {
        let (id, ended) = (id.to_owned(), Arc::clone(&ended));
        let now = text(app.host.clock.now());
        let kept = app.archive.write(move |connection| {
            let ended = ended.as_ref().as_deref().map_err(String::as_str);
            sql::summaries::end(connection, &id, ended, &now)
        });
        let Err(error) = kept.await else { return };
        tracing::warn!("the end of a summary could not be kept: {error}");
        tokio::select! {
            () = app.writers.stopped() => return,
            () = tokio::time::sleep(KEEP_AGAIN) => {}
        }
    }
}

async fn write(app: &App, work: Work) -> Result<String, WriteError> {
    let judge = app.judge.as_ref().ok_or(WriteError::NoJudge)?;
    let scores = scores(app, &work.sessions).await?;
    let heading = &summary::heading(&work.job, work.sessions.len(), &scores);
    let limits = Limits {
        room: work.limits.room.saturating_sub(heading.len()),
        ..work.limits
    };
    let model = Some(work.summary.model.as_str()).filter(|model| !model.is_empty());
    let sessions =
        stream::iter(work.sessions).then(|session| shown(app.clone(), session, limits.room));
    summary::fold(sessions, limits, |texts| async move {
        let material = format!("{heading}{texts}");
        patiently(&PAUSES, || judge.summarise(model, &material))
            .await
            .map_err(WriteError::Judge)
    })
    .await
}

/// A session as the judge is shown it, in at most so many bytes. Made where it is read, which may take its time.
async fn shown(app: App, session: SessionRow, most: usize) -> Result<String, WriteError> {
    let known = app.clone();
    let text = app.archive.read(move |connection| {
        with_known(&known, |known| {
            let transcript = transcript(connection, &session.id, known)?;
            let text = summary::session(&session, &transcript.unwrap_or_default());
            Ok(cut(&text, most))
        })
    });
    Ok(text.await?)
}

/// The scores of the sessions that have one.
async fn scores(app: &App, sessions: &[SessionRow]) -> Result<Vec<f64>, ArchiveError> {
    let mut scores = Vec::new();
    // A few at a time: other readers wait meanwhile.
    for some in sessions.chunks(SCORES) {
        let ids = some
            .iter()
            .filter_map(|session| session.execution_id.clone());
        let ids: Vec<String> = ids.collect();
        let read = app.archive.read(move |connection| {
            let scores = ids.iter().map(|id| sql::executions::score(connection, id));
            scores.collect::<Result<Vec<_>, _>>()
        });
        scores.extend(read.await?.into_iter().flatten());
    }
    Ok(scores)
}

/// Asks again after a while when the judge could not be reached: what was asked before it would be lost.
async fn patiently<A>(pauses: &[Duration], ask: impl Fn() -> A) -> Result<String, JudgeError>
where
    A: Future<Output = Result<String, JudgeError>>,
{
    for pause in pauses {
        match ask().await {
            Err(JudgeError::Unreachable(reason)) => {
                tracing::debug!("asked again in {} s: {reason}", pause.as_secs());
                tokio::time::sleep(*pause).await;
            }
            answered => return answered,
        }
    }
    ask().await
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// What comes of these answers, one after the other, and how many are left.
    async fn told(answers: Vec<Result<String, JudgeError>>) -> (Result<String, String>, usize) {
        let answers = Mutex::new(answers.into_iter());
        let ask = || {
            let answer = answers.lock().unwrap().next().unwrap();
            async move { answer }
        };
        let told = patiently(&[Duration::ZERO; 3], ask)
            .await
            .map_err(|error| error.to_string());
        (told, answers.into_inner().unwrap().len())
    }

    #[tokio::test]
    async fn only_a_judge_that_is_not_reached_is_asked_again_and_not_for_ever() {
        let away = || Err(JudgeError::Unreachable("away".to_owned()));
        let (answer, left) = told(vec![away(), away(), away(), Ok("well".to_owned())]).await;
        assert_eq!((answer, left), (Ok("well".to_owned()), 0));
        let (answer, left) = told(vec![away(), away(), away(), away(), away()]).await;
        assert!(answer.unwrap_err().contains("away"));
        assert_eq!(left, 1);
        let broken = Err(JudgeError::Failed("broken".to_owned()));
        let (answer, left) = told(vec![broken, Ok("well".to_owned())]).await;
        assert!(answer.unwrap_err().contains("broken"));
        assert_eq!(left, 1);
    }
}
