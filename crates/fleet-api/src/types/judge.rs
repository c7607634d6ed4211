//! The judge: a model that grades an answer by a rubric.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::id::{ExecutionId, InstanceId, TaskKey};

/// Body of `POST /v1/judge/grade`. Fields without a value are not written, except `submission`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GradeBody {
    /// The instance that was worked in.
    pub instance_id: InstanceId,
    /// What is graded, for example the agent's answer.
    #[serde(default)]
    pub submission: Option<String>,
    /// Whether the judge may look around in the instance.
    #[serde(default)]
    pub agentic: bool,
    /// What it is graded by.
    pub rubric: Rubric,
    /// What would have been right: text or an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ground_truth: Option<Value>,
    /// What was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// What else the judge should know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// What was said before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<Vec<Value>>,
    /// The model that judges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Its provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskKey>,
    /// Turns of an agentic judge, 1–50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_turns: Option<u32>,
    /// Name → patterns of files of the instance that are collected for the judge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collect: Option<BTreeMap<String, Vec<String>>>,
    /// Pictures for the judge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<Vec<Attachment>>,
    /// Files for the judge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<Attachment>>,
}

/// What an answer is graded by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Rubric {
    /// Free text.
    String {
        /// The text.
        text: String,
    },
    /// Criteria with points.
    Structured {
        /// The criteria.
        criteria: Vec<Criterion>,
        /// In place of the judge's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        system_prompt: Option<String>,
    },
}

impl Default for Rubric {
    fn default() -> Self {
        Self::String {
            text: String::new(),
        }
    }
}

/// One criterion of a structured rubric.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Criterion {
    /// Its name.
    pub name: String,
    /// Points it is worth; whole ones are written without a fraction.
    #[serde(serialize_with = "points")]
    pub max_score: f64,
    /// Lines of `- N points: text`, highest first.
    #[serde(default)]
    pub description: String,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    clippy::cast_possible_truncation,
    reason = "serde passes references; the range is checked just before"
)]
fn points<S: Serializer>(points: &f64, to: S) -> Result<S::Ok, S::Error> {
    if points.fract() == 0.0 && points.abs() < 1e15 {
        to.serialize_i64(*points as i64)
    } else {
        to.serialize_f64(*points)
    }
}

/// A picture or file for the judge, from one of several sources.
///
/// `Attachment::s3`, `::url`, `::bytes` and `::collect` make one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Attachment {
    /// `s3`, `url`, `base64` or `collect`.
    pub source: String,
    /// Of `s3` and `url`: where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Of `base64`: the bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// Of `collect`: the name under which it was collected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// For example `image/png`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// Its file name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    /// What the judge is told it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// Answer of `POST /v1/judge/grade`.
///
/// A judge that says no score said none: the official client reads that as 0, this one does not.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GradeResponse {
    /// Total of maximum, 0.0–1.0.
    #[serde(default)]
    pub normalized_score: Option<f64>,
    /// Points given.
    #[serde(default)]
    pub total_score: Option<f64>,
    /// Points there were.
    #[serde(default)]
    pub max_score: Option<f64>,
    /// The grade of each criterion.
    #[serde(default)]
    pub criteria: Option<Vec<GradedCriterion>>,
    /// The judge's words.
    #[serde(default)]
    pub feedback: Option<String>,
    /// The model that judged.
    #[serde(default)]
    pub model_used: Option<String>,
    /// Its provider.
    #[serde(default)]
    pub provider_used: Option<String>,
    /// This grading.
    #[serde(default)]
    pub execution_id: Option<ExecutionId>,
    /// What the judge noted on the way: errors, successes, details, timing.
    #[serde(default)]
    pub accumulators: Option<serde_json::Map<String, Value>>,
}

/// The grade of one criterion.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GradedCriterion {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Points given.
    #[serde(default)]
    pub score: Option<f64>,
    /// Points there were.
    #[serde(default)]
    pub max_score: Option<f64>,
    /// Why.
    #[serde(default)]
    pub reasoning: Option<String>,
}
