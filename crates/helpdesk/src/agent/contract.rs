//! What the agent gets and gives: the variables of the agent contract, the result file, the exit
//! code.

use std::{io, path::PathBuf, str::FromStr};

use serde::Serialize;
use url::Url;

/// Exit code of an agent whose environment was not there: try again, it was not the agent's fault.
const EX_TEMPFAIL: u8 = 75;

/// How good the agent is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Skill {
    /// Reads one page of a list and never the handbook, tires after six edits, forgets the second
    /// half of a request.
    Novice,
    /// Careful and patient, but overlooks exceptions to a rule and gives up on long jobs.
    #[default]
    Regular,
    /// Does everything that the demo's tasks ask for.
    Expert,
}

impl Skill {
    /// Every skill with its name on the command line.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("novice", Self::Novice),
        ("regular", Self::Regular),
        ("expert", Self::Expert),
    ];
}

impl FromStr for Skill {
    type Err = AgentEnvError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, skill)| *skill)
            .ok_or_else(|| AgentEnvError::Skill {
                text: text.to_owned(),
            })
    }
}

/// Why the agent cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum AgentEnvError {
    /// A variable of the contract is not set.
    #[error("{name} is not set; start the agent with `harness run`")]
    Missing {
        /// The variable.
        name: &'static str,
    },
    /// A variable has a value that makes no sense.
    #[error("{name} is \"{value}\", which is not {expected}")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// What was expected.
        expected: &'static str,
    },
    /// No such skill.
    #[error("there is no skill \"{text}\"; there are novice, regular and expert")]
    Skill {
        /// What was asked for.
        text: String,
    },
}

/// Why the agent's work could not be put down. What it did in the environment stays done.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The result or transcript file cannot be written.
    #[error("{path} cannot be written")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The HTTP client cannot be set up.
    #[error("the HTTP client cannot be set up")]
    Client(#[source] reqwest::Error),
}

/// The part of the agent contract that this agent uses.
#[derive(Debug, Clone)]
pub struct AgentEnv {
    /// `FLEET_TASK_PROMPT`.
    pub prompt: String,
    /// `FLEET_APP_URL`, else `FLEET_ENV_URL`; ends with a slash.
    pub app_url: Url,
    /// `FLEET_TASK_KEY`, for the transcript only: what to do is in the prompt.
    pub task_key: Option<String>,
    /// `HARNESS_RESULT_FILE`.
    pub result_file: Option<PathBuf>,
    /// `HARNESS_TRANSCRIPT_FILE`.
    pub transcript_file: Option<PathBuf>,
    /// `HARNESS_TRIAL`, 1 if not set. Some slips happen in every other trial only.
    pub trial: u32,
    /// `FLEET_MAX_STEPS`; no limit if not set.
    pub max_steps: Option<u32>,
}

impl AgentEnv {
    /// Reads the contract through `variable`, which looks a name up in the environment.
    ///
    /// # Errors
    ///
    /// If the prompt or every URL is missing, or a value makes no sense.
    pub fn from_variables(
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, AgentEnvError> {
        let filled = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let (name, value) = filled("FLEET_APP_URL")
            .map(|value| ("FLEET_APP_URL", value))
            .or_else(|| filled("FLEET_ENV_URL").map(|value| ("FLEET_ENV_URL", value)))
            .ok_or(AgentEnvError::Missing {
                name: "FLEET_APP_URL",
            })?;
        let mut app_url = match Url::parse(value.trim()) {
            Ok(url) if url.has_host() && matches!(url.scheme(), "http" | "https") => url,
            _ => {
                return Err(AgentEnvError::Invalid {
                    name,
                    value,
                    expected: "an HTTP address",
                });
            }
        };
        if !app_url.path().ends_with('/') {
            // Without it, joining a path would replace the last part.
            app_url.set_path(&format!("{}/", app_url.path()));
        }
        Ok(Self {
            prompt: filled("FLEET_TASK_PROMPT").ok_or(AgentEnvError::Missing {
                name: "FLEET_TASK_PROMPT",
            })?,
            app_url,
            task_key: filled("FLEET_TASK_KEY"),
            result_file: filled("HARNESS_RESULT_FILE").map(PathBuf::from),
            transcript_file: filled("HARNESS_TRANSCRIPT_FILE").map(PathBuf::from),
            trial: number("HARNESS_TRIAL", filled("HARNESS_TRIAL"))?.unwrap_or(1),
            max_steps: number("FLEET_MAX_STEPS", filled("FLEET_MAX_STEPS"))?,
        })
    }
}

fn number(name: &'static str, value: Option<String>) -> Result<Option<u32>, AgentEnvError> {
    let Some(value) = value else { return Ok(None) };
    match value.trim().parse() {
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(AgentEnvError::Invalid {
            name,
            value,
            expected: "a whole number",
        }),
    }
}

/// Whose fault an unfinished task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ErrorKind {
    /// The environment was not there.
    Infrastructure,
    /// The agent could not do it.
    Agent,
}

/// What the agent leaves in `HARNESS_RESULT_FILE`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AgentResult {
    /// The answer to a question, or a sentence about what was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub final_answer: Option<String>,
    /// Whether the agent believes to be done.
    pub completed: bool,
    /// Why it is not done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whose fault that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_kind: Option<ErrorKind>,
    /// Requests to the app.
    pub steps_taken: u32,
}

impl AgentResult {
    /// 0 done, 1 gave up, 75 the environment was not there.
    pub fn exit_code(&self) -> u8 {
        match (self.completed, self.error_kind) {
            (true, _) => 0,
            (false, Some(ErrorKind::Infrastructure)) => EX_TEMPFAIL,
            (false, _) => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(variables: &[(&str, &str)]) -> Result<AgentEnv, AgentEnvError> {
        AgentEnv::from_variables(|name| {
            variables
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_app_goes_before_the_environment() {
        let both = [
            ("FLEET_TASK_PROMPT", "x"),
            ("FLEET_APP_URL", "http://127.0.0.1:1/desk"),
            ("FLEET_ENV_URL", "http://127.0.0.1:2/"),
        ];
        assert_eq!(
            env(&both).unwrap().app_url.as_str(),
            "http://127.0.0.1:1/desk/"
        );
        assert_eq!(env(&[both[0], both[2]]).unwrap().app_url.port(), Some(2));
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let prompt = ("FLEET_TASK_PROMPT", "x");
        let url = ("FLEET_APP_URL", "http://127.0.0.1:1/");
        for (variables, name) in [
            (vec![prompt], "FLEET_APP_URL"),
            (vec![url], "FLEET_TASK_PROMPT"),
            (vec![prompt, ("FLEET_APP_URL", "desk")], "FLEET_APP_URL"),
            (
                vec![prompt, url, ("FLEET_MAX_STEPS", "many")],
                "FLEET_MAX_STEPS",
            ),
        ] {
            assert!(
                env(&variables).unwrap_err().to_string().contains(name),
                "{name}"
            );
        }
    }

    #[test]
    fn exit_codes() {
        let result = |completed, error_kind| AgentResult {
            final_answer: None,
            completed,
            error: None,
            error_kind,
            steps_taken: 0,
        };
        assert_eq!(result(true, None).exit_code(), 0);
        assert_eq!(result(false, Some(ErrorKind::Agent)).exit_code(), 1);
        assert_eq!(
            result(false, Some(ErrorKind::Infrastructure)).exit_code(),
            75
        );
    }
}
