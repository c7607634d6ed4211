//! `${NAME}`, `${NAME:-default}` and `$$` in the texts of a spec. They are replaced after parsing, so that a value can
//! never change the structure of the document, and a text remembers which of its parts came from the environment.

use std::fmt;
use std::path::Path;

use redact::{MIN_SECRET_BYTES, names_a_secret};

/// Finds the value of an environment variable; tests pass a map.
pub type Lookup<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// A text of the spec with its variables filled in.
///
/// `Debug` shows what was written instead of what it became, because a variable may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct SpecString {
    text: String,
    origin: String,
    from_env: bool,
}

impl SpecString {
    /// A text that does not stand in the spec, such as a default. Dollar signs in it mean themselves.
    pub fn literal(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            origin: escape(&text),
            text,
            from_env: false,
        }
    }

    /// A secret that stands in the spec itself: from here on it is shown and written as a variable.
    pub(super) fn hidden(text: String, origin: &str) -> Self {
        Self {
            text,
            origin: origin.to_owned(),
            from_env: true,
        }
    }

    pub(super) fn from_segments(segments: &[Segment], origin: &str) -> Self {
        Self {
            text: segments.iter().map(Segment::text).collect(),
            origin: origin.to_owned(),
            from_env: segments
                .iter()
                .any(|segment| matches!(segment, Segment::Variable { .. })),
        }
    }

    /// The text as it is used. It may be a secret when [`from_env`](Self::from_env) says so.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text as it was written, with `${NAME}` in place of values.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// True when a variable of the environment is part of the text.
    pub fn from_env(&self) -> bool {
        self.from_env
    }
}

impl fmt::Debug for SpecString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.origin.fmt(f)
    }
}

/// A part of a text.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Segment {
    /// Written in the spec.
    Literal(String),
    /// The default of a variable that is not set.
    Default(String),
    /// The value of a variable.
    Variable { name: String, value: String },
}

impl Segment {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Literal(text) | Self::Default(text) | Self::Variable { value: text, .. } => text,
        }
    }
}

/// Why a text could not be filled in. Never carries a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InterpolationError {
    #[error("the environment variable `{name}` is not set")]
    Unset { name: String },
    #[error("`${{` is not closed")]
    Unclosed,
    #[error("{} is not the name of a variable", super::diagnostic::quote(.name))]
    BadName { name: String },
}

/// Splits a text at its variables and fills them in. All problems of the text are returned, not only the first.
pub(super) fn interpolate(
    text: &str,
    lookup: &Lookup<'_>,
) -> Result<Vec<Segment>, Vec<InterpolationError>> {
    let mut segments = Vec::new();
    let mut errors = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        literal.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if let Some(tail) = after.strip_prefix('$') {
            literal.push('$');
            rest = tail;
        } else if let Some(tail) = after.strip_prefix('{') {
            let Some(end) = tail.find('}') else {
                errors.push(InterpolationError::Unclosed);
                rest = "";
                break;
            };
            if !literal.is_empty() {
                segments.push(Segment::Literal(std::mem::take(&mut literal)));
            }
            match variable(&tail[..end], lookup) {
                Ok(segment) => segments.push(segment),
                Err(error) => errors.push(error),
            }
            rest = &tail[end + 1..];
        } else {
            // A lone dollar sign is text: regular expressions and shell lines are full of them.
            literal.push('$');
            rest = after;
        }
    }
    literal.push_str(rest);
    if !literal.is_empty() || segments.is_empty() {
        segments.push(Segment::Literal(literal));
    }
    if errors.is_empty() {
        Ok(segments)
    } else {
        Err(errors)
    }
}

fn variable(inside: &str, lookup: &Lookup<'_>) -> Result<Segment, InterpolationError> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    if !is_name(name) {
        return Err(InterpolationError::BadName {
            name: name.to_owned(),
        });
    }
    match (lookup(name), default) {
        // As in a shell, `:-` also stands in for a variable that is set to nothing.
        (Some(value), Some(default)) if value.is_empty() => {
            Ok(Segment::Default(default.to_owned()))
        }
        (Some(value), _) => Ok(Segment::Variable {
            name: name.to_owned(),
            value,
        }),
        (None, Some(default)) => Ok(Segment::Default(default.to_owned())),
        (None, None) => Err(InterpolationError::Unset {
            name: name.to_owned(),
        }),
    }
}

/// True for what can be the name of an environment variable, a matrix key or a placeholder.
pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Writes a text so that [`interpolate`] gives it back.
pub(super) fn escape(text: &str) -> String {
    text.replace('$', "$$")
}

/// Variables that are never secrets; hiding their values would blank out paths all over the logs.
const PUBLIC_VARIABLES: [&str; 12] = [
    "CI", "HOME", "HOSTNAME", "LANG", "LOGNAME", "PATH", "PWD", "SHELL", "TERM", "TMPDIR", "TZ",
    "USER",
];
/// Shorter values are only hidden when the name of the variable says that it is a secret: replacing every `1` or
/// `small` of a log would make it unreadable.
const SHORTEST_UNNAMED_SECRET: usize = 8;

/// True when the value of this variable is to be hidden in what is written.
pub(super) fn is_secret(name: &str, value: &str) -> bool {
    let shortest = if names_a_secret(name) {
        MIN_SECRET_BYTES
    } else {
        SHORTEST_UNNAMED_SECRET
    };
    value.len() >= shortest && !PUBLIC_VARIABLES.contains(&name) && !is_place(value)
}

/// A path of this machine is no secret whatever its variable is called, and people need it to find their files.
fn is_place(value: &str) -> bool {
    let path = Path::new(value);
    path.is_absolute() && path.exists()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lookup(name: &str) -> Option<String> {
        match name {
            "A" => Some("one".to_owned()),
            "EMPTY" => Some(String::new()),
            "TRICK" => Some("${A} $$ {x}: [".to_owned()),
            _ => None,
        }
    }

    fn filled(text: &str) -> Result<String, Vec<InterpolationError>> {
        let segments = interpolate(text, &lookup)?;
        Ok(SpecString::from_segments(&segments, text).text().to_owned())
    }

    #[test]
    fn variables_defaults_and_dollars() {
        let cases = [
            ("x", "x"),
            ("", ""),
            ("${A}", "one"),
            ("<${A}${A}>", "<oneone>"),
            ("${NO:-two}", "two"),
            ("${NO:-}", ""),
            ("${A:-two}", "one"),
            ("${EMPTY:-two}", "two"),
            ("${EMPTY}", ""),
            ("$$", "$"),
            ("$${A}", "${A}"),
            ("a$b $5 $", "a$b $5 $"),
        ];
        for (text, expected) in cases {
            assert_eq!(filled(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_value_is_never_interpolated_again() {
        assert_eq!(filled("${TRICK}").as_deref(), Ok("${A} $$ {x}: ["));
    }

    #[test]
    fn every_problem_of_a_text_is_returned() {
        let unset = |name: &str| InterpolationError::Unset {
            name: name.to_owned(),
        };
        assert_eq!(
            filled("${X} ${Y} ${A} ${"),
            Err(vec![unset("X"), unset("Y"), InterpolationError::Unclosed])
        );
        for bad in ["${}", "${a-b}", "${A:?no}", "${1A}", "${ A }"] {
            assert!(
                matches!(
                    filled(bad).unwrap_err()[..],
                    [InterpolationError::BadName { .. }]
                ),
                "{bad}"
            );
        }
    }

    #[test]
    fn debug_shows_what_was_written() {
        let segments = interpolate("key-${A}", &lookup).unwrap();
        let text = SpecString::from_segments(&segments, "key-${A}");
        assert_eq!(format!("{text:?}"), "\"key-${A}\"");
        assert!(text.from_env());
    }

    #[test]
    fn c4_short_values_are_secrets_only_by_name() {
        assert!(is_secret("OPENAI_API_KEY", "sk1234"));
        assert!(!is_secret("OPENAI_API_KEY", "sk123"));
        assert!(!is_secret("MODEL", "small"));
        assert!(is_secret("DATABASE_URL", "postgres://a:b@c"));
        assert!(!is_secret("HOME", "/home/somebody"));
        assert!(!is_secret("KEY_FOLDER", "/usr/bin"), "a place");
        assert!(is_secret("WEBHOOK", "/services/T0/B0/nowhere"));
    }

    proptest! {
        #[test]
        fn an_escaped_text_means_itself(text in ".{0,40}") {
            prop_assert_eq!(filled(&escape(&text)), Ok(text));
        }

        #[test]
        fn no_text_panics(text in "[${}A:\\-é ]{0,40}") {
            let _ = filled(&text);
        }
    }
}
