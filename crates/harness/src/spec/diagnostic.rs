//! What a person is told about a bad spec: messages with a place in a source text, rendered with the offending line.
//! Finding the problems is the readers' business.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use redact::{Redactor, names_a_secret};

/// A piece of one source text, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Which text of the [`Sources`].
    pub source: usize,
    /// First byte.
    pub start: usize,
    /// One past the last byte; equal to `start` where only a point is known.
    pub end: usize,
}

impl Span {
    pub(super) fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// The texts a spec was read from: the file, then one per `--set`.
///
/// `Debug` shows only their names, because a spec may hold a secret.
#[derive(Clone, Default)]
pub struct Sources(Vec<Source>);

#[derive(Clone)]
struct Source {
    name: String,
    text: Arc<str>,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|source| &source.name))
            .finish()
    }
}

impl Sources {
    /// Adds a text under the name that messages show; returns its number.
    pub(super) fn add(&mut self, name: impl Into<String>, text: impl Into<Arc<str>>) -> usize {
        self.0.push(Source {
            name: name.into(),
            text: text.into(),
        });
        self.0.len() - 1
    }

    /// The written text of a span; empty if the span does not lie in a text.
    pub fn slice(&self, span: Span) -> &str {
        self.0
            .get(span.source)
            .and_then(|source| source.text.get(span.range()))
            .unwrap_or_default()
    }

    pub(super) fn text(&self, source: usize) -> &str {
        self.0.get(source).map_or("", |source| &source.text)
    }

    /// `name:line:column`, both counted from 1 and the column in characters.
    pub fn place(&self, span: Span) -> String {
        let Some(source) = self.0.get(span.source) else {
            return String::new();
        };
        let before = source.text.get(..span.start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        format!("{}:{line}:{column}", source.name)
    }
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The spec cannot be run.
    Error,
    /// It can, but probably not as meant.
    Warning,
}

/// One problem of a spec.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub message: String,
    /// The key it is about, for example `agent.command[0]`; empty for the document as a whole.
    pub path: String,
    /// Where it stands; `None` when nothing in a text stands for it.
    pub span: Option<Span>,
    /// What is said beside the marked text.
    pub label: Option<String>,
    /// Another place that belongs to the problem, and what is said there.
    pub related: Option<(Span, String)>,
    /// Facts that explain the problem.
    pub note: Option<String>,
    /// What to write instead.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// An error about the key at `path`.
    pub fn error(path: impl Into<String>, span: Option<Span>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            message: message.into(),
            path: path.into(),
            span,
            label: None,
            related: None,
            note: None,
            hint: None,
        }
    }

    /// A warning about the key at `path`.
    pub fn warning(
        path: impl Into<String>,
        span: Option<Span>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(path, span, message)
        }
    }

    /// Says something beside the marked text.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Says what to write instead.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds an explaining fact.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// Marks another place that belongs to the problem.
    pub fn related(mut self, span: Span, label: impl Into<String>) -> Self {
        self.related = Some((span, label.into()));
        self
    }
}

/// A spec that cannot be run, with every problem that was found.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", self.summary())]
pub struct SpecError {
    /// All problems, in the order in which they stand in the file.
    pub diagnostics: Vec<Diagnostic>,
    sources: Sources,
    redactor: Redactor,
}

/// Whether rendered text carries colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// Escape sequences for a terminal.
    Ansi,
    /// Plain text.
    Never,
}

impl SpecError {
    /// Joins problems with the texts that they point into.
    pub fn new(mut diagnostics: Vec<Diagnostic>, sources: Sources) -> Self {
        diagnostics.sort_by_key(|d| d.span.map_or((usize::MAX, 0), |s| (s.source, s.start)));
        Self {
            diagnostics,
            redactor: written_out(&sources),
            sources,
        }
    }

    /// The problems as a person reads them, each with its line, then a count.
    pub fn render(&self, color: Color) -> String {
        let out = render(&self.diagnostics, &self.sources, color);
        let mut out = self.redactor.text(&out).into_owned();
        out.push_str(&self.summary());
        out.push('\n');
        out
    }

    fn summary(&self) -> String {
        let errors = self
            .diagnostics
            .iter()
            .filter(|d| d.severity == Severity::Error)
            .count();
        match errors {
            1 => "the run spec has 1 error".to_owned(),
            n => format!("the run spec has {n} errors"),
        }
    }
}

/// Knows the values that are written out in the texts under a name that looks secret. A message shows whole lines, and
/// a line that is no YAML is shown too, so this looks at words and not at the tree.
fn written_out(sources: &Sources) -> Redactor {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let mut secrets = Vec::new();
    for source in &sources.0 {
        for (at, separator) in source.text.match_indices([':', '=']) {
            let before = source.text[..at].trim_end_matches(['"', '\'']);
            let name = &before[before.trim_end_matches(is_name).len()..];
            let after = source.text[at + separator.len()..].trim_start_matches([' ', '\t']);
            let value = match after.chars().next() {
                Some(quote @ ('"' | '\'')) => after[1..].split(quote).next(),
                _ => after.split([',', '}', ']', '\n', '\r', ' ']).next(),
            };
            // A variable shows its name only.
            let value = value.filter(|value| !value.starts_with("${"));
            secrets.extend(value.filter(|_| names_a_secret(name)));
        }
    }
    Redactor::new(secrets)
}

/// Renders problems one after the other, each followed by an empty line.
pub(super) fn render(diagnostics: &[Diagnostic], sources: &Sources, color: Color) -> String {
    let renderer = match color {
        Color::Ansi => Renderer::styled(),
        Color::Never => Renderer::plain(),
    }
    .decor_style(DecorStyle::Ascii);
    let mut out = String::new();
    for diagnostic in diagnostics {
        out.push_str(&renderer.render(&[group(diagnostic, sources)]));
        out.push_str("\n\n");
    }
    out
}

fn group<'a>(diagnostic: &'a Diagnostic, sources: &'a Sources) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(level.primary_title(diagnostic.message.as_str()));
    if let Some(span) = diagnostic.span
        && let Some(source) = sources.0.get(span.source)
    {
        let mut primary = AnnotationKind::Primary.span(visible(&source.text, span));
        if let Some(label) = &diagnostic.label {
            primary = primary.label(label.as_str());
        }
        let mut snippet = Snippet::source(&*source.text)
            .path(source.name.as_str())
            .annotation(primary);
        let mut other = None;
        if let Some((place, label)) = &diagnostic.related {
            let context = |text| {
                AnnotationKind::Context
                    .span(visible(text, *place))
                    .label(label.as_str())
            };
            if place.source == span.source {
                snippet = snippet.annotation(context(&source.text));
            } else if let Some(second) = sources.0.get(place.source) {
                other = Some(
                    Snippet::source(&*second.text)
                        .path(second.name.as_str())
                        .annotation(context(&second.text)),
                );
            }
        }
        group = group.element(snippet);
        if let Some(other) = other {
            group = group.element(other);
        }
    }
    if let Some(note) = &diagnostic.note {
        group = group.element(Level::NOTE.message(note.as_str()));
    }
    if let Some(hint) = &diagnostic.hint {
        group = group.element(Level::HELP.message(hint.as_str()));
    }
    group
}

/// The first line of a span, at least one character wide where the line has one: a collection's span is only a point,
/// and marking the twenty lines of a block scalar would hide what is said about it.
fn visible(text: &str, span: Span) -> Range<usize> {
    let mut start = span.start.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let rest = &text[start..];
    let line = rest.find(['\n', '\r']).unwrap_or(rest.len());
    let mut end = span.end.clamp(start, text.len()).min(start + line);
    if end == start && line > 0 {
        end += rest.chars().next().map_or(0, char::len_utf8);
    }
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    start..end
}

/// Text from outside as it may stand in a message: short, on one line, without characters that steer a terminal.
pub(super) fn quote(text: &str) -> impl fmt::Display {
    const LONGEST: usize = 60;
    let mut out = String::from("`");
    for (count, c) in text.chars().enumerate() {
        if count == LONGEST {
            out.push('…');
            break;
        }
        let steers = c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
        if steers {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out.push('`');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_outside_of_the_text_is_rendered_without_a_panic() {
        let mut sources = Sources::default();
        let file = sources.add("spec.yaml", "ä\nb");
        for (start, end) in [(0, 0), (1, 1), (1, 9), (9, 9), (2, 3), (4, 4), (4, 2)] {
            let span = Span {
                source: file,
                start,
                end,
            };
            let diagnostic = Diagnostic::error("a", Some(span), "wrong").label("here");
            assert!(render(&[diagnostic], &sources, Color::Never).contains("wrong"));
        }
    }

    #[test]
    fn p10_c4_a_line_that_is_shown_shows_no_secret_that_stands_in_it() {
        for line in [
            "fleet: {api_key: sk-written-out, wrong: 1}",
            "fleet: {\"api_key\": \"sk-written-out\", wrong: 1}",
            "agent.env.MY_TOKEN=sk-written-out",
            "  OPENAI_API_KEY:   'sk-written-out'   # : [",
        ] {
            let mut sources = Sources::default();
            let source = sources.add("spec.yaml", line);
            let span = Span {
                source,
                start: 0,
                end: 5,
            };
            let error = SpecError::new(vec![Diagnostic::error("", Some(span), "wrong")], sources);
            let shown = error.render(Color::Never);
            assert!(
                !shown.contains("sk-written-out") && shown.contains("***"),
                "{shown}"
            );
        }
    }

    #[test]
    fn a_place_counts_characters_from_one() {
        let mut sources = Sources::default();
        let file = sources.add("spec.yaml", "a: 1\nü: xx\n");
        let span = Span {
            source: file,
            start: 9,
            end: 11,
        };
        assert_eq!(sources.place(span), "spec.yaml:2:4");
        assert_eq!(sources.slice(span), "xx");
    }

    #[test]
    fn quoted_text_cannot_steer_a_terminal_and_is_short() {
        assert_eq!(
            quote("a\u{1b}[2J\u{202e}b").to_string(),
            "`a\\u{1b}[2J\\u{202e}b`"
        );
        assert_eq!(quote(&"x".repeat(500)).to_string().chars().count(), 63);
    }
}
