//! Rubrics, as people write them.

use crate::types::{Criterion, Rubric};

impl Rubric {
    /// Free text that says what is good.
    pub fn text(text: impl Into<String>) -> Self {
        Self::String { text: text.into() }
    }

    /// Criteria with points.
    ///
    /// ```
    /// use fleet_api::types::{Criterion, Rubric};
    ///
    /// let rubric = Rubric::structured([
    ///     Criterion::new("Ticket", 2).levels([(0, "open"), (2, "closed"), (1, "closed late")]),
    ///     Criterion::new("Tone", 1).describe("friendly"),
    /// ]);
    /// assert_eq!(rubric.max_score(), Some(3.0));
    /// ```
    pub fn structured(criteria: impl IntoIterator<Item = Criterion>) -> Self {
        Self::Structured {
            criteria: criteria.into_iter().collect(),
            system_prompt: None,
        }
    }

    /// With another system prompt than the judge's own. Free text has none, and stays as it is.
    pub fn with_system_prompt(mut self, prompt: impl Into<String>) -> Self {
        if let Self::Structured { system_prompt, .. } = &mut self {
            *system_prompt = Some(prompt.into());
        }
        self
    }

    /// Points of all criteria; free text has none.
    pub fn max_score(&self) -> Option<f64> {
        match self {
            Self::String { .. } => None,
            Self::Structured { criteria, .. } => {
                Some(criteria.iter().map(|one| one.max_score).sum())
            }
        }
    }
}

impl From<&str> for Rubric {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Rubric {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl Criterion {
    /// A criterion worth `points`, described by its name until something better is said.
    pub fn new(name: impl Into<String>, points: u32) -> Self {
        let name = name.into();
        Self {
            description: name.clone(),
            name,
            max_score: points.into(),
        }
    }

    /// What earns how many points, in any order.
    pub fn levels<T: AsRef<str>>(mut self, levels: impl IntoIterator<Item = (i32, T)>) -> Self {
        let mut levels: Vec<_> = levels.into_iter().collect();
        levels.sort_by_key(|(points, _)| -i64::from(*points));
        let lines = levels
            .iter()
            .map(|(points, text)| format!("- {points} points: {}", text.as_ref()));
        self.description = lines.collect::<Vec<_>>().join("\n");
        self
    }

    /// A description, below the levels if there are some.
    pub fn describe(mut self, text: impl AsRef<str>) -> Self {
        if self.description == self.name {
            self.description.clear();
        } else if !self.description.is_empty() {
            self.description.push('\n');
        }
        self.description.push_str(text.as_ref());
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rubric_is_written_as_the_official_client_writes_it() {
        let criterion = Criterion::new("Done", 2)
            .levels([(0, "open"), (2, "closed")])
            .describe("Look at ticket 2.");
        let rubric = Rubric::structured([criterion, Criterion::new("Tone", 1)]);
        // As text, because 2 and 2.0 are not the same to every reader.
        assert_eq!(
            serde_json::to_string(&rubric).unwrap(),
            r#"{"type":"structured","criteria":[{"name":"Done","max_score":2,"description":"- 2 points: closed\n- 0 points: open\nLook at ticket 2."},{"name":"Tone","max_score":1,"description":"Tone"}]}"#
        );
        assert_eq!(
            serde_json::to_value(Rubric::text("be kind")).unwrap(),
            json!({"type": "string", "text": "be kind"})
        );
    }
}
