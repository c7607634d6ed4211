//! From a request to a grade: what is collected, who is asked, and how long.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fleet_api::types::{GradeBody, GradeResponse, Rubric};
use redact::{Redactor, names_a_secret};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, json};
use tokio::sync::Semaphore;
use url::Url;

use super::collect::{self, Collected, Wanted};
use super::command::Program;
use super::model::Endpoint;
use super::{answer, command, model, prompt, summary};
use crate::manager::files::Tree;
use crate::programs::Programs;
use crate::seam::InstanceView;

/// Gradings at a time; others wait.
const PARALLEL: usize = 16;

/// The official client gives up after five minutes; the answer a little before tells it why.
const TIME_LIMIT: Duration = Duration::from_mins(4);

/// Criteria of one rubric.
const CRITERIA: usize = 200;

/// Who grades.
#[derive(Debug, Clone)]
pub struct JudgeConfig {
    /// How a grade is had.
    pub engine: JudgeEngine,
    /// What callers must send as `X-Fleet-Judge-Token`. None: whoever may call the server may ask for a grade.
    pub token: Option<SecretString>,
    /// The longest that one grading may take.
    pub time_limit: Duration,
}

impl JudgeConfig {
    /// A judge for every caller, with the default time limit.
    pub fn new(engine: JudgeEngine) -> Self {
        Self {
            engine,
            token: None,
            time_limit: TIME_LIMIT,
        }
    }
}

/// How a grade is had.
#[derive(Debug, Clone)]
pub enum JudgeEngine {
    /// A program with its arguments: a JSON request on standard input, a JSON answer on standard output.
    Command(Vec<String>),
    /// An OpenAI-compatible endpoint.
    Model {
        /// The base to which `/chat/completions` is added, for example `https://api.openai.com/v1`.
        url: Url,
        /// The model, unless a request names another.
        model: String,
        /// Sent as bearer token.
        key: Option<SecretString>,
    },
}

/// Why there is no grade, or no summary.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JudgeError {
    /// The request cannot be graded as it stands.
    #[error("{0}")]
    Request(String),
    /// The judge was asked and gave nothing usable. Asking again would give the same.
    #[error("the judge failed: {0}")]
    Failed(String),
    /// The judge could not be reached, or has too much to do.
    #[error("the judge could not be reached: {0}")]
    Unreachable(String),
}

/// What an engine is asked.
pub(super) struct Question<'q> {
    pub(super) body: &'q GradeBody,
    pub(super) collected: &'q Collected,
}

/// The configured judge.
#[derive(Debug)]
pub(crate) struct Judge {
    config: JudgeConfig,
    scratch: PathBuf,
    http: reqwest::Client,
    running: Semaphore,
    programs: Programs,
    redactor: Redactor,
}

impl Judge {
    /// `scratch` is a folder for the files of gradings.
    pub(crate) fn new(
        config: JudgeConfig,
        scratch: PathBuf,
        programs: Programs,
    ) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self {
            redactor: redactor(&config.engine),
            config,
            scratch,
            http,
            running: Semaphore::new(PARALLEL),
            programs,
        })
    }

    pub(crate) fn token(&self) -> Option<&SecretString> {
        self.config.token.as_ref()
    }

    /// Dropping the future ends what was started for it.
    pub(crate) async fn grade(
        &self,
        body: &GradeBody,
        instance: Option<Arc<dyn InstanceView>>,
    ) -> Result<GradeResponse, JudgeError> {
        check(body)?;
        let collected = self.collect(body, instance).await?;
        let started = Instant::now();
        let asked = async {
            let _permit = self.running.acquire().await;
            self.ask(&Question {
                body,
                collected: &collected,
            })
            .await
        };
        let raw = self.in_time(asked).await?;
        let mut grade = answer::complete(raw, &body.rubric).map_err(JudgeError::Failed)?;
        let elapsed = started.elapsed().as_secs_f64() * 1e3;
        let notes = grade.accumulators.get_or_insert_with(Map::new);
        notes.entry("elapsed_ms").or_insert_with(|| json!(elapsed));
        grade
            .execution_id
            .get_or_insert_with(|| uuid::Uuid::new_v4().to_string().into());
        Ok(grade)
    }

    /// What there is to say of sessions of a job, or of what was said of parts of them. `model`: instead of the configured one.
    ///
    /// Does not wait behind gradings nor they behind it: how many questions are asked at a time is the caller's business.
    /// Dropping the future ends what was started for it.
    pub(crate) async fn summarise(
        &self,
        model: Option<&str>,
        material: &str,
    ) -> Result<String, JudgeError> {
        let asked = async {
            match self.engine() {
                Engine::Program(program) => summary::by_program(&program, model, material).await,
                Engine::Endpoint(endpoint) => summary::by_model(&endpoint, model, material).await,
            }
        };
        let text = self.in_time(asked).await?;
        Ok(self.redactor.text(&text).into_owned())
    }

    async fn in_time<T>(
        &self,
        asked: impl Future<Output = Result<T, JudgeError>>,
    ) -> Result<T, JudgeError> {
        let limit = self.config.time_limit;
        tokio::time::timeout(limit, asked)
            .await
            .unwrap_or_else(|_| {
                let seconds = limit.as_secs();
                Err(JudgeError::Failed(format!("no answer within {seconds} s")))
            })
    }

    async fn collect(
        &self,
        body: &GradeBody,
        instance: Option<Arc<dyn InstanceView>>,
    ) -> Result<Collected, JudgeError> {
        let wanted = wanted(body);
        if wanted.is_empty() {
            return Ok(Collected::default());
        }
        let Some(instance) = instance.filter(|instance| instance.is_running()) else {
            return Err(JudgeError::Request(format!(
                "files can only be collected from a running instance, and {} is none",
                body.instance_id
            )));
        };
        let collecting = move || collect::collect(&Tree::of(instance.files()), &wanted);
        tokio::task::spawn_blocking(collecting)
            .await
            .map_err(|panic| JudgeError::Failed(panic.to_string()))?
            .map_err(JudgeError::Request)
    }

    async fn ask(&self, question: &Question<'_>) -> Result<GradeResponse, JudgeError> {
        match self.engine() {
            Engine::Program(program) => command::ask(&program, question).await,
            Engine::Endpoint(endpoint) => model::ask(&endpoint, question).await,
        }
    }

    fn engine(&self) -> Engine<'_> {
        match &self.config.engine {
            JudgeEngine::Command(words) => Engine::Program(Program {
                words,
                scratch: &self.scratch,
                programs: &self.programs,
                redactor: &self.redactor,
            }),
            JudgeEngine::Model { url, model, key } => Engine::Endpoint(Endpoint {
                http: &self.http,
                url,
                model,
                key: key.as_ref(),
                redactor: &self.redactor,
            }),
        }
    }
}

/// Knows the endpoint's key; of a program, which has the server's environment, all that are named as secrets there.
fn redactor(engine: &JudgeEngine) -> Redactor {
    match engine {
        JudgeEngine::Command(_) => {
            let secrets = std::env::vars_os()
                .filter(|(name, _)| names_a_secret(&name.to_string_lossy()))
                .map(|(_, value)| value.into_encoded_bytes());
            Redactor::new(secrets)
        }
        JudgeEngine::Model { key, .. } => {
            Redactor::new(key.iter().map(SecretString::expose_secret))
        }
    }
}

/// The engine with what it needs to be asked.
enum Engine<'e> {
    Program(Program<'e>),
    Endpoint(Endpoint<'e>),
}

/// The groups, and the attachments that are files of the instance and name none of the groups.
fn wanted(body: &GradeBody) -> Wanted {
    let groups = body.collect.clone().unwrap_or_default();
    let attachments = body.images.iter().chain(&body.files).flatten();
    let files = attachments
        .filter(|attachment| attachment.source == "collect")
        .map(|attachment| {
            let label = prompt::label(attachment);
            let file = attachment.selector.as_deref().unwrap_or(label);
            (label.to_owned(), file.to_owned())
        })
        .filter(|(_, file)| !groups.contains_key(file))
        .collect();
    Wanted { groups, files }
}

fn check(body: &GradeBody) -> Result<(), JudgeError> {
    let wrong = |text: &str| Err(JudgeError::Request(text.to_owned()));
    match &body.rubric {
        Rubric::String { text } if text.trim().is_empty() => wrong("the rubric is empty"),
        Rubric::Structured { criteria, .. } if criteria.is_empty() => {
            wrong("the rubric has no criteria")
        }
        Rubric::Structured { criteria, .. } if criteria.len() > CRITERIA => {
            wrong("the rubric has more than 200 criteria")
        }
        Rubric::Structured { criteria, .. }
            if criteria
                .iter()
                .any(|one| !one.max_score.is_finite() || one.max_score <= 0.0) =>
        {
            wrong("every criterion needs a max_score above 0")
        }
        Rubric::String { .. } | Rubric::Structured { .. } => Ok(()),
    }
}
