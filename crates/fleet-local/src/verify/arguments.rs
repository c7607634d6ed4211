//! What a verifier is called with.
//!
//! A request carries the arguments twice, and the two differ: keyword arguments exist only in the pickle. The pickle therefore decides
//! where there is one; the JSON list serves callers that send nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fleet_api::types::ExecuteVerifierBody;
use serde_json::{Map, Value};

use super::pickle::{self, PickleError};

/// The key under which the last argument names the instance.
const ENV: &str = "env";

/// The arguments of one call, the instance taken out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CallArguments {
    /// Positional arguments after `env`.
    pub args: Vec<Value>,
    /// Keyword arguments.
    pub kwargs: Map<String, Value>,
    /// The instance to look at.
    pub instance_id: Option<String>,
}

/// The arguments cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArgumentError {
    /// `args` is not base64.
    #[error("the arguments are not base64")]
    Base64,
    /// `args` is not a pickle of plain data.
    #[error("the arguments cannot be read")]
    Pickle(#[source] PickleError),
    /// The pickle is something other than `{"args": …, "kwargs": …}`.
    #[error("the arguments are not of the form {{\"args\": (…), \"kwargs\": {{…}}}}")]
    Form,
}

impl CallArguments {
    /// Reads the arguments of a request.
    ///
    /// # Errors
    /// See [`ArgumentError`].
    pub fn of(body: &ExecuteVerifierBody) -> Result<Self, ArgumentError> {
        match body.args.as_deref().filter(|args| !args.is_empty()) {
            Some(encoded) => {
                let bytes = STANDARD
                    .decode(encoded)
                    .map_err(|_| ArgumentError::Base64)?;
                Self::from_pickled(pickle::decode(&bytes).map_err(ArgumentError::Pickle)?)
            }
            None => Ok(Self::new(
                body.args_array.clone().unwrap_or_default(),
                Map::new(),
            )),
        }
    }

    fn from_pickled(value: Value) -> Result<Self, ArgumentError> {
        let Value::Object(mut fields) = value else {
            return Err(ArgumentError::Form);
        };
        let mut args = match fields.remove("args") {
            Some(Value::Array(args)) => args,
            Some(Value::Null) | None => Vec::new(),
            Some(_) => return Err(ArgumentError::Form),
        };
        let kwargs = match fields.remove("kwargs") {
            Some(Value::Object(kwargs)) => kwargs,
            Some(Value::Null) | None => Map::new(),
            Some(_) => return Err(ArgumentError::Form),
        };
        // The first one keeps the place of the env object.
        if args.first().is_some_and(Value::is_null) {
            args.remove(0);
        }
        Ok(Self::new(args, kwargs))
    }

    fn new(mut args: Vec<Value>, kwargs: Map<String, Value>) -> Self {
        let instance_id = args.last().and_then(named_instance);
        if instance_id.is_some() {
            args.pop();
        }
        Self {
            args,
            kwargs,
            instance_id,
        }
    }

    /// The agent's final answer: the keyword argument, else the first positional one; none where it is absent or null.
    pub fn final_answer(&self) -> Option<&Value> {
        let answer = self
            .kwargs
            .get("final_answer")
            .or_else(|| self.args.first());
        answer.filter(|answer| !answer.is_null())
    }
}

fn named_instance(argument: &Value) -> Option<String> {
    let object = argument.as_object().filter(|object| object.len() == 1)?;
    object.get(ENV)?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_instance_and_the_place_holder_are_taken_out() {
        let pickled =
            json!({"args": [null, "done", {"env": "a1"}], "kwargs": {"conversation": "[]"}});
        let read = CallArguments::from_pickled(pickled).unwrap();
        assert_eq!(
            (read.args, read.instance_id.as_deref()),
            (vec![json!("done")], Some("a1"))
        );
        assert_eq!(read.kwargs["conversation"], "[]");
    }

    #[test]
    fn the_keyword_answer_wins_and_null_is_none() {
        let of = |args: Value| {
            CallArguments::from_pickled(args)
                .unwrap()
                .final_answer()
                .cloned()
        };
        assert_eq!(
            of(json!({"args": [null, "a", {"env": "x"}], "kwargs": {"final_answer": "b"}})),
            Some(json!("b"))
        );
        assert_eq!(
            of(json!({"args": [null, "a", {"env": "x"}], "kwargs": {}})),
            Some(json!("a"))
        );
        assert_eq!(
            of(json!({"args": [null, {"env": "x"}], "kwargs": {"final_answer": null}})),
            None
        );
    }

    #[test]
    fn the_json_list_serves_alone() {
        let body = ExecuteVerifierBody {
            args_array: Some(vec![json!("done"), json!({"env": "a1"})]),
            ..ExecuteVerifierBody::default()
        };
        let read = CallArguments::of(&body).unwrap();
        assert_eq!(
            (read.final_answer(), read.instance_id.as_deref()),
            (Some(&json!("done")), Some("a1"))
        );
    }

    #[test]
    fn what_cannot_be_read_is_not_dropped() {
        let with = |args: &str| {
            CallArguments::of(&ExecuteVerifierBody {
                args: Some(args.to_owned()),
                args_array: Some(Vec::new()),
                ..ExecuteVerifierBody::default()
            })
        };
        assert_eq!(with("*"), Err(ArgumentError::Base64));
        assert!(matches!(
            with(&STANDARD.encode(b"\x80\x04cos\nsystem\n.")),
            Err(ArgumentError::Pickle(_))
        ));
        assert_eq!(
            with(&STANDARD.encode(b"\x80\x04K\x01.")),
            Err(ArgumentError::Form)
        );
    }
}
