//! The zip that office documents are.

use std::io::{Cursor, Read as _};

use serde_json::{Map, Value};
use zip::ZipArchive;

use super::xml::{Piece, pieces};

/// Unpacked bytes of one part.
const PART: u64 = 64 * 1024 * 1024;

/// What a document says of itself, by the element that says it.
const PROPERTIES: [(&str, &str); 11] = [
    ("title", "title"),
    ("subject", "subject"),
    ("creator", "author"),
    ("keywords", "keywords"),
    ("description", "description"),
    ("lastModifiedBy", "last_modified_by"),
    ("created", "created"),
    ("modified", "modified"),
    ("category", "category"),
    ("Pages", "pages"),
    ("Words", "words"),
];

/// An office document, unpacked part by part.
pub(super) struct Package<'bytes>(ZipArchive<Cursor<&'bytes [u8]>>);

impl<'bytes> Package<'bytes> {
    pub(super) fn open(bytes: &'bytes [u8]) -> Result<Self, String> {
        ZipArchive::new(Cursor::new(bytes))
            .map(Self)
            .map_err(|_| "it is no office document".to_owned())
    }

    /// The text of a part; `None` if there is none of this name.
    pub(super) fn part(&mut self, name: &str) -> Result<Option<String>, String> {
        let Ok(part) = self.0.by_name(name) else {
            return Ok(None);
        };
        let mut text = String::new();
        // The size in the header may lie.
        part.take(PART + 1)
            .read_to_string(&mut text)
            .map_err(|error| format!("{name}: {error}"))?;
        if text.len() as u64 > PART {
            return Err(format!("{name} has more than {PART} bytes"));
        }
        Ok(Some(text))
    }

    /// A part without which it is not such a document.
    pub(super) fn required(&mut self, name: &str) -> Result<String, String> {
        self.part(name)?.ok_or_else(|| format!("it has no {name}"))
    }

    /// What the document says of itself.
    pub(super) fn properties(&mut self) -> Result<Map<String, Value>, String> {
        let mut found = Map::new();
        for part in ["docProps/core.xml", "docProps/app.xml"] {
            let Some(xml) = self.part(part)? else {
                continue;
            };
            let mut property = None;
            let mut text = String::new();
            pieces(&xml, |piece| match piece {
                Piece::Open(element, _) => {
                    let known = PROPERTIES.iter().find(|(known, _)| *known == element);
                    property = known.map(|(_, key)| *key);
                    text.clear();
                }
                // A text comes in several pieces where it holds references.
                Piece::Text(piece) => text.push_str(&piece),
                Piece::Close(_) => {
                    if let Some(key) = property.take().filter(|_| !text.trim().is_empty()) {
                        found.insert(key.to_owned(), value(key, &text));
                    }
                }
            })?;
        }
        Ok(found)
    }
}

/// Counts are numbers, everything else is as it is written.
fn value(key: &str, text: &str) -> Value {
    let count = matches!(key, "pages" | "words").then(|| text.parse::<u64>());
    match count {
        Some(Ok(count)) => count.into(),
        _ => text.into(),
    }
}
