//! Makes structures of rows, by serde.

use std::fmt;

use serde::de::value::MapDeserializer;
use serde::de::{
    DeserializeOwned, Deserializer, Error as _, IntoDeserializer, Visitor, value::Error,
};
use serde::forward_to_deserialize_any;

use super::row::Row;
use super::value::Value;

/// The row as `T`, or what does not fit.
pub(super) fn row<T: DeserializeOwned>(row: &Row) -> Result<T, String> {
    let fields = row
        .iter()
        .map(|(name, value)| (name, Field { name, value }));
    T::deserialize(MapDeserializer::new(fields)).map_err(|error: Error| error.to_string())
}

/// A value with its column's name, so that errors can say where they are.
#[derive(Clone, Copy)]
struct Field<'row> {
    name: &'row str,
    value: &'row Value,
}

impl Field<'_> {
    fn named<T>(self, result: Result<T, Error>) -> Result<T, Error> {
        result.map_err(|error| Error::custom(format_args!("column {:?}: {error}", self.name)))
    }
}

impl IntoDeserializer<'_, Error> for Field<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Field<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.named(match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Integer(number) => visitor.visit_i64(*number),
            Value::Real(number) => visitor.visit_f64(*number),
            Value::Text(text) => visitor.visit_str(text),
            Value::Blob(bytes) => visitor.visit_bytes(bytes),
        })
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Integer(0) => self.named(visitor.visit_bool(false)),
            Value::Integer(1) => self.named(visitor.visit_bool(true)),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Null => self.named(visitor.visit_none()),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    /// An enum of unit variants, by its text.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.value {
            Value::Text(text) => {
                let text: serde::de::value::StrDeserializer<'_, Error> =
                    text.as_str().into_deserializer();
                self.named(text.deserialize_enum(name, variants, visitor))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    /// Bytes, for `Vec<u8>`.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Blob(bytes) => {
                let bytes = serde::de::value::SeqDeserializer::new(bytes.iter().copied());
                self.named(visitor.visit_seq(bytes))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct tuple tuple_struct map struct identifier ignored_any
    }
}

impl fmt::Debug for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::super::row::{RowError, Rows};
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Status {
        Open,
        Closed,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Id(i64);

    #[derive(Debug, PartialEq, Deserialize)]
    struct Ticket {
        id: Id,
        status: Status,
        urgent: bool,
        hours: f64,
        assignee: Option<String>,
        closed_by: Option<Id>,
        picture: Vec<u8>,
    }

    fn ticket(changes: &[(&str, Value)]) -> Row {
        let mut fields = vec![
            ("id", Value::from(2)),
            ("status", "closed".into()),
            ("urgent", 1.into()),
            ("hours", 3.into()),
            ("assignee", Value::Null),
            ("closed_by", 7.into()),
            ("picture", vec![1_u8, 2].into()),
            ("not_asked_for", "x".into()),
        ];
        for (name, value) in changes {
            fields
                .iter_mut()
                .filter(|(field, _)| field == name)
                .for_each(|(_, old)| *old = value.clone());
        }
        let columns = fields.iter().map(|(name, _)| (*name).to_owned()).collect();
        let values = fields.into_iter().map(|(_, value)| value).collect();
        Rows::new(columns, vec![values]).first().unwrap().clone()
    }

    #[test]
    fn a_row_becomes_a_structure() {
        let expected = Ticket {
            id: Id(2),
            status: Status::Closed,
            urgent: true,
            hours: 3.0,
            assignee: None,
            closed_by: Some(Id(7)),
            picture: vec![1, 2],
        };
        assert_eq!(ticket(&[]).to::<Ticket>().unwrap(), expected);
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read")]
    struct Other {
        title: String,
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (field, value) in [
            ("id", Value::from("2")),
            ("id", Value::Null),
            ("status", "lost".into()),
            ("urgent", 2.into()),
            ("hours", "3".into()),
            ("assignee", 4.into()),
        ] {
            let error = ticket(&[(field, value.clone())])
                .to::<Ticket>()
                .unwrap_err();
            assert!(
                error.to_string().contains(field),
                "{field}={value}: {error}"
            );
        }
        let error = ticket(&[]).to::<Other>().unwrap_err();
        assert!(error.to_string().contains("title"), "{error}");
    }

    #[test]
    fn values_are_read_as_what_they_are() {
        let row = ticket(&[]);
        assert_eq!(row.get::<i64>("id"), Ok(2));
        assert_eq!(row.get::<Option<String>>("assignee"), Ok(None));
        assert_eq!(row.get::<f64>("hours"), Ok(3.0));
        let error = row.get::<i64>("status").unwrap_err();
        assert_eq!(
            error.to_string(),
            "column \"status\" should be an integer (i64), but is text"
        );
        assert!(matches!(
            row.get::<i64>("nonsense"),
            Err(RowError::NoColumn { .. })
        ));
        assert!(row.get::<String>("assignee").is_err());
        let rows = Rows::new(
            vec!["id".into(), "id".into()],
            vec![vec![1.into(), 2.into()]],
        );
        assert!(matches!(
            rows.get::<i64>("id"),
            Err(RowError::Ambiguous { .. })
        ));
        assert_eq!(Rows::default().get::<i64>("id"), Err(RowError::NoRow));
    }
}
