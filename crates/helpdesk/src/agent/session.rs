//! One task from prompt to result: the requests with their count, the transcript, the outcome.

use std::{
    fs::{self, File},
    io::Write,
    path::PathBuf,
    time::Duration,
};

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use super::{
    contract::{AgentEnv, AgentError, AgentResult, ErrorKind, Skill},
    edits, lookups,
    play::{Play, understand},
    policies,
};

/// The app is on this machine; what takes longer does not come any more.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// A reading that did not get through is tried this often; the app may just be starting.
const READ_ATTEMPTS: u32 = 4;
/// Pause before the second attempt; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// So much of an answer goes into the transcript.
const TRANSCRIPT_LIMIT: usize = 4000;
/// Rows in one answer of the API, asked for by those who know that there are pages.
const PER_PAGE: u32 = 100;

/// Why the work stopped before its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stop {
    #[error("the environment did not answer: {0}")]
    Unreachable(String),
    #[error("{0}")]
    GaveUp(String),
    #[error(transparent)]
    Broken(AgentError),
}

/// Works on the task of `env` and leaves the result and the transcript where the contract says.
/// `progress` gets one line per step.
///
/// # Errors
///
/// If the files cannot be written. A task that is not done is not an error but a result.
pub async fn run(
    env: &AgentEnv,
    skill: Skill,
    progress: &mut (dyn FnMut(&str) + Send),
) -> Result<AgentResult, AgentError> {
    let mut session = Session::new(env, skill, progress)?;
    session.note(&json!({ "role": "user", "content": env.prompt, "task_key": env.task_key }))?;
    let outcome = session.work(&env.prompt).await;
    let mut result = AgentResult {
        final_answer: None,
        completed: false,
        error: None,
        error_kind: None,
        steps_taken: session.steps,
    };
    match outcome {
        Ok(answer) => {
            session.note(&json!({ "role": "assistant", "content": answer }))?;
            result.completed = true;
            result.final_answer = Some(answer);
        }
        Err(Stop::Broken(error)) => return Err(error),
        Err(stop) => {
            let error = stop.to_string();
            session.note(
                &json!({ "role": "assistant", "content": format!("I stop here: {error}") }),
            )?;
            result.error = Some(error);
            result.error_kind = Some(if matches!(stop, Stop::Unreachable(_)) {
                ErrorKind::Infrastructure
            } else {
                ErrorKind::Agent
            });
        }
    }
    if let Some(path) = &env.result_file {
        fs::write(path, json!(result).to_string()).map_err(|source| AgentError::Write {
            path: path.clone(),
            source,
        })?;
    }
    Ok(result)
}

/// The agent at work.
pub(super) struct Session<'a> {
    pub(super) skill: Skill,
    /// Every other trial has the slips of somebody who is usually careful.
    pub(super) distracted: bool,
    client: Client,
    base: url::Url,
    steps: u32,
    edits: u32,
    max_steps: Option<u32>,
    transcript: Option<(PathBuf, File)>,
    progress: &'a mut (dyn FnMut(&str) + Send),
}

impl<'a> Session<'a> {
    fn new(
        env: &AgentEnv,
        skill: Skill,
        progress: &'a mut (dyn FnMut(&str) + Send),
    ) -> Result<Self, AgentError> {
        // The TLS library of the process may have been chosen by somebody else already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            // Environments are on this machine or named by an address of their own.
            .no_proxy()
            .timeout(REQUEST_TIMEOUT)
            .build()
            .map_err(AgentError::Client)?;
        let transcript = match &env.transcript_file {
            Some(path) => {
                let file = File::create(path).map_err(|source| AgentError::Write {
                    path: path.clone(),
                    source,
                })?;
                Some((path.clone(), file))
            }
            None => None,
        };
        Ok(Self {
            skill,
            distracted: skill == Skill::Regular && env.trial.is_multiple_of(2),
            client,
            base: env.app_url.clone(),
            steps: 0,
            edits: 0,
            max_steps: env.max_steps,
            transcript,
            progress,
        })
    }

    async fn work(&mut self, prompt: &str) -> Result<String, Stop> {
        let play = understand(prompt)
            .ok_or_else(|| Stop::GaveUp("I do not understand what is asked for".to_owned()))?;
        match play {
            Play::Lookup(lookup) => lookups::answer(self, &lookup).await,
            Play::Edit(edit) => edits::make(self, &edit).await,
            Play::Policy(policy) => policies::apply(self, &policy).await,
        }
    }

    /// A reading.
    pub(super) async fn get(&mut self, why: &str, path: &str) -> Result<Value, Stop> {
        self.request(why, Method::GET, path, None).await
    }

    /// A change. The novice has had enough after a few, the regular after many.
    pub(super) async fn change(
        &mut self,
        why: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, Stop> {
        let patience = match self.skill {
            Skill::Novice => 6,
            Skill::Regular => 15,
            Skill::Expert => u32::MAX,
        };
        if self.edits >= patience {
            return Err(Stop::GaveUp(format!(
                "there is more to change than I can do by hand, I stop after {patience}"
            )));
        }
        self.edits += 1;
        self.request(why, method, path, body).await
    }

    /// All rows of a list, over all its pages; the novice does not notice that there are more.
    pub(super) async fn list(
        &mut self,
        why: &str,
        name: &str,
        path: &str,
    ) -> Result<Vec<Value>, Stop> {
        let separator = if path.contains('?') { '&' } else { '?' };
        if self.skill == Skill::Novice {
            let answer = self.get(why, path).await?;
            return Ok(rows(&answer, name));
        }
        let mut all = Vec::new();
        let mut page = 1;
        loop {
            let answer = self
                .get(
                    why,
                    &format!("{path}{separator}per_page={PER_PAGE}&page={page}"),
                )
                .await?;
            all.extend(rows(&answer, name));
            if page >= answer["pages"].as_u64().unwrap_or(1) {
                return Ok(all);
            }
            page += 1;
        }
    }

    /// A page of the handbook; the novice does not know that there is one.
    pub(super) async fn handbook(&mut self, slug: &str) -> Result<Option<String>, Stop> {
        if self.skill == Skill::Novice {
            return Ok(None);
        }
        let article = self
            .get("read the handbook", &format!("api/articles/{slug}"))
            .await?;
        Ok(article["body"].as_str().map(str::to_owned))
    }

    async fn request(
        &mut self,
        why: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, Stop> {
        if self.max_steps.is_some_and(|limit| self.steps >= limit) {
            return Err(Stop::GaveUp(format!(
                "{} steps were not enough",
                self.steps
            )));
        }
        self.steps += 1;
        (self.progress)(&format!("STEP {}: {why} ({method} /{path})", self.steps));
        let call = format!("call_{}", self.steps);
        let arguments =
            json!({ "method": method.as_str(), "path": format!("/{path}"), "body": body })
                .to_string();
        self.note(&json!({
            "role": "assistant",
            "content": why,
            "tool_calls": [{ "id": call, "type": "function", "function": { "name": "http", "arguments": arguments } }],
        }))
        .map_err(Stop::Broken)?;
        let (status, text) = self.send(&method, path, body.as_ref()).await?;
        self.note(&json!({ "role": "tool", "tool_call_id": call, "status": status.as_u16(), "content": shortened(&text) }))
            .map_err(Stop::Broken)?;
        if status.is_server_error() {
            return Err(Stop::Unreachable(format!("{status} for {method} /{path}")));
        }
        let value: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        if !status.is_success() {
            let message = value["error"]["message"]
                .as_str()
                .unwrap_or("no reason given");
            return Err(Stop::GaveUp(format!(
                "the desk refused {method} /{path}: {message}"
            )));
        }
        if value.is_null() {
            return Err(Stop::GaveUp(format!(
                "the answer to {method} /{path} is not JSON"
            )));
        }
        Ok(value)
    }

    async fn send(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, String), Stop> {
        let url = self
            .base
            .join(path)
            .map_err(|error| Stop::GaveUp(format!("{path} is not a path: {error}")))?;
        // A change that got no answer may have been made, so only readings are repeated.
        let attempts = if *method == Method::GET {
            READ_ATTEMPTS
        } else {
            1
        };
        let mut pause = FIRST_PAUSE;
        let mut attempt = 1;
        loop {
            let mut request = self.client.request(method.clone(), url.clone());
            if let Some(body) = body {
                request = request.json(body);
            }
            let answer = async {
                let response = request.send().await?;
                Ok::<_, reqwest::Error>((response.status(), response.text().await?))
            };
            match answer.await {
                Ok(answer) => return Ok(answer),
                Err(error) if attempt >= attempts => {
                    return Err(Stop::Unreachable(root_cause(&error)));
                }
                Err(_) => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                    attempt += 1;
                }
            }
        }
    }

    fn note(&mut self, line: &Value) -> Result<(), AgentError> {
        let Some((path, file)) = &mut self.transcript else {
            return Ok(());
        };
        writeln!(file, "{line}").map_err(|source| AgentError::Write {
            path: path.clone(),
            source,
        })
    }
}

fn rows(answer: &Value, name: &str) -> Vec<Value> {
    answer[name].as_array().cloned().unwrap_or_default()
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(TRANSCRIPT_LIMIT) {
        Some((end, _)) => format!("{} … ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}

/// The innermost message says what happened; the outer ones repeat the URL.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
