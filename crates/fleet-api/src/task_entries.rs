//! Splits the text of a tasks file into its entries, each with the line where it begins.
//!
//! What an entry means is not known here. The text is read as it stands, so that a large file costs itself and one
//! entry at a time, not a tree of all of them.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;

/// One task as it was written.
pub(crate) struct Entry<'a> {
    pub(crate) text: &'a str,
    /// From 1.
    pub(crate) line: usize,
}

/// Why a text has no entries.
pub(crate) enum EntriesError {
    Syntax(serde_json::Error),
    /// It is JSON of another shape; this says which.
    Shape(&'static str),
}

/// The items of an array, or of the `tasks` of an object.
pub(crate) fn entries(text: &str) -> Result<Vec<Entry<'_>>, EntriesError> {
    let content: &RawValue = serde_json::from_str(text).map_err(EntriesError::Syntax)?;
    let array = match kind(content) {
        "an array" => content,
        "an object" => tasks_of(content)?,
        other => return Err(EntriesError::Shape(other)),
    };
    let items: Vec<&RawValue> = serde_json::from_str(array.get()).map_err(EntriesError::Syntax)?;
    Ok(with_lines(text, &items))
}

fn tasks_of(content: &RawValue) -> Result<&RawValue, EntriesError> {
    let fields: HashMap<Cow<'_, str>, &RawValue> =
        serde_json::from_str(content.get()).map_err(EntriesError::Syntax)?;
    match fields.get("tasks") {
        Some(tasks) if kind(tasks) == "an array" => Ok(tasks),
        Some(_) => Err(EntriesError::Shape("an object whose `tasks` is no array")),
        None => Err(EntriesError::Shape("an object without `tasks`")),
    }
}

/// What a message calls a value; its first character tells.
fn kind(value: &RawValue) -> &'static str {
    match value.get().as_bytes().first() {
        Some(b'[') => "an array",
        Some(b'{') => "an object",
        Some(b'"') => "text",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

/// The items borrow from `text`, so the distance of their starts is their place in it.
fn with_lines<'a>(text: &'a str, items: &[&'a RawValue]) -> Vec<Entry<'a>> {
    let mut seen = 0;
    let mut line = 1;
    let entry = |item: &&'a RawValue| {
        let at = item.get().as_ptr().addr() - text.as_ptr().addr();
        line += text[seen..at].matches('\n').count();
        seen = at;
        Entry {
            text: item.get(),
            line,
        }
    };
    items.iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<(usize, &str)> {
        let Ok(entries) = entries(text) else {
            panic!("{text} has entries");
        };
        entries
            .iter()
            .map(|entry| (entry.line, entry.text))
            .collect()
    }

    #[test]
    fn every_entry_knows_its_line() {
        assert_eq!(
            lines("\n[1, \"a\\n\",\n\n {\"x\":\n2}\n, [3]]"),
            [(2, "1"), (2, "\"a\\n\""), (4, "{\"x\":\n2}"), (6, "[3]")]
        );
        assert_eq!(lines("{\"note\": [0],\n\"t\\u0061sks\":\n[1]}"), [(3, "1")]);
        assert!(lines("[]").is_empty());
    }
}
