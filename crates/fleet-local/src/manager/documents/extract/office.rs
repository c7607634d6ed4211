//! What word processors' and presentations' documents share: paragraphs and tables of runs of text.

use serde_json::{Value, json};

use super::xml::{Piece, pieces};

/// The blocks of a document, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Block {
    Paragraph { text: String, style: Option<String> },
    Table(Vec<Vec<String>>),
}

/// Reads the blocks of a part of either vocabulary: `w:` and `a:` name these elements alike.
pub(super) fn blocks(xml: &str) -> Result<Vec<Block>, String> {
    let mut reading = Reading::default();
    pieces(xml, |piece| reading.take(piece))?;
    Ok(reading.blocks)
}

/// Tables within tables are read as the text of their cell.
#[derive(Default)]
struct Reading {
    blocks: Vec<Block>,
    text: String,
    style: Option<String>,
    in_text: bool,
    tables: usize,
    rows: Vec<Vec<String>>,
    cell: Vec<String>,
}

impl Reading {
    fn take(&mut self, piece: Piece) {
        match piece {
            Piece::Open(name, attributes) => self.open(&name, &attributes),
            Piece::Text(text) if self.in_text => self.text.push_str(&text),
            Piece::Text(_) => {}
            Piece::Close(name) => self.close(&name),
        }
    }

    fn open(&mut self, name: &str, attributes: &[(String, String)]) {
        match name {
            "t" => self.in_text = true,
            "tab" if !self.text.is_empty() => self.text.push('\t'),
            "br" | "cr" => self.text.push('\n'),
            "pStyle" => {
                let value = attributes.iter().find(|(key, _)| key == "val");
                self.style = value.map(|(_, value)| value.clone());
            }
            "tbl" => self.tables += 1,
            "tr" if self.tables == 1 => self.rows.push(Vec::new()),
            _ => {}
        }
    }

    fn close(&mut self, name: &str) {
        match name {
            "t" => self.in_text = false,
            "p" => self.paragraph(),
            "tc" if self.tables == 1 => {
                let cell = std::mem::take(&mut self.cell).join("\n");
                if let Some(row) = self.rows.last_mut() {
                    row.push(cell);
                }
            }
            "tbl" => {
                self.tables = self.tables.saturating_sub(1);
                if self.tables == 0 {
                    let rows = std::mem::take(&mut self.rows);
                    self.blocks.push(Block::Table(rows));
                }
            }
            _ => {}
        }
    }

    fn paragraph(&mut self) {
        let text = std::mem::take(&mut self.text);
        let style = self.style.take();
        if self.tables > 0 {
            self.cell.push(text);
        } else {
            self.blocks.push(Block::Paragraph { text, style });
        }
    }
}

/// The blocks as text: a line for each paragraph, and one for each row of a table with tabs between the cells.
pub(super) fn text(blocks: &[Block]) -> String {
    let mut lines = Vec::new();
    for block in blocks {
        match block {
            Block::Paragraph { text, .. } => lines.push(text.clone()),
            Block::Table(rows) => lines.extend(rows.iter().map(|row| row.join("\t"))),
        }
    }
    lines.join("\n")
}

pub(super) fn paragraphs(blocks: &[Block]) -> Value {
    let paragraphs = blocks.iter().filter_map(|block| match block {
        Block::Paragraph { text, style } => Some(json!({"text": text, "style": style})),
        Block::Table(_) => None,
    });
    paragraphs.collect()
}

pub(super) fn tables(blocks: &[Block]) -> Value {
    let tables = blocks.iter().filter_map(|block| match block {
        Block::Table(rows) => Some(json!(rows)),
        Block::Paragraph { .. } => None,
    });
    tables.collect()
}
