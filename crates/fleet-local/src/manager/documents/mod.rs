//! The documents of an instance: their text, what they say of themselves, and their parts.
//!
//! Responsible for reading office documents, PDF and plain formats. They come from whoever worked in the instance, so they are read by a
//! process of their own (see [`document_main`]) with little memory and little time: a document that makes a parser hang, panic or eat
//! memory costs that process, not the server.

mod extract;
mod kind;
mod process;
mod reader;

pub use kind::{Kind, kind_of};
pub use process::document_main;
pub use reader::{DocumentError, DocumentReader};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a document holds.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Document {
    /// Everything that a person would read, in reading order.
    pub text: String,
    /// Title, author, times, counts.
    pub metadata: Map<String, Value>,
    /// Its parts: sheets and cells, paragraphs and tables, pages, slides.
    pub data: Map<String, Value>,
}
