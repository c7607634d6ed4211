//! One parse of YAML into a tree whose every key and value knows where it stands.
//! What the keys mean is not known here.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::DuplicateKeyPolicy;
use serde_saphyr::{Error as YamlError, Location, Spanned};

use super::diagnostic::{Diagnostic, Sources, Span, quote};

/// The largest spec file, in bytes. A spec is written by hand; what is larger is another file given by mistake.
pub(super) const MAX_FILE_BYTES: usize = 32 * 1024 * 1024;
/// Collections in collections. A spec needs five. In a debug build a level of the recursive parse takes tens of
/// kilobytes, and threads of an async runtime have 2 MiB of stack.
pub(super) const MAX_DEPTH: usize = 16;
/// Values after aliases are followed, so that a few lines of aliases cannot grow into millions.
const MAX_NODES: usize = 100_000;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Where the value is used; for an alias the alias, not what it stands for.
    pub(super) span: Span,
    pub(super) kind: Kind,
    /// A scalar without quotes as it was written: `1.10` is a float and also the text `1.10`.
    pub(super) written: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    String(String),
    Seq(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key and its value. Keys of one map differ.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_span: Span,
    pub(super) value: Node,
}

impl Kind {
    /// What a message calls a value of this kind.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a boolean",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::String(_) => "text",
            Self::Seq(_) => "a list",
            Self::Map(_) => "a map",
        }
    }

    /// What an unquoted scalar of this text is; used for values that only arrive with a variable.
    pub(super) fn of_plain(text: &str) -> Self {
        match text {
            "true" => Self::Bool(true),
            "false" => Self::Bool(false),
            _ => text
                .parse()
                .map(Self::Int)
                .or_else(|_| match text.parse::<f64>() {
                    Ok(number) if number.is_finite() => Ok(Self::Float(number)),
                    _ => Err(()),
                })
                .unwrap_or_else(|()| Self::String(text.to_owned())),
        }
    }
}

/// Turns the bytes of a file into text: UTF-8, with or without a byte order mark.
///
/// # Errors
/// Another encoding, or a file beyond [`MAX_FILE_BYTES`].
pub(super) fn decode(bytes: &[u8]) -> Result<&str, Box<Diagnostic>> {
    let error = |message: &str| Diagnostic::error("", None, message.to_owned());
    if bytes.len() > MAX_FILE_BYTES {
        let diagnostic = error("the file is larger than 32 MiB").hint("is it the run spec?");
        return Err(Box::new(diagnostic));
    }
    let looks_utf16 = bytes.starts_with(&[0xff, 0xfe])
        || bytes.starts_with(&[0xfe, 0xff])
        || matches!(bytes, [0, first, ..] | [first, 0, ..] if first.is_ascii_graphic());
    if looks_utf16 {
        let hint = "save it again as UTF-8; editors offer this under \"save with encoding\"";
        return Err(Box::new(error("the file is UTF-16, not UTF-8").hint(hint)));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|source| {
        let before = &bytes[..source.valid_up_to()];
        let line = before.split(|byte| *byte == b'\n').count();
        let note = format!("the first wrong byte is in line {line}");
        Box::new(error("the file is not UTF-8 text").note(note))
    })
}

/// Parses `text[offset..]` of a source into a tree. Duplicate keys are reported and the first of them is kept.
/// `None` means that the text is not YAML or not one document; then exactly one diagnostic says why.
pub(super) fn parse(
    sources: &Sources,
    source: usize,
    offset: usize,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Node> {
    let text = sources.text(source).get(offset..).unwrap_or_default();
    let options = serde_saphyr::options! {
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        // Our own pass below reports all of them with both places.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        with_snippet: false,
        budget: serde_saphyr::budget! { max_depth: MAX_DEPTH, max_nodes: MAX_NODES },
    };
    let mut builder = Builder {
        text,
        source,
        offset,
        diagnostics,
    };
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options) {
        Ok(raw) => Some(builder.node(raw, "")),
        Err(error) => {
            let diagnostic = builder.syntax(&error);
            builder.diagnostics.push(diagnostic);
            None
        }
    }
}

struct Builder<'a> {
    text: &'a str,
    source: usize,
    offset: usize,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl Builder<'_> {
    fn node(&mut self, raw: Spanned<Raw>, path: &str) -> Node {
        let span = self.span(raw.referenced);
        let written = matches!(
            raw.value,
            Raw::Bool(_) | Raw::Int(_) | Raw::Float(_) | Raw::Text(_)
        )
        .then(|| self.span(raw.defined))
        .and_then(|defined| {
            self.text
                .get(defined.start - self.offset..defined.end - self.offset)
        })
        .filter(|text| !text.starts_with(['"', '\'', '|', '>']))
        .map(str::to_owned);
        let kind = match raw.value {
            Raw::Null => Kind::Null,
            Raw::Bool(value) => Kind::Bool(value),
            Raw::Int(value) => Kind::Int(value),
            Raw::Float(value) => Kind::Float(value),
            Raw::Text(value) => Kind::String(value),
            Raw::Seq(items) => Kind::Seq(
                items
                    .into_iter()
                    .enumerate()
                    .map(|(index, item)| self.node(item, &format!("{path}[{index}]")))
                    .collect(),
            ),
            Raw::Map(entries) => Kind::Map(self.entries(entries, path)),
        };
        Node {
            span,
            kind,
            written,
        }
    }

    fn entries(&mut self, raw: Vec<(Spanned<Raw>, Spanned<Raw>)>, path: &str) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::with_capacity(raw.len());
        for (key, value) in raw {
            let key = self.node(key, path);
            let Some(name) = key_text(&key) else {
                let message = format!("a key must be text, this is {}", key.kind.name());
                self.diagnostics
                    .push(Diagnostic::error(path, Some(key.span), message));
                continue;
            };
            let value_path = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            let value = self.node(value, &value_path);
            if let Some(first) = entries.iter().find(|entry| entry.key == name) {
                self.diagnostics.push(
                    Diagnostic::error(
                        value_path,
                        Some(key.span),
                        format!("duplicate key {}", quote(&name)),
                    )
                    .label("given again here")
                    .related(first.key_span, "first given here"),
                );
                continue;
            }
            entries.push(Entry {
                key: name,
                key_span: key.span,
                value,
            });
        }
        entries
    }

    fn span(&self, location: Location) -> Span {
        let span = location.span();
        let local = if let (Some(start), Some(len)) = (span.byte_offset(), span.byte_len()) {
            let start = usize::try_from(start)
                .unwrap_or(usize::MAX)
                .min(self.text.len());
            let len = usize::try_from(len).unwrap_or(0);
            start..start.saturating_add(len).min(self.text.len())
        } else {
            let start = self.byte_of(location.line(), location.column());
            start..start
        };
        Span {
            source: self.source,
            start: self.offset + local.start,
            end: self.offset + local.end,
        }
    }

    /// The byte of a line and a column, which the scanner's errors give instead of bytes.
    fn byte_of(&self, line: u64, column: u64) -> usize {
        let line = usize::try_from(line.max(1) - 1).unwrap_or(usize::MAX);
        let column = usize::try_from(column.max(1) - 1).unwrap_or(usize::MAX);
        let mut start = 0;
        for (number, content) in self.text.split_inclusive('\n').enumerate() {
            if number == line {
                return start
                    + content
                        .char_indices()
                        .nth(column)
                        .map_or(content.len(), |(at, _)| at);
            }
            start += content.len();
        }
        self.text.len()
    }

    fn syntax(&self, error: &YamlError) -> Diagnostic {
        let span = error.location().map(|location| self.span(location));
        let (message, hint) = match original(error) {
            YamlError::MultipleDocuments { .. } => (
                "the file has more than one document".to_owned(),
                Some("one spec a file: remove the `---` above and what follows it"),
            ),
            YamlError::Budget { breach, .. } => return budget(breach, span),
            other => {
                let message = other.to_string();
                if message.contains("recursion limit") {
                    return too_deep(span);
                }
                // The place is shown by the snippet.
                let message = message
                    .split(" at line ")
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                let hint = hint_for(&message);
                (format!("not valid YAML: {message}"), hint)
            }
        };
        let diagnostic = Diagnostic::error("", span, message);
        match hint {
            Some(hint) => diagnostic.hint(hint),
            None => diagnostic,
        }
    }
}

fn budget(breach: &serde_saphyr::budget::BudgetBreach, span: Option<Span>) -> Diagnostic {
    use serde_saphyr::budget::BudgetBreach;
    match breach {
        BudgetBreach::Depth { .. } => too_deep(span),
        BudgetBreach::Nodes { .. } => {
            let message = format!("more than {MAX_NODES} values after its aliases are followed");
            Diagnostic::error("", span, message)
                .hint("remove the aliases (`*name`) that repeat large parts")
        }
        _ => Diagnostic::error("", span, "too large to be a run spec"),
    }
}

fn too_deep(span: Option<Span>) -> Diagnostic {
    Diagnostic::error("", span, format!("nested deeper than {MAX_DEPTH} levels"))
        .hint("are all brackets closed?")
}

/// The problem itself, which an alias in front of it may wrap.
fn original(error: &YamlError) -> &YamlError {
    match error.without_snippet() {
        YamlError::AliasError { error, .. } => original(error),
        other => other,
    }
}

fn hint_for(message: &str) -> Option<&'static str> {
    if message.contains("tab") {
        Some("indent with spaces")
    } else if message.contains("mapping values are not allowed") {
        Some(
            "text with `: ` in it must stand in quotes, and the keys of one map must be indented alike",
        )
    } else if message.contains("unsupported tag") {
        Some("write the value without the `!…`")
    } else if message.contains("unknown anchor") {
        Some("text that starts with `*` must stand in quotes")
    } else {
        None
    }
}

/// The text of a key. Numbers and booleans are taken as they are written, so that a task called `12` needs no quotes.
fn key_text(key: &Node) -> Option<String> {
    match &key.kind {
        Kind::String(text) => Some(text.clone()),
        Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) => key.written.clone(),
        Kind::Null | Kind::Seq(_) | Kind::Map(_) => None,
    }
}

#[derive(Debug)]
enum Raw {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    Seq(Vec<Spanned<Self>>),
    Map(Vec<(Spanned<Self>, Spanned<Self>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Int(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Int(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Raw, E> {
        Ok(Raw::Int(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::Seq(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}
