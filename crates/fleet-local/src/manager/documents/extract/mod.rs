//! From the bytes of a document to what it holds. Everything here runs in the process of one document.

mod office;
mod package;
mod pdf;
mod slides;
mod spreadsheet;
mod words;
mod xml;

use super::{Document, Kind};

/// Bytes of text of one document.
const TEXT: usize = 16 * 1024 * 1024;

/// Reads a document, or says why not.
pub(super) fn extract(kind: Kind, bytes: &[u8]) -> Result<Document, String> {
    let document = match kind {
        Kind::Docx => words::read(bytes),
        Kind::Pptx => slides::read(bytes),
        Kind::Spreadsheet(format) => spreadsheet::read(format, bytes),
        Kind::Pdf => pdf::read(bytes),
    }?;
    if document.text.len() > TEXT {
        return Err(format!("it has more than {TEXT} bytes of text"));
    }
    Ok(document)
}
