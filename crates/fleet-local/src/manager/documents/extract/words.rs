//! A word processor's document.

use serde_json::Map;

use super::office::{blocks, paragraphs, tables, text};
use super::package::Package;
use crate::manager::documents::Document;

pub(super) fn read(bytes: &[u8]) -> Result<Document, String> {
    let mut package = Package::open(bytes)?;
    let blocks = blocks(&package.required("word/document.xml")?)?;
    let mut data = Map::new();
    data.insert("paragraphs".to_owned(), paragraphs(&blocks));
    data.insert("tables".to_owned(), tables(&blocks));
    Ok(Document {
        text: text(&blocks),
        metadata: package.properties()?,
        data,
    })
}
