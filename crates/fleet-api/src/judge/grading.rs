//! The request to a judge, one thing after the other.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::types::{Attachment, GradeBody, InstanceId, Rubric, TaskKey};

impl GradeBody {
    /// Of what was done in `instance`, by `rubric`.
    pub fn of(instance: impl Into<InstanceId>, rubric: impl Into<Rubric>) -> Self {
        Self {
            instance_id: instance.into(),
            ..Self::by(rubric)
        }
    }

    /// By `rubric`; the instance is still to be named. [`Environment::grade`](crate::Environment::grade)
    /// does that.
    pub fn by(rubric: impl Into<Rubric>) -> Self {
        Self {
            rubric: rubric.into(),
            ..Self::default()
        }
    }

    /// What is graded, for example the agent's answer.
    pub fn submission(mut self, text: impl Into<String>) -> Self {
        self.submission = Some(text.into());
        self
    }

    /// What would have been right: text or an object.
    pub fn ground_truth(mut self, truth: impl Into<Value>) -> Self {
        self.ground_truth = Some(truth.into());
        self
    }

    /// What was asked for.
    pub fn problem(mut self, text: impl Into<String>) -> Self {
        self.problem = Some(text.into());
        self
    }

    /// What else the judge should know. To be said before [`GradeBody::reference_claims`].
    pub fn context(mut self, text: impl Into<String>) -> Self {
        self.context = Some(text.into());
        self
    }

    /// Claims to hold the submission against; they become a section of the context.
    pub fn reference_claims(mut self, claims: impl AsRef<str>) -> Self {
        let section = format!("## Reference Claims\n{}", claims.as_ref());
        self.context = Some(match self.context {
            Some(context) if !context.is_empty() => format!("{context}\n\n{section}"),
            _ => section,
        });
        self
    }

    /// One message of what was said before.
    pub fn message(mut self, role: impl Into<String>, content: impl Into<Value>) -> Self {
        let message = serde_json::json!({"role": role.into(), "content": content.into()});
        self.conversation.get_or_insert_default().push(message);
        self
    }

    /// By this model, of this provider if it matters.
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// By a model of this provider.
    pub fn provider(mut self, provider: impl Into<String>) -> Self {
        self.provider = Some(provider.into());
        self
    }

    /// As part of this task.
    pub fn task(mut self, key: impl Into<TaskKey>) -> Self {
        self.task_id = Some(key.into());
        self
    }

    /// By a judge that looks around in the instance, for at most `turns` turns (1–50) if that is said.
    pub fn agentic(mut self, turns: Option<u32>) -> Self {
        self.agentic = true;
        self.max_turns = turns;
        self
    }

    /// With the files of the instance that match one of `patterns`, under a name.
    pub fn collect<P: Into<String>>(
        mut self,
        name: impl Into<String>,
        patterns: impl IntoIterator<Item = P>,
    ) -> Self {
        let patterns = patterns.into_iter().map(Into::into).collect();
        let collect: &mut BTreeMap<_, _> = self.collect.get_or_insert_default();
        collect.insert(name.into(), patterns);
        self
    }

    /// With a picture, under a label.
    pub fn image(mut self, label: impl Into<String>, image: Attachment) -> Self {
        let image = Attachment {
            label: Some(label.into()),
            // The official client names pictures by their label alone.
            filename: None,
            ..image
        };
        self.images.get_or_insert_default().push(image);
        self
    }

    /// With a file, under a label.
    pub fn file(mut self, label: impl Into<String>, file: Attachment) -> Self {
        let label = Some(label.into());
        self.files
            .get_or_insert_default()
            .push(Attachment { label, ..file });
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_grading_says_what_the_official_client_says() {
        let body = GradeBody::of("a1b2c3d4", "be kind")
            .submission("I closed it.")
            .context("ctx")
            .reference_claims("claim")
            .message("user", "Close it.")
            .agentic(Some(5))
            .collect("logs", ["*.log"])
            .image("plot", Attachment::bytes("plot.png", b"x"))
            .file("part", Attachment::collect("part.step"));
        assert_eq!(
            serde_json::to_value(body).unwrap(),
            json!({"instance_id": "a1b2c3d4", "submission": "I closed it.", "agentic": true, "max_turns": 5,
                "rubric": {"type": "string", "text": "be kind"},
                "context": "ctx\n\n## Reference Claims\nclaim",
                "conversation": [{"role": "user", "content": "Close it."}],
                "collect": {"logs": ["*.log"]},
                "images": [{"source": "base64", "data": "eA==", "media_type": "image/png", "label": "plot"}],
                "files": [{"source": "collect", "selector": "part.step", "label": "part"}]})
        );
    }
}
