//! How a verifier that needs no Python travels as Python source.
//!
//! The official client loads every verifier as source and uploads it unread. A native verifier is
//! therefore a comment with its definition, followed by a function that the client can find and
//! name. Only this module knows that form; what a definition means is the server's business.

use serde_json::Value;

/// What the first line of a native verifier starts with; its compact JSON follows on the same line.
pub const MARKER: &str = "# fleet-local native verifier: ";

/// The name of the function that stands in for a native verifier.
pub const STAND_IN: &str = "verify";

/// The Python source that carries `definition`.
///
/// ```
/// use fleet_api::native_verifier::{parse, render};
///
/// let definition = serde_json::json!({"kind": "state", "changes": []});
/// assert_eq!(parse(&render(&definition)), Some(definition));
/// ```
pub fn render(definition: &Value) -> String {
    // Compact JSON escapes every line break, so the definition stays on the comment's line.
    format!(
        "{MARKER}{definition}\ndef {STAND_IN}(env, final_answer=None):\n    raise RuntimeError(\"this verifier runs inside fleet-local\")\n"
    )
}

/// The definition in `source`, or nothing if it is ordinary Python.
pub fn parse(source: &str) -> Option<Value> {
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    let definition = source.lines().next()?.strip_prefix(MARKER)?;
    serde_json::from_str(definition).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_definition_with_line_breaks_and_quotes_survives_on_one_line() {
        let definition =
            json!({"kind": "state", "text": "a\nb\r\u{2028}\"'''\\", "n": [1, 2.5, null]});
        let source = render(&definition);
        assert!(source.starts_with(MARKER));
        assert_eq!(source.matches('\n').count(), 3);
        assert_eq!(parse(&source), Some(definition));
    }

    #[test]
    fn windows_line_ends_and_a_byte_order_mark_do_not_hide_it() {
        let source = format!(
            "\u{feff}{}",
            render(&json!({"kind": "state"})).replace('\n', "\r\n")
        );
        assert_eq!(parse(&source), Some(json!({"kind": "state"})));
    }

    #[test]
    fn ordinary_source_is_not_native() {
        for source in [
            "",
            "def verify(env):\n    return 1\n",
            "\n# fleet-local native verifier: {}\n",
            "# fleet-local native verifier: {broken",
        ] {
            assert_eq!(parse(source), None, "{source:?}");
        }
    }
}
