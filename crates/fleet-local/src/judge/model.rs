//! A judge that is a model behind an OpenAI-compatible endpoint. An answer that does not fit is sent back once.

use fleet_api::types::GradeResponse;
use redact::Redactor;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use url::Url;

use super::service::{JudgeError, Question};
use super::{answer, prompt};

/// Bytes of an endpoint's answer.
const ANSWER: usize = 4 << 20;

pub(super) struct Endpoint<'e> {
    pub(super) http: &'e reqwest::Client,
    pub(super) url: &'e Url,
    pub(super) model: &'e str,
    pub(super) key: Option<&'e SecretString>,
    /// Knows what the endpoint must not quote.
    pub(super) redactor: &'e Redactor,
}

pub(super) async fn ask(
    endpoint: &Endpoint<'_>,
    question: &Question<'_>,
) -> Result<GradeResponse, JudgeError> {
    let rubric = &question.body.rubric;
    let mut messages = prompt::messages(question)?;
    let model = question.body.model.as_deref().unwrap_or(endpoint.model);
    let format = Some(json!({"type": "json_object"}));
    let first = endpoint.complete(model, &messages, format.as_ref()).await?;
    let read = |text: &str| parse(text).and_then(|grade| answer::complete(grade, rubric));
    let grade = match read(&first) {
        Ok(grade) => grade,
        Err(problem) => {
            messages.push(json!({"role": "assistant", "content": first}));
            messages.push(json!({"role": "user", "content": format!(
                "That cannot be used: {problem}. Answer again, with one JSON object of this shape and nothing else: {}",
                prompt::shape(rubric))}));
            let second = endpoint.complete(model, &messages, format.as_ref()).await?;
            read(&second).map_err(JudgeError::Failed)?
        }
    };
    Ok(GradeResponse {
        model_used: Some(model.to_owned()),
        provider_used: endpoint.url.host_str().map(str::to_owned),
        ..grade
    })
}

impl Endpoint<'_> {
    /// The text of one completion, of a `response_format` or free.
    pub(super) async fn complete(
        &self,
        model: &str,
        messages: &[Value],
        format: Option<&Value>,
    ) -> Result<String, JudgeError> {
        let base = self.url.as_str().trim_end_matches('/');
        let mut body = json!({"model": model, "messages": messages});
        if let Some(format) = format {
            body["response_format"] = format.clone();
        }
        let mut request = self
            .http
            .post(format!("{base}/chat/completions"))
            .json(&body);
        if let Some(key) = self.key {
            request = request.bearer_auth(key.expose_secret());
        }
        let unreachable = |error: reqwest::Error| {
            // The URL may carry what nobody else should see.
            JudgeError::Unreachable(crate::error_chain(&error.without_url()))
        };
        let mut response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > ANSWER {
                return Err(JudgeError::Failed(format!(
                    "the endpoint answered more than {ANSWER} bytes"
                )));
            }
        }
        if !status.is_success() {
            let text = String::from_utf8_lossy(&bytes);
            // Masked before it is cut: half of a key is not found any more.
            let text: String = self.redactor.text(&text).chars().take(500).collect();
            let reason = format!("the endpoint answered {status}: {text}");
            let is_busy = status.is_server_error() || status.as_u16() == 429;
            return Err(if is_busy {
                JudgeError::Unreachable(reason)
            } else {
                JudgeError::Failed(reason)
            });
        }
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        answer
            .pointer("/choices/0/message/content")
            .and_then(Value::as_str)
            .map(str::to_owned)
            .ok_or_else(|| JudgeError::Failed("the endpoint answered no text".to_owned()))
    }
}

/// The JSON object within a text: models wrap it in fences and words all the same.
fn parse(text: &str) -> Result<GradeResponse, String> {
    let object = match (text.find('{'), text.rfind('}')) {
        (Some(start), Some(end)) if start < end => &text[start..=end],
        _ => return Err("it has no JSON object".to_owned()),
    };
    serde_json::from_str(object).map_err(|error| format!("it is not the JSON asked for ({error})"))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn fences_and_words_around_the_object_do_not_matter() {
        let grade = parse("Sure:\n```json\n{\"normalized_score\": 0.5}\n```\n").unwrap();
        assert_eq!(grade.normalized_score, Some(0.5));
        assert!(parse("I cannot.").is_err());
        assert!(parse("{\"criteria\": 3}").is_err());
    }
}
