//! Readers for fields whose type services disagree on. A value that makes no sense reads as absent,
//! because one odd optional field must not cost the whole record.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Number, Value};

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

/// The largest whole number that every reader of JSON understands alike (RFC 8259, section 6): above it a double does not
/// count in steps of one.
const LARGEST: u64 = 1 << 53;

/// A count of a request, where nonsense is an error. JSON has one kind of number, so `8.0` is 8.
pub(super) fn whole<'de, D: Deserializer<'de>, T: TryFrom<u64>>(from: D) -> Result<T, D::Error> {
    let number = Number::deserialize(from)?;
    number
        .as_u64()
        .or_else(|| {
            let number = number.as_f64()?;
            (number.fract() == 0.0).then(|| round(number)).flatten()
        })
        .filter(|count| *count <= LARGEST)
        .and_then(|count| T::try_from(count).ok())
        .ok_or_else(|| D::Error::custom(format!("{number} is no whole number in range")))
}

/// As [`whole`], for fields that may be left out.
pub(super) fn optional_whole<'de, D: Deserializer<'de>, T: TryFrom<u64>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    let value = Option::<Value>::deserialize(from)?;
    value
        .map(|value| whole(value).map_err(D::Error::custom))
        .transpose()
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
    (0.0..=LARGEST as f64)
        .contains(&number)
        .then(|| number.round() as u64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whole_numbers_are_read_in_every_form_that_json_has_for_them_and_nothing_else_is() {
        for value in [json!(8), json!(8.0)] {
            assert_eq!(whole::<_, u32>(value.clone()).ok(), Some(8));
            assert_eq!(optional_whole::<_, u32>(value).ok(), Some(Some(8)));
        }
        for value in [
            json!(8.5),
            json!(LARGEST + 1),
            json!(-1),
            json!("8"),
            json!(1_u64 << 40),
            json!(true),
        ] {
            assert!(whole::<_, u32>(value.clone()).is_err(), "{value}");
            assert!(optional_whole::<_, u32>(value.clone()).is_err(), "{value}");
        }
        assert_eq!(optional_whole::<_, u32>(Value::Null).ok(), Some(None));
    }
}
