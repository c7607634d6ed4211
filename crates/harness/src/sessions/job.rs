//! The one job that all sessions of a run belong to.
//!
//! Its name has the run's id in it. The request that makes it is durable before it leaves, so a sitting that finds one
//! without an answer looks for a job of that name before it sends the same request again: sessions never land in two.

use std::sync::OnceLock;
use std::time::Duration;

use fleet_api::types;
use run_record::{Event, JobRecord, RequestId, RunRecord};
use tokio::sync::Mutex;

use crate::runner::Notice;
use crate::trial::TrialContext;

/// How often a sitting tries to make the job before its sessions are left to the next.
const TRIES: u32 = 3;

/// How long the first trial waits for the job at most. Agents are told its id, but none needs it.
const WAIT: Duration = Duration::from_secs(30);

/// The job as far as this sitting knows it.
#[derive(Debug, Default)]
pub(crate) struct SessionJob {
    id: OnceLock<types::JobId>,
    making: Mutex<Making>,
}

#[derive(Debug, Default)]
struct Making {
    asked: Option<JobRecord>,
    failed: u32,
}

impl SessionJob {
    /// As earlier sittings left it.
    pub(crate) fn of(record: &RunRecord) -> Self {
        let job = Self {
            id: OnceLock::new(),
            making: Mutex::new(Making {
                asked: record.job.clone(),
                failed: 0,
            }),
        };
        let known = record.job.as_ref().and_then(|asked| asked.id.as_deref());
        if let Some(id) = known {
            let _ = job.id.set(types::JobId::new(id));
        }
        job
    }

    /// Its id, if it is known by now.
    pub(crate) fn id(&self) -> Option<&types::JobId> {
        self.id.get()
    }

    /// Makes it before the first trial, if the service lets us. Whatever comes of it, trials may start.
    pub(crate) async fn open(context: &TrialContext) {
        if !context.spec.fleet.sessions || context.job.id().is_some() {
            return;
        }
        // An answer that comes later is looked for later: the intent is durable.
        let opened = tokio::time::timeout(WAIT, context.job.ensure(context)).await;
        let problem = match opened {
            Ok(Ok(_)) => return,
            Ok(Err(problem)) => problem,
            Err(_) => "the service does not answer".to_owned(),
        };
        context.notify(Notice::Warning(format!(
            "the job for the run's sessions could not be made, trials go on without: {problem}"
        )));
    }

    /// Its id; made if need be.
    pub(super) async fn ensure(&self, context: &TrialContext) -> Result<types::JobId, String> {
        let mut making = self.making.lock().await;
        if let Some(id) = self.id.get() {
            return Ok(id.clone());
        }
        if making.failed >= TRIES {
            return Err("the job for the run's sessions could not be made".to_owned());
        }
        match make(context, &mut making.asked).await {
            Ok(id) => Ok(self.id.get_or_init(|| id).clone()),
            Err(problem) => {
                making.failed += 1;
                Err(problem)
            }
        }
    }
}

async fn make(
    context: &TrialContext,
    asked: &mut Option<JobRecord>,
) -> Result<types::JobId, String> {
    let before = asked.clone();
    let job = match before {
        Some(job) => {
            if let Some(id) = find(context, &job.name).await? {
                created(context, &id).await?;
                return Ok(id);
            }
            job
        }
        None => intend(context, asked).await?,
    };
    let request_id = types::RequestId::from(job.request_id.0);
    let made = context.service.create_job(&job.name, request_id).await;
    let id = made.map_err(|error| error.to_line())?.job_id;
    created(context, &id).await?;
    Ok(id)
}

async fn intend(
    context: &TrialContext,
    asked: &mut Option<JobRecord>,
) -> Result<JobRecord, String> {
    let job = JobRecord {
        request_id: RequestId::random(),
        name: context.run_id.as_str().to_owned(),
        id: None,
    };
    let intent = Event::JobIntended {
        request_id: job.request_id,
        name: job.name.clone(),
    };
    let recorded = context.record(intent).await;
    recorded.map_err(|broken| broken.to_string())?;
    Ok(asked.insert(job).clone())
}

/// The job of a request that got no answer, if the service lists it. One that does not list jobs like this one says
/// nothing; the id of the request is what is left then.
async fn find(context: &TrialContext, name: &str) -> Result<Option<types::JobId>, String> {
    match context.service.find_job(name).await {
        Ok(found) => Ok(found),
        Err(error) if error.is_retryable() || error.is_auth() => Err(error.to_line()),
        Err(_) => Ok(None),
    }
}

async fn created(context: &TrialContext, id: &types::JobId) -> Result<(), String> {
    let event = Event::JobCreated {
        job_id: id.as_str().to_owned(),
    };
    let recorded = context.record(event).await;
    recorded.map_err(|broken| broken.to_string())
}
