//! Slides, in the order in which they are shown.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::office::{blocks, paragraphs, tables, text};
use super::package::Package;
use super::xml::{Piece, pieces};
use crate::manager::documents::Document;

/// More slides than anybody shows.
const SLIDES: usize = 5_000;

pub(super) fn read(bytes: &[u8]) -> Result<Document, String> {
    let mut package = Package::open(bytes)?;
    let mut texts = Vec::new();
    let mut slides = Vec::new();
    for part in order(&mut package)? {
        let Some(xml) = package.part(&part)? else {
            continue;
        };
        let blocks = blocks(&xml)?;
        let text = text(&blocks);
        slides.push(json!({
            "number": slides.len() + 1,
            "text": text,
            "paragraphs": paragraphs(&blocks),
            "tables": tables(&blocks),
        }));
        texts.push(text);
    }
    let mut metadata = package.properties()?;
    metadata.insert("slides".to_owned(), slides.len().into());
    Ok(Document {
        text: texts.join("\n\n"),
        metadata,
        data: [("slides".to_owned(), Value::Array(slides))]
            .into_iter()
            .collect(),
    })
}

/// The parts of the slides: the presentation names them by relations.
fn order(package: &mut Package<'_>) -> Result<Vec<String>, String> {
    let mut targets = BTreeMap::new();
    let relations = package.required("ppt/_rels/presentation.xml.rels")?;
    pieces(&relations, |piece| {
        if let Piece::Open(name, attributes) = piece
            && name == "Relationship"
        {
            let attribute = |wanted: &str| {
                let found = attributes.iter().find(|(key, _)| key == wanted);
                found.map(|(_, value)| value.clone())
            };
            if let (Some(id), Some(target)) = (attribute("Id"), attribute("Target")) {
                let part = match target.strip_prefix('/') {
                    Some(absolute) => absolute.to_owned(),
                    None => format!("ppt/{target}"),
                };
                targets.insert(id, part);
            }
        }
    })?;
    let mut parts = Vec::new();
    pieces(&package.required("ppt/presentation.xml")?, |piece| {
        if let Piece::Open(name, attributes) = piece
            && name == "sldId"
            && parts.len() < SLIDES
        {
            // It has two attributes that end in `id`; the one with the prefix names the relation and comes last.
            let relation = attributes
                .iter()
                .filter(|(key, _)| key == "id")
                .find_map(|(_, value)| targets.get(value));
            parts.extend(relation.cloned());
        }
    })?;
    Ok(parts)
}
