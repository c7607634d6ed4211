//! The text helpers that verifiers share, with the meaning that the official SDK gives them.

use serde_json::Value;

/// Lower case, ASCII punctuation and white space removed.
///
/// The SDK turns punctuation into spaces and then removes all white space, which comes to the same.
pub(super) fn normalize(text: &str) -> String {
    text.to_lowercase()
        .chars()
        .filter(|character| !character.is_ascii_punctuation() && !character.is_whitespace())
        .collect()
}

/// Whether `target` is found in `text` once both are normalised.
pub(super) fn normalized_contains(target: &str, text: &str) -> bool {
    normalize(text).contains(&normalize(target))
}

/// Every number in a text; commas are taken for separators of thousands.
pub(super) fn numbers(text: &str) -> Vec<f64> {
    let text = text.replace(',', "");
    let bytes = text.as_bytes();
    let mut numbers = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let mut end = at + usize::from(bytes[at] == b'-');
        let first_digit = end;
        end += digits(&bytes[end..]);
        if end == first_digit {
            at += 1;
            continue;
        }
        if bytes.get(end) == Some(&b'.') {
            end += 1;
            end += digits(&bytes[end..]);
        }
        // Rust reads "12." as well as Python does.
        numbers.extend(text[start..end].parse::<f64>());
        at = end;
    }
    numbers
}

fn digits(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count()
}

/// A JSON value as text: strings as they are, everything else as compact JSON.
pub(super) fn of_value(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contains_ignores_case_punctuation_and_space() {
        assert!(normalized_contains(
            "re-fund!",
            "Please issue a Refund today"
        ));
        assert!(normalized_contains("two words", "TwoWords"));
        assert!(!normalized_contains("refunds", "refund"));
    }

    #[test]
    fn numbers_are_found_as_the_sdk_finds_them() {
        assert_eq!(
            numbers("1,234.50 and -7, 3. end 1-2"),
            [1234.5, -7.0, 3.0, 1.0, -2.0]
        );
        assert_eq!(numbers("no - number . here"), Vec::<f64>::new());
    }
}
