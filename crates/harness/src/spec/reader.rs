//! From the tree to typed values. A reader never stops at a problem: it notes it and answers `None`, so that all
//! problems of a spec are found in one go. What a single key means is the business of the element files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use redact::{MIN_SECRET_BYTES, names_a_secret};

use super::diagnostic::{Diagnostic, Sources, Span, quote};
use super::suggest::{near, unknown_key};
use super::template::{BUILT_IN, Template, TemplateError};
use super::text::{InterpolationError, Lookup, Segment, SpecString, interpolate, is_secret};
use super::tree::{Entry, Kind, Node};

/// What all readers share: where problems go, where variables come from, which texts there are.
pub(super) struct Context<'a> {
    pub(super) sources: &'a Sources,
    pub(super) lookup: &'a Lookup<'a>,
    /// Relative paths of the spec start here. Absolute.
    pub(super) spec_dir: &'a Path,
    /// Where the command was given. Absolute.
    pub(super) current_dir: &'a Path,
    pub(super) diagnostics: Vec<Diagnostic>,
    /// Where each value stands, by its path.
    pub(super) spans: BTreeMap<String, Span>,
    /// Values to be hidden in everything that is written.
    pub(super) secrets: Vec<String>,
}

/// A value with its path.
#[derive(Clone, Debug)]
pub(super) struct Field<'n> {
    pub(super) path: String,
    /// The key, or for an item of a list the item itself.
    pub(super) at: Span,
    pub(super) node: &'n Node,
}

/// A map whose keys are known.
#[derive(Clone, Debug)]
pub(super) struct Section<'n> {
    pub(super) path: String,
    pub(super) at: Span,
    entries: &'n [Entry],
}

impl<'n> Field<'n> {
    /// The whole document.
    pub(super) fn root(node: &'n Node) -> Self {
        Self {
            path: String::new(),
            at: node.span,
            node,
        }
    }

    /// An error about the value.
    pub(super) fn error(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(self.path.clone(), Some(self.mark()), message)
    }

    /// The value as it is to be marked. A block collection starts at its first key, which would be misleading.
    fn mark(&self) -> Span {
        match self.node.kind {
            Kind::Seq(_) | Kind::Map(_) | Kind::Null => self.at,
            _ => self.node.span,
        }
    }
}

impl<'n> Section<'n> {
    /// The value of a key of this section.
    pub(super) fn get(&self, key: &str) -> Option<Field<'n>> {
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        Some(Field {
            path: join(&self.path, key),
            at: entry.key_span,
            node: &entry.value,
        })
    }

    /// An error about the section as a whole.
    pub(super) fn error(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(self.path.clone(), Some(self.at), message)
    }
}

/// `a.b`, or `b` at the top.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

impl Context<'_> {
    /// Notes a problem.
    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Opens a map whose keys are known; unknown ones are reported here.
    pub(super) fn section<'n>(
        &mut self,
        field: &Field<'n>,
        keys: &[&'static str],
    ) -> Option<Section<'n>> {
        let entries = self.map(field)?;
        for entry in entries {
            if !keys.contains(&entry.key.as_str()) {
                self.report(unknown_key(&field.path, entry, keys));
            }
        }
        Some(Section {
            path: field.path.clone(),
            at: field.at,
            entries,
        })
    }

    /// Opens a map whose keys are the user's own.
    pub(super) fn entries<'n>(&mut self, field: &Field<'n>) -> Vec<(String, Field<'n>)> {
        let entries = self.map(field).unwrap_or_default();
        entries
            .iter()
            .map(|entry| {
                let path = join(&field.path, &entry.key);
                (
                    entry.key.clone(),
                    Field {
                        path,
                        at: entry.key_span,
                        node: &entry.value,
                    },
                )
            })
            .collect()
    }

    fn map<'n>(&mut self, field: &Field<'n>) -> Option<&'n [Entry]> {
        self.note_place(field);
        if let Kind::Map(entries) = &field.node.kind {
            return Some(entries);
        }
        self.wrong_type(field, "a map (`key: value`)");
        None
    }

    /// The items of a list.
    pub(super) fn list<'n>(&mut self, field: &Field<'n>) -> Option<Vec<Field<'n>>> {
        self.note_place(field);
        let Kind::Seq(items) = &field.node.kind else {
            self.wrong_type(field, "a list (`[a, b]`)");
            return None;
        };
        let item = |(index, node): (usize, &'n Node)| Field {
            path: format!("{}[{index}]", field.path),
            at: node.span,
            node,
        };
        Some(items.iter().enumerate().map(item).collect())
    }

    /// Text; numbers and booleans must stand in quotes.
    pub(super) fn string(&mut self, field: &Field<'_>) -> Option<String> {
        self.spec_string(field).map(|text| text.text().to_owned())
    }

    /// Text that remembers its variables.
    pub(super) fn spec_string(&mut self, field: &Field<'_>) -> Option<SpecString> {
        self.note_place(field);
        if let Kind::String(text) = &field.node.kind {
            let segments = self.interpolate(field, text)?;
            return Some(SpecString::from_segments(&segments, text));
        }
        self.wrong_type(field, "text");
        None
    }

    /// Text that is not empty.
    pub(super) fn name(&mut self, field: &Field<'_>) -> Option<String> {
        let text = self.string(field)?;
        if text.is_empty() {
            self.report(field.error(format!("`{}` is empty", field.path)));
            return None;
        }
        Some(text)
    }

    /// A word of a command line, a variable or the matrix: text, or a number or boolean as it is written.
    pub(super) fn word(&mut self, field: &Field<'_>) -> Option<String> {
        self.segments(field)
            .map(|(segments, _)| segments.iter().map(Segment::text).collect())
    }

    /// A word with placeholders. Variables in it are treated as secrets where they may be one.
    pub(super) fn template(&mut self, field: &Field<'_>) -> Option<Template> {
        let (segments, origin) = self.segments(field)?;
        for segment in &segments {
            if let Segment::Variable { name, value } = segment {
                self.note_secret(name, value.clone());
            }
        }
        if segments.iter().any(|segment| segment.text().contains('\0')) {
            self.report(field.error("a program cannot be given a NUL character"));
            return None;
        }
        match Template::from_segments(&segments, &origin) {
            Ok(template) => Some(template),
            Err(error) => {
                let hint = match error {
                    TemplateError::Unclosed
                    | TemplateError::Stray
                    | TemplateError::NotAName { .. } => {
                        "braces that mean themselves are written twice: `{{` and `}}`"
                    }
                };
                self.report(field.error(error.to_string()).hint(hint));
                None
            }
        }
    }

    /// Reports every placeholder of a template that nothing will fill in.
    pub(super) fn check_placeholders(
        &mut self,
        template: &Template,
        matrix_keys: &[String],
        span: Span,
        path: &str,
    ) {
        for name in template.placeholders() {
            let known = || {
                BUILT_IN
                    .iter()
                    .map(|p| p.name)
                    .chain(matrix_keys.iter().map(String::as_str))
            };
            if known().any(|known| known == name) {
                continue;
            }
            let mark = self.narrow(span, &format!("{{{name}}}"));
            let diagnostic = Diagnostic::error(
                path,
                Some(mark),
                format!("unknown placeholder `{{{name}}}`"),
            );
            self.report(match near(name, known()) {
                Some(meant) => diagnostic.label(format!("did you mean `{{{meant}}}`?")),
                None => diagnostic.hint(format!(
                    "there are {}; a new name must be a key of `matrix`",
                    known()
                        .map(|name| format!("`{{{name}}}`"))
                        .collect::<Vec<_>>()
                        .join(", ")
                )),
            });
        }
    }

    fn segments(&mut self, field: &Field<'_>) -> Option<(Vec<Segment>, String)> {
        self.note_place(field);
        match (&field.node.kind, &field.node.written) {
            (Kind::String(text), _) => Some((self.interpolate(field, text)?, text.clone())),
            (Kind::Bool(_) | Kind::Int(_) | Kind::Float(_), Some(written)) => {
                Some((vec![Segment::Literal(written.clone())], written.clone()))
            }
            _ => {
                self.wrong_type(field, "text");
                None
            }
        }
    }

    /// A path, made absolute from the folder of the spec.
    pub(super) fn path(&mut self, field: &Field<'_>) -> Option<PathBuf> {
        let text = self.name(field)?;
        if is_remote(&text) {
            let hint = "download it first; a spec never fetches anything by itself";
            self.report(
                field
                    .error(format!("`{}` must be a path, not a URL", field.path))
                    .hint(hint),
            );
            return None;
        }
        Some(tidy(&self.spec_dir.join(text)))
    }

    /// Text with its variables filled in. Whatever it is for, the value of one that is called like a secret is one.
    pub(super) fn interpolate(&mut self, field: &Field<'_>, text: &str) -> Option<Vec<Segment>> {
        match interpolate(text, self.lookup) {
            Ok(segments) => {
                for segment in &segments {
                    if let Segment::Variable { name, value } = segment
                        && names_a_secret(name)
                    {
                        self.note_secret(name, value.clone());
                    }
                }
                Some(segments)
            }
            Err(errors) => {
                for error in errors {
                    let (mark, hint) = match &error {
                        InterpolationError::Unset { name } => (
                            self.narrow(field.node.span, &format!("${{{name}}}")),
                            format!("set it, or give it a default: `${{{name}:-…}}`"),
                        ),
                        InterpolationError::Unclosed => {
                            (field.node.span, "write `${NAME}`, or `$$` for a dollar sign".to_owned())
                        }
                        InterpolationError::BadName { name } => (
                            self.narrow(field.node.span, &format!("${{{name}")),
                            "only `${NAME}` and `${NAME:-default}` are known; `$$` is a dollar sign".to_owned(),
                        ),
                    };
                    self.report(
                        Diagnostic::error(field.path.clone(), Some(mark), error.to_string())
                            .hint(hint),
                    );
                }
                None
            }
        }
    }

    /// Remembers the value of a variable that is to be hidden in everything that is written.
    pub(super) fn note_secret(&mut self, name: &str, value: String) {
        if is_secret(name, &value) {
            self.secrets.push(value);
        } else if names_a_secret(name) && (1..MIN_SECRET_BYTES).contains(&value.len()) {
            let message = format!(
                "the value of `{name}` is shorter than {MIN_SECRET_BYTES} characters: it is not masked in logs and results"
            );
            let known = self
                .diagnostics
                .iter()
                .any(|known| known.message == message);
            if !known {
                self.report(Diagnostic::warning("", None, message));
            }
        }
    }

    /// The value as a message may show it: as written, so that the value of a variable never appears.
    pub(super) fn shown(&self, field: &Field<'_>) -> String {
        match &field.node.kind {
            Kind::String(text) => quote(text).to_string(),
            _ => quote(self.sources.slice(field.node.span)).to_string(),
        }
    }

    pub(super) fn wrong_type(&mut self, field: &Field<'_>, wanted: &str) {
        let what = if field.path.is_empty() {
            "the spec".to_owned()
        } else {
            format!("`{}`", field.path)
        };
        let diagnostic = match &field.node.kind {
            Kind::Null if !field.path.is_empty() => field
                .error(format!("{what} has no value"))
                .hint(format!("give it {wanted}, or remove the key")),
            Kind::Null => field
                .error("the spec is empty")
                .hint("`harness init` writes one to start from"),
            kind => {
                let found = kind.name();
                let diagnostic = field
                    .error(format!("{what} must be {wanted}"))
                    .label(format!("this is {found}"));
                match &field.node.written {
                    Some(written) if wanted == "text" && !matches!(kind, Kind::String(_)) => {
                        diagnostic.hint(format!("put it in quotes: \"{written}\""))
                    }
                    _ => diagnostic,
                }
            }
        };
        self.report(diagnostic);
    }

    pub(super) fn note_place(&mut self, field: &Field<'_>) {
        self.spans.insert(field.path.clone(), field.mark());
    }

    /// The first place of `needle` inside a span, or the span itself.
    pub(super) fn narrow(&self, span: Span, needle: &str) -> Span {
        match self.sources.slice(span).find(needle) {
            Some(at) => Span {
                start: span.start + at,
                end: span.start + at + needle.len(),
                ..span
            },
            None => span,
        }
    }
}

/// True for what would have to be fetched.
pub(super) fn is_remote(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, _)| {
        !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric())
    })
}

/// Removes `.` and resolves `a/..` without asking the file system, so that messages show short paths. A link that is
/// followed by `..` is kept as it is only if it comes first, which is what people expect from the text.
pub(super) fn tidy(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(out.components().next_back(), Some(Component::Normal(_))) =>
            {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_tidied_without_the_file_system() {
        let cases = [
            ("/a/./b/../c", "/a/c"),
            ("/..", "/.."),
            ("../x", "../x"),
            ("/a/b/../../c", "/c"),
        ];
        for (path, tidied) in cases {
            assert_eq!(tidy(Path::new(path)), Path::new(tidied), "{path}");
        }
    }
}
