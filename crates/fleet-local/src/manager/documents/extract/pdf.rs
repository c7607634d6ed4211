//! PDF: the text of its pages.

use lopdf::{Dictionary, LoadOptions, Object, decode_text_string};
use serde_json::{Map, Value, json};

use crate::manager::documents::Document;

/// Unpacked bytes of any one stream.
const STREAM: usize = 64 * 1024 * 1024;

/// What a PDF says of itself, and the keys that say it.
const PROPERTIES: [(&str, &str); 8] = [
    ("Title", "title"),
    ("Author", "author"),
    ("Subject", "subject"),
    ("Keywords", "keywords"),
    ("Creator", "creator"),
    ("Producer", "producer"),
    ("CreationDate", "created"),
    ("ModDate", "modified"),
];

pub(super) fn read(bytes: &[u8]) -> Result<Document, String> {
    let options = LoadOptions {
        max_decompressed_size: Some(STREAM),
        ..LoadOptions::default()
    };
    let document = lopdf::Document::load_mem_with_options(bytes, options)
        .map_err(|error| error.to_string())?;
    if document.is_encrypted() {
        return Err("it is encrypted".to_owned());
    }
    let (mut texts, mut pages) = (Vec::new(), Vec::new());
    for number in document.get_pages().into_keys() {
        let text = document
            .extract_text_with_limit(&[number], STREAM)
            .map_err(|error| format!("page {number}: {error}"))?;
        let text = text.trim().to_owned();
        pages.push(json!({"number": number, "text": text}));
        texts.push(text);
    }
    let mut metadata = properties(&document);
    metadata.insert("pages".to_owned(), pages.len().into());
    Ok(Document {
        text: texts.join("\n\n"),
        metadata,
        data: [("pages".to_owned(), Value::Array(pages))]
            .into_iter()
            .collect(),
    })
}

fn properties(document: &lopdf::Document) -> Map<String, Value> {
    let Some(info) = info(document) else {
        return Map::new();
    };
    let text = |key: &str| {
        let object = info.get(key.as_bytes()).ok()?;
        let (_, object) = document.dereference(object).ok()?;
        decode_text_string(object).ok()
    };
    PROPERTIES
        .iter()
        .filter_map(|(key, name)| Some(((*name).to_owned(), text(key)?.into())))
        .collect()
}

fn info(document: &lopdf::Document) -> Option<&Dictionary> {
    let (_, info) = document
        .dereference(document.trailer.get(b"Info").ok()?)
        .ok()?;
    match info {
        Object::Dictionary(info) => Some(info),
        _ => None,
    }
}
