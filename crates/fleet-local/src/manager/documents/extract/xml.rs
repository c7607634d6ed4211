//! XML as a flat list of what opens, what is written, and what closes.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};

/// One piece of an XML text. Names are without their prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Open(String, Vec<(String, String)>),
    Text(String),
    Close(String),
}

/// Hands every piece to `take`, in order. An empty element opens and closes.
pub(super) fn pieces(xml: &str, mut take: impl FnMut(Piece)) -> Result<(), String> {
    let mut reader = Reader::from_str(xml);
    let mut open_elements = 0_usize;
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(element) => {
                open_elements += 1;
                take(open(&element));
            }
            Event::Empty(element) => {
                let name = element.local_name().as_ref().to_owned();
                take(open(&element));
                take(Piece::Close(name));
            }
            Event::End(element) => {
                open_elements = open_elements.saturating_sub(1);
                take(Piece::Close(element.local_name().as_ref().to_owned()));
            }
            Event::Text(text) => take(Piece::Text((*text).to_owned())),
            Event::CData(text) => take(Piece::Text((*text).to_owned())),
            // Entities that a text would define itself are left out: they are how small files become large.
            Event::GeneralRef(reference) => {
                let character = reference.resolve_char_ref().ok().flatten();
                let text = character
                    .map(String::from)
                    .or_else(|| resolve_predefined_entity(&reference).map(str::to_owned));
                take(Piece::Text(text.unwrap_or_default()));
            }
            Event::Eof if open_elements > 0 => return Err("it ends too early".to_owned()),
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

fn open(element: &BytesStart<'_>) -> Piece {
    let attributes = element
        .attributes()
        .flatten()
        .map(|attribute| {
            let value = quick_xml::escape::unescape(&attribute.value)
                .map_or_else(|_| attribute.value.to_string(), Cow::into_owned);
            (attribute.key.local_name().as_ref().to_owned(), value)
        })
        .collect();
    Piece::Open(element.local_name().as_ref().to_owned(), attributes)
}
