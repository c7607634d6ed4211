//! Readers for fields whose type services disagree on. A value that makes no sense reads as absent,
//! because one odd optional field must not cost the whole record.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A count that may arrive as an integer, as a number with a fraction (rounded), or as text.
pub(super) fn count<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    Ok(match Option::<Value>::deserialize(from)? {
        Some(Value::Number(number)) => number.as_u64().or_else(|| number.as_f64().and_then(round)),
        Some(Value::String(text)) => text.trim().parse().ok(),
        _ => None,
    })
}

/// As [`count`], for fields that are always there: absent, `null` and nonsense read as 0.
pub(super) fn count_or_zero<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    count(from).map(Option::unwrap_or_default)
}

/// Text that may be `null`, which reads as empty.
pub(super) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    Option::<String>::deserialize(from).map(Option::unwrap_or_default)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked just before"
)]
fn round(number: f64) -> Option<u64> {
    // 2^53: above it a f64 does not count in steps of one.
    (0.0..=9_007_199_254_740_992.0)
        .contains(&number)
        .then(|| number.round() as u64)
}
