//! `{name}` placeholders: texts of a spec that are completed once per trial. Pure; who knows the values fills them in.

use std::fmt;

use super::text::{Segment, is_name};

/// A name that a trial can fill in, and what it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placeholder {
    /// Written in braces.
    pub name: &'static str,
    /// What it becomes.
    pub meaning: &'static str,
}

/// The placeholders that exist in every spec; the keys of the matrix come on top.
pub const BUILT_IN: [Placeholder; 12] = [
    Placeholder {
        name: "task_key",
        meaning: "the key of the task",
    },
    Placeholder {
        name: "trial",
        meaning: "which repetition of the task this is, from 1",
    },
    Placeholder {
        name: "prompt",
        meaning: "the prompt of the task",
    },
    Placeholder {
        name: "prompt_file",
        meaning: "the path of a file with the prompt",
    },
    Placeholder {
        name: "task_file",
        meaning: "the path of the task as JSON",
    },
    Placeholder {
        name: "trial_dir",
        meaning: "the directory of the trial",
    },
    Placeholder {
        name: "spec_dir",
        meaning: "the directory of the spec",
    },
    Placeholder {
        name: "env_url",
        meaning: "the root URL of the environment",
    },
    Placeholder {
        name: "app_url",
        meaning: "the URL of the environment's first app",
    },
    Placeholder {
        name: "mcp_url",
        meaning: "the URL of the environment's MCP endpoint",
    },
    Placeholder {
        name: "instance_id",
        meaning: "the id of the environment instance",
    },
    Placeholder {
        name: "harness",
        meaning: "the path of the running harness program",
    },
];

/// A text with placeholders.
///
/// Values of environment variables are never searched for placeholders: a JSON document in a variable keeps its braces.
#[derive(Clone, PartialEq, Eq)]
pub struct Template {
    origin: String,
    parts: Vec<Part>,
}

#[derive(Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Placeholder(String),
}

/// Why a text is not a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// `{` without `}`.
    #[error("`{{` is not closed")]
    Unclosed,
    /// `}` without `{`.
    #[error("`}}` closes nothing")]
    Stray,
    /// What stands between the braces cannot be a name.
    #[error("{} is not a placeholder", super::diagnostic::quote(&format!("{{{inside}}}")))]
    NotAName {
        /// The text between the braces.
        inside: String,
    },
}

/// No value was given for a placeholder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the placeholder `{{{name}}}` has no value here")]
pub struct MissingValue {
    /// The placeholder.
    pub name: String,
}

impl Template {
    /// Reads `{name}`, `{{` and `}}`. Dollar signs mean themselves.
    ///
    /// # Errors
    /// Braces that do not match, or that hold something other than a name.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let segments = [Segment::Literal(text.to_owned())];
        Self::from_segments(&segments, &super::text::escape(text))
    }

    /// A template of segments whose variables are filled in already.
    pub(super) fn from_segments(segments: &[Segment], origin: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        for segment in segments {
            match segment {
                Segment::Literal(text) => split(text, &mut parts)?,
                Segment::Default(text) | Segment::Variable { value: text, .. } => {
                    parts.push(Part::Text(text.clone()));
                }
            }
        }
        Ok(Self {
            origin: origin.to_owned(),
            parts,
        })
    }

    /// A template without placeholders.
    pub fn literal(text: &str) -> Self {
        let doubled = text.replace('{', "{{").replace('}', "}}");
        Self {
            origin: super::text::escape(&doubled),
            parts: vec![Part::Text(text.to_owned())],
        }
    }

    /// The same text, from here on shown and written as a variable because it is a secret.
    pub(super) fn hidden(self, origin: String) -> Self {
        Self { origin, ..self }
    }

    /// The text as it was written, with `${NAME}` in place of values.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The placeholders in the order in which they stand; a name may come more than once.
    pub fn placeholders(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Placeholder(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The text, if it is the same for every trial.
    pub fn as_literal(&self) -> Option<String> {
        self.render(|_| None).ok()
    }

    /// The text with every placeholder replaced by its value.
    ///
    /// # Errors
    /// `value` knows no value for a placeholder.
    pub fn render(&self, value: impl Fn(&str) -> Option<String>) -> Result<String, MissingValue> {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => Ok(text.clone()),
                Part::Placeholder(name) => {
                    value(name).ok_or_else(|| MissingValue { name: name.clone() })
                }
            })
            .collect()
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.origin.fmt(f)
    }
}

fn split(text: &str, parts: &mut Vec<Part>) -> Result<(), TemplateError> {
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        literal.push_str(&rest[..at]);
        let tail = &rest[at..];
        if let Some(after) = tail.strip_prefix("{{") {
            literal.push('{');
            rest = after;
        } else if let Some(after) = tail.strip_prefix("}}") {
            literal.push('}');
            rest = after;
        } else if let Some(after) = tail.strip_prefix('{') {
            let end = after.find('}').ok_or(TemplateError::Unclosed)?;
            let inside = &after[..end];
            if !is_name(inside) {
                return Err(TemplateError::NotAName {
                    inside: inside.to_owned(),
                });
            }
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal)));
            }
            parts.push(Part::Placeholder(inside.to_owned()));
            rest = &after[end + 1..];
        } else {
            return Err(TemplateError::Stray);
        }
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(Part::Text(literal));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::text::{Lookup, interpolate};
    use super::*;

    fn parse_with_variables(text: &str, lookup: &Lookup<'_>) -> Result<Template, TemplateError> {
        Template::from_segments(&interpolate(text, lookup).unwrap(), text)
    }

    fn value(name: &str) -> Option<String> {
        (name == "model").then(|| "{small}".to_owned())
    }

    #[test]
    fn placeholders_are_replaced_once() {
        let template = Template::parse("a {model} {{x}} {model}").unwrap();
        assert_eq!(template.render(value).unwrap(), "a {small} {x} {small}");
        assert_eq!(
            template.placeholders().collect::<Vec<_>>(),
            ["model", "model"]
        );
        assert_eq!(template.as_literal(), None);
        assert_eq!(
            Template::parse("{{}}").unwrap().as_literal().as_deref(),
            Some("{}")
        );
    }

    #[test]
    fn a_placeholder_without_value_is_named() {
        let missing = Template::parse("{effort}")
            .unwrap()
            .render(value)
            .unwrap_err();
        assert_eq!(
            missing.to_string(),
            "the placeholder `{effort}` has no value here"
        );
    }

    #[test]
    fn braces_that_are_no_placeholders_are_refused() {
        assert_eq!(Template::parse("{model"), Err(TemplateError::Unclosed));
        assert_eq!(Template::parse("model}"), Err(TemplateError::Stray));
        for inside in ["", "\"a\": 1", "a b", "1"] {
            let error = Template::parse(&format!("{{{inside}}}")).unwrap_err();
            assert_eq!(
                error,
                TemplateError::NotAName {
                    inside: inside.to_owned()
                }
            );
        }
    }

    #[test]
    fn braces_of_a_variable_are_text() {
        let lookup = |name: &str| (name == "JSON").then(|| "{\"a\": 1}".to_owned());
        let template = parse_with_variables("${JSON} {model} $${model}", &lookup).unwrap();
        assert_eq!(
            template.render(value).unwrap(),
            "{\"a\": 1} {small} ${small}"
        );
        assert_eq!(format!("{template:?}"), "\"${JSON} {model} $${model}\"");
    }

    proptest! {
        #[test]
        fn a_literal_means_itself(text in ".{0,40}") {
            prop_assert_eq!(Template::literal(&text).as_literal(), Some(text.clone()));
            let again = parse_with_variables(Template::literal(&text).origin(), &|_| None).unwrap();
            prop_assert_eq!(again.as_literal(), Some(text));
        }
    }
}
