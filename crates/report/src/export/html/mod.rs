//! `report.html`: one self-contained page that opens from disk, without a network.
//!
//! The head of the page is made here and escaped by the template engine. The trials travel as JSON in a block that
//! is not code, and the page's script turns them into text nodes. A content security policy allows exactly that one
//! script and that one style sheet, by their hashes, and nothing else: no image, no request, no form.

mod chart;
mod data;
mod page;
mod view;

pub use page::html;
