//! One operation of the API, as the tables say it.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

use crate::api::body::LONGEST_REQUEST_ID;

/// Makes the schema of a type; kept as a function so that tables stay plain data.
pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// The largest count that a body may hold: as the readers of the wire types have it.
pub(super) const LARGEST_COUNT: u64 = 1 << 53;

/// Names that may stand in a path. Clients refuse to send others: they would change the path's meaning.
pub(super) const SEGMENT: &str = r"^(\.?[^/\\?#%\s\x00-\x1f\x7f-\xa0.])+\.?$";

/// What a table says of an operation.
pub(super) struct Operation {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Option<Body>,
    pub(super) answer: Answer,
    pub(super) refusals: Vec<Refusal>,
}

pub(super) struct Parameter {
    pub(super) name: &'static str,
    /// `path`, `query` or `header`.
    pub(super) place: &'static str,
    pub(super) required: bool,
    pub(super) schema: Value,
    pub(super) description: &'static str,
}

pub(super) struct Body {
    pub(super) schema: SchemaOf,
    /// What the type cannot say, merged into its schema.
    pub(super) limits: Value,
    pub(super) required: bool,
}

pub(super) enum Answer {
    Json(SchemaOf),
    Text,
    Bytes,
    /// The operation only refuses.
    Nothing,
}

/// An answer that is an error.
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) description: &'static str,
    /// A schema of [`super::schemas`].
    pub(super) schema: &'static str,
}

impl Operation {
    fn new(
        method: &'static str,
        path: &'static str,
        id: &'static str,
        summary: &'static str,
    ) -> Self {
        Self {
            method,
            path,
            id,
            summary,
            parameters: Vec::new(),
            body: None,
            answer: Answer::Nothing,
            refusals: Vec::new(),
        }
    }

    pub(super) fn get(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new("get", path, id, summary)
    }

    pub(super) fn post(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new("post", path, id, summary)
    }

    pub(super) fn put(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new("put", path, id, summary)
    }

    pub(super) fn delete(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new("delete", path, id, summary)
    }

    /// A segment of the path.
    pub(super) fn segment(mut self, name: &'static str, description: &'static str) -> Self {
        self.parameters.push(Parameter {
            name,
            place: "path",
            required: true,
            schema: json!({"type": "string", "minLength": 1, "maxLength": 256, "pattern": SEGMENT}),
            description,
        });
        self.refuses(400, "The path is not valid UTF-8")
    }

    pub(super) fn query(self, name: &'static str, description: &'static str) -> Self {
        self.query_as(name, json!({"type": "string"}), description)
    }

    pub(super) fn query_as(
        mut self,
        name: &'static str,
        schema: Value,
        description: &'static str,
    ) -> Self {
        self.parameters.push(Parameter {
            name,
            place: "query",
            required: false,
            schema,
            description,
        });
        self
    }

    /// A query parameter that must be there.
    pub(super) fn required_query(
        self,
        name: &'static str,
        schema: Value,
        description: &'static str,
    ) -> Self {
        let mut operation = self.query_as(name, schema, description);
        if let Some(parameter) = operation.parameters.last_mut() {
            parameter.required = true;
        }
        operation.refuses_as(422, "A parameter is missing or malformed", "Invalid")
    }

    pub(super) fn header(
        mut self,
        name: &'static str,
        schema: Value,
        description: &'static str,
    ) -> Self {
        self.parameters.push(Parameter {
            name,
            place: "header",
            required: false,
            schema,
            description,
        });
        self
    }

    /// A body that must be there.
    pub(super) fn takes<T: JsonSchema>(self, limits: Value) -> Self {
        self.body::<T>(limits, true)
            .refuses(413, "The body is too long")
    }

    /// A request may have an id, and must have none that cannot be remembered.
    pub(super) fn named(self, description: &'static str) -> Self {
        let visible =
            json!({"type": "string", "maxLength": LONGEST_REQUEST_ID, "pattern": "^[\\t -~]*$"});
        self.header("X-Request-ID", visible, description)
            .refuses_as(
                422,
                "The `X-Request-ID` is too long or no visible ASCII",
                "Invalid",
            )
    }

    /// A repeat under the same `X-Request-ID` gets the first answer.
    pub(super) fn once(self) -> Self {
        self.named("Names the request: a repeat with the same id gets the same answer")
            .refuses_as(409, "The id was used for another request", "RequestReused")
    }

    /// A body that may be left out.
    pub(super) fn may_take<T: JsonSchema>(self) -> Self {
        self.body::<T>(Value::Null, false)
            .refuses(413, "The body is too long")
    }

    /// A body that must be there and is no wire type of the API.
    pub(super) fn takes_shape(mut self, shape: SchemaOf) -> Self {
        self.body = Some(Body {
            schema: shape,
            limits: Value::Null,
            required: true,
        });
        self.refuses(413, "The body is too long")
    }

    fn body<T: JsonSchema>(mut self, limits: Value, required: bool) -> Self {
        self.body = Some(Body {
            schema: T::json_schema,
            limits,
            required,
        });
        self
    }

    pub(super) fn answers<T: JsonSchema>(mut self) -> Self {
        self.answer = Answer::Json(SchemaGenerator::subschema_for::<T>);
        self
    }

    /// An answer that is no wire type of the API.
    pub(super) fn answers_shape(mut self, shape: SchemaOf) -> Self {
        self.answer = Answer::Json(shape);
        self
    }

    pub(super) fn answers_bytes(mut self) -> Self {
        self.answer = Answer::Bytes;
        self
    }

    pub(super) fn answers_text(mut self) -> Self {
        self.answer = Answer::Text;
        self
    }

    /// An error whose `detail` is a text.
    pub(super) fn refuses(self, status: u16, description: &'static str) -> Self {
        self.refuses_as(status, description, "Error")
    }

    /// An error of a shape of its own.
    pub(super) fn refuses_as(
        mut self,
        status: u16,
        description: &'static str,
        schema: &'static str,
    ) -> Self {
        self.refusals.push(Refusal {
            status,
            description,
            schema,
        });
        self
    }
}
