//! `--set key.path=value`: changes to the tree before it is read, each its own source text, so that a problem with a
//! value of the command line is shown there and not in the file.

use super::diagnostic::{Diagnostic, Sources, Span};
use super::tree::{self, Entry, Kind, Node};

/// Applies the overrides in order; a later one wins over an earlier one.
pub(super) fn apply(
    root: &mut Node,
    overrides: &[String],
    sources: &mut Sources,
    diagnostics: &mut Vec<Diagnostic>,
) {
    for text in overrides {
        let source = sources.add("--set", text.as_str());
        let whole = Span {
            source,
            start: 0,
            end: text.len(),
        };
        let Some((path, _)) = text.split_once('=') else {
            diagnostics.push(
                Diagnostic::error("", Some(whole), "`--set` needs a key and a value")
                    .hint("write `--set key.path=value`, for example `--set agent.timeout=5m`"),
            );
            continue;
        };
        let segments = segments(path, source);
        if let Some((_, span)) = segments.iter().find(|(name, _)| name.is_empty()) {
            diagnostics.push(Diagnostic::error(
                "",
                Some(*span),
                "a part of the key is empty",
            ));
            continue;
        }
        if segments.len() > tree::MAX_DEPTH {
            diagnostics.push(Diagnostic::error(
                "",
                Some(whole),
                "the key has too many parts",
            ));
            continue;
        }
        let before = diagnostics.len();
        let Some(mut value) = tree::parse(sources, source, path.len() + 1, diagnostics) else {
            if let Some(diagnostic) = diagnostics.get_mut(before) {
                path.clone_into(&mut diagnostic.path);
            }
            continue;
        };
        // An empty value stands at the end of the text, where nothing could be marked.
        if value.span.start >= text.len() {
            value.span = whole;
        }
        if let Err(diagnostic) = put(root, &segments, value) {
            diagnostics.push(*diagnostic);
        }
    }
}

fn segments(path: &str, source: usize) -> Vec<(String, Span)> {
    let mut start = 0;
    path.split('.')
        .map(|name| {
            let span = Span {
                source,
                start,
                end: start + name.len(),
            };
            start = span.end + 1;
            (name.trim().to_owned(), span)
        })
        .collect()
}

fn put(node: &mut Node, path: &[(String, Span)], value: Node) -> Result<(), Box<Diagnostic>> {
    let Some(((name, span), rest)) = path.split_first() else {
        *node = value;
        return Ok(());
    };
    let refuse = |message: String| {
        Err(Box::new(Diagnostic::error(
            name.clone(),
            Some(*span),
            message,
        )))
    };
    match &mut node.kind {
        Kind::Map(entries) => {
            let at = entries
                .iter()
                .position(|entry| entry.key == *name)
                .unwrap_or_else(|| {
                    let empty = Node {
                        span: value.span,
                        kind: Kind::Null,
                        written: None,
                    };
                    entries.push(Entry {
                        key: name.clone(),
                        key_span: *span,
                        value: empty,
                    });
                    entries.len() - 1
                });
            if rest.is_empty() {
                // The key now stands on the command line as well: `duplicate key` and the like must not point elsewhere.
                entries[at].key_span = *span;
            }
            put(&mut entries[at].value, rest, value)
        }
        Kind::Seq(items) => {
            let count = items.len();
            match name
                .parse::<usize>()
                .ok()
                .and_then(|index| items.get_mut(index))
            {
                Some(item) => put(item, rest, value),
                None => refuse(format!(
                    "this part of the key must be an index below {count}, because it is a list"
                )),
            }
        }
        // What the file leaves out, or writes as a single value, becomes a map as soon as a key of it is set.
        Kind::Null => {
            node.kind = Kind::Map(Vec::new());
            put(node, path, value)
        }
        other => refuse(format!(
            "the spec has {} here, which has no keys",
            other.name()
        )),
    }
}
