//! Placeholders in the commands and variables of a package: `{port}`, `{db:current}` and their
//! like. `{{` and `}}` stand for braces.

use std::collections::BTreeMap;

/// A text of a package that cannot be filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceholderError {
    /// Nothing of this name is known where it stands.
    #[error("unknown placeholder {{{name}}} in {text:?}; known here: {known}")]
    Unknown {
        /// The name between the braces.
        name: String,
        /// The whole text.
        text: String,
        /// What could have been written, separated by commas.
        known: String,
    },
    /// A brace without its partner.
    #[error("unbalanced brace in {text:?}; write {{{{ or }}}} for a brace itself")]
    Unbalanced {
        /// The whole text.
        text: String,
    },
}

/// The values of placeholders by name (`port`, `db:current` …).
#[derive(Debug, Clone, Default)]
pub(crate) struct Values(BTreeMap<String, String>);

impl Values {
    pub(crate) fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    /// `text` with every placeholder replaced. A value is never looked at for placeholders again.
    pub(crate) fn fill(&self, text: &str) -> Result<String, PlaceholderError> {
        let unbalanced = || PlaceholderError::Unbalanced {
            text: text.to_owned(),
        };
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            out.push_str(&rest[..at]);
            let tail = &rest[at..];
            if let Some(after) = tail.strip_prefix("{{") {
                out.push('{');
                rest = after;
            } else if let Some(after) = tail.strip_prefix("}}") {
                out.push('}');
                rest = after;
            } else if let Some(inner) = tail.strip_prefix('{') {
                let end = inner.find('}').ok_or_else(unbalanced)?;
                let name = &inner[..end];
                let value = self.0.get(name).ok_or_else(|| PlaceholderError::Unknown {
                    name: name.to_owned(),
                    text: text.to_owned(),
                    known: self
                        .0
                        .keys()
                        .map(|k| format!("{{{k}}}"))
                        .collect::<Vec<_>>()
                        .join(", "),
                })?;
                out.push_str(value);
                rest = &inner[end + 1..];
            } else {
                return Err(unbalanced());
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    pub(crate) fn fill_all(&self, texts: &[String]) -> Result<Vec<String>, PlaceholderError> {
        texts.iter().map(|text| self.fill(text)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Values {
        let mut values = Values::default();
        values.set("port", "8080");
        values.set("db:current", "/x/{port}.db");
        values
    }

    #[test]
    fn fills_once_and_keeps_escaped_braces() {
        assert_eq!(
            values().fill("a{port}b{db:current}c").unwrap(),
            "a8080b/x/{port}.dbc"
        );
        assert_eq!(values().fill("{{port}} {{}} }}").unwrap(), "{port} {} }");
        assert_eq!(values().fill("plain").unwrap(), "plain");
    }

    #[test]
    fn unknown_and_unbalanced_are_told_apart() {
        let error = values().fill("x {prot}").unwrap_err();
        assert!(
            matches!(&error, PlaceholderError::Unknown { name, .. } if name == "prot"),
            "{error}"
        );
        assert!(
            error.to_string().contains("{db:current}, {port}"),
            "{error}"
        );
        for text in ["{port", "port}", "{"] {
            assert!(
                matches!(
                    values().fill(text),
                    Err(PlaceholderError::Unbalanced { .. })
                ),
                "{text}"
            );
        }
    }
}
