//! One value of a `SQLite` row, and what Rust types it can become.

use std::cmp::Ordering;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Number, Value as Json};

/// A value as `SQLite` stores it.
///
/// Managers send JSON, which has no bytes: a blob arrives as whatever text the manager makes of it
/// (base64, by the embedded server). Where bytes matter, select `hex(column)`; snapshots do.
#[derive(Debug, Clone, Default)]
pub enum Value {
    /// SQL NULL.
    #[default]
    Null,
    /// A 64-bit integer.
    Integer(i64),
    /// A double.
    Real(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

impl Value {
    /// What a manager's JSON says. A list or an object, which no manager is known to send, is kept as
    /// its JSON text.
    ///
    /// ```
    /// use fleet_api::manager::Value;
    ///
    /// assert_eq!(Value::from_json(serde_json::json!(2)), Value::Integer(2));
    /// assert_eq!(Value::from_json(serde_json::json!("2")), Value::Text("2".into()));
    /// ```
    pub fn from_json(json: Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(yes) => Self::Integer(i64::from(yes)),
            Json::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(integer), _) => Self::Integer(integer),
                (None, Some(real)) => Self::Real(real),
                (None, None) => Self::Text(number.to_string()),
            },
            Json::String(text) => Self::Text(text),
            other => Self::Text(other.to_string()),
        }
    }

    /// The JSON form: bytes as base64, an infinite number as the text `inf` or `-inf`.
    ///
    /// ```
    /// use fleet_api::manager::Value;
    ///
    /// assert_eq!(Value::Blob(vec![1, 2]).to_json(), "AQI=");
    /// ```
    pub fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Integer(number) => Json::from(*number),
            Self::Real(number) => Number::from_f64(*number)
                .map_or_else(|| Json::String(number.to_string()), Json::Number),
            Self::Text(text) => Json::String(text.clone()),
            Self::Blob(bytes) => Json::String(STANDARD.encode(bytes)),
        }
    }

    /// Whether this is SQL NULL.
    ///
    /// ```
    /// assert!(fleet_api::manager::Value::Null.is_null());
    /// ```
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub(in crate::manager) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Integer(_) => "an integer",
            Self::Real(_) => "a number",
            Self::Text(_) => "text",
            Self::Blob(_) => "bytes",
        }
    }

    /// About how many bytes the value takes.
    pub(in crate::manager) fn weight(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Null | Self::Integer(_) | Self::Real(_) => 0,
                Self::Text(text) => text.len(),
                Self::Blob(bytes) => bytes.len(),
            }
    }

    /// The order of `ORDER BY … COLLATE BINARY`: NULL, then numbers by value, then text by bytes,
    /// then blobs by bytes (`SQLite`, "Datatypes in `SQLite`", §4.1).
    ///
    /// ```
    /// use fleet_api::manager::Value;
    ///
    /// assert!(Value::Integer(10).order(&Value::from("9")).is_lt());
    /// assert!(Value::Integer(1).order(&Value::Real(1.0)).is_eq());
    /// ```
    pub fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Integer(a), Self::Integer(b)) => a.cmp(b),
            (Self::Real(a), Self::Real(b)) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
            (Self::Integer(a), Self::Real(b)) => integer_and_real(*a, *b),
            (Self::Real(a), Self::Integer(b)) => integer_and_real(*b, *a).reverse(),
            (Self::Text(a), Self::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
            (Self::Blob(a), Self::Blob(b)) => a.cmp(b),
            _ => self.class().cmp(&other.class()),
        }
    }

    const fn class(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Integer(_) | Self::Real(_) => 1,
            Self::Text(_) => 2,
            Self::Blob(_) => 3,
        }
    }
}

/// Equality by value: NULL equals NULL, and 1 equals 1.0.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.order(other) == Ordering::Equal
    }
}

/// Compares exactly, where converting the integer to a double would lose its last bits.
fn integer_and_real(integer: i64, real: f64) -> Ordering {
    // 2^63 is exact as a double; every double at or above it is larger than any i64.
    const TWO_63: f64 = 9_223_372_036_854_775_808.0;
    if real.is_nan() {
        return Ordering::Greater;
    }
    if real >= TWO_63 {
        return Ordering::Less;
    }
    if real < -TWO_63 {
        return Ordering::Greater;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the range was checked above; the fraction is compared below"
    )]
    let whole = real as i64;
    integer.cmp(&whole).then_with(|| {
        0.0_f64
            .partial_cmp(&(real - real.trunc()))
            .unwrap_or(Ordering::Equal)
    })
}

/// As SQL writes it.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Real(number) => write!(f, "{number:?}"),
            Self::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
            Self::Blob(bytes) => write!(f, "x'{}'", hex::encode(bytes)),
        }
    }
}

macro_rules! from {
    ($($type:ty => $value:ident: $to:expr;)+) => {
        $(impl From<$type> for Value {
            fn from($value: $type) -> Self {
                $to
            }
        })+
    };
}

from! {
    i8 => value: Self::Integer(value.into());
    i16 => value: Self::Integer(value.into());
    i32 => value: Self::Integer(value.into());
    i64 => value: Self::Integer(value);
    u8 => value: Self::Integer(value.into());
    u16 => value: Self::Integer(value.into());
    u32 => value: Self::Integer(value.into());
    bool => value: Self::Integer(value.into());
    f32 => value: Self::Real(value.into());
    f64 => value: Self::Real(value);
    &str => value: Self::Text(value.to_owned());
    String => value: Self::Text(value);
    &String => value: Self::Text(value.clone());
    Vec<u8> => value: Self::Blob(value);
    &[u8] => value: Self::Blob(value.to_vec());
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A type that a value can be read as.
///
/// Nothing is converted that would lose something: text is no number, 2.5 is no integer, NULL is
/// nothing but an `Option`.
pub trait FromValue: Sized {
    /// What it is, for messages: `an integer`.
    const EXPECTED: &'static str;

    /// Reads the value; none if it is of another kind or out of range.
    fn from_value(value: &Value) -> Option<Self>;
}

macro_rules! integers {
    ($($type:ty),+) => {
        $(impl FromValue for $type {
            const EXPECTED: &'static str = concat!("an integer (", stringify!($type), ")");

            fn from_value(value: &Value) -> Option<Self> {
                match value {
                    Value::Integer(number) => Self::try_from(*number).ok(),
                    _ => None,
                }
            }
        })+
    };
}

integers!(i8, i16, i32, i64, u8, u16, u32, u64, usize);

impl FromValue for f64 {
    const EXPECTED: &'static str = "a number";

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Real(number) => Some(*number),
            Value::Integer(number) => {
                let real = *number as Self;
                (integer_and_real(*number, real) == Ordering::Equal).then_some(real)
            }
            _ => None,
        }
    }
}

impl FromValue for bool {
    const EXPECTED: &'static str = "0 or 1";

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Integer(0) => Some(false),
            Value::Integer(1) => Some(true),
            _ => None,
        }
    }
}

impl FromValue for String {
    const EXPECTED: &'static str = "text";

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        }
    }
}

impl FromValue for Vec<u8> {
    const EXPECTED: &'static str = "bytes";

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Blob(bytes) => Some(bytes.clone()),
            _ => None,
        }
    }
}

impl FromValue for Value {
    const EXPECTED: &'static str = "a value";

    fn from_value(value: &Value) -> Option<Self> {
        Some(value.clone())
    }
}

impl<T: FromValue> FromValue for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            other => T::from_value(other).map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_and_reals_compare_exactly() {
        use Ordering::{Equal, Greater, Less};
        // 2^53 + 1, for which there is no double.
        let big = 9_007_199_254_740_993_i64;
        for (left, right, order) in [
            (
                Value::Integer(big),
                Value::Real(9_007_199_254_740_992.0),
                Greater,
            ),
            (Value::Integer(1), Value::Real(1.0), Equal),
            (Value::Integer(-1), Value::Real(-1.5), Greater),
            (Value::Integer(1), Value::Real(1.5), Less),
            (Value::Integer(i64::MAX), Value::Real(f64::INFINITY), Less),
            (
                Value::Integer(i64::MIN),
                Value::Real(f64::NEG_INFINITY),
                Greater,
            ),
        ] {
            assert_eq!(left.order(&right), order, "{left} {right}");
            assert_eq!(right.order(&left), order.reverse(), "{right} {left}");
        }
    }
}
