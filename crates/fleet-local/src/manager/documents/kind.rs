//! Which documents can be read.

use std::path::Path;

/// A kind of document, by the end of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A word processor's.
    Docx,
    /// Slides.
    Pptx,
    /// A spreadsheet of any of the formats that are read.
    Spreadsheet(&'static str),
    /// Pages.
    Pdf,
}

/// Spreadsheet formats.
const SPREADSHEETS: [&str; 5] = ["xlsx", "xlsm", "xls", "xlsb", "ods"];

impl Kind {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Docx => "docx",
            Self::Pptx => "pptx",
            Self::Spreadsheet(format) => format,
            Self::Pdf => "pdf",
        }
    }

    /// The kind of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "docx" => Self::Docx,
            "pptx" => Self::Pptx,
            "pdf" => Self::Pdf,
            word => Self::Spreadsheet(SPREADSHEETS.iter().find(|known| **known == word)?),
        })
    }
}

/// The kind of document that a file's name says it is; `None` for files that are no documents of a format of their own.
pub fn kind_of(path: &str) -> Option<Kind> {
    let extension = Path::new(path).extension()?.to_str()?.to_ascii_lowercase();
    Kind::parse(&extension)
}
