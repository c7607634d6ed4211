//! Writes the arguments of a verification the way the verifier service reads them.
//!
//! The service unpickles `{"args": (None, *args, {"env": id}), "kwargs": {…}}`: the leading `None` is
//! the place of the environment object, and the trailing dictionary says which one. Positional
//! arguments travel a second time as JSON; keyword arguments exist in the pickle alone.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use serde_pickle::{HashableValue, SerOptions, Value as Python};

use crate::types::InstanceId;

/// The arguments of a verification, in both encodings.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct EncodedArgs {
    /// Base64 of the pickle.
    pub pickle: String,
    /// The positional arguments and `{"env": id}`.
    pub array: Vec<Value>,
}

/// Encodes the call `verifier(env, *args, **kwargs)` for the environment `instance`.
pub fn encode_args(
    instance: &InstanceId,
    args: &[Value],
    kwargs: &Map<String, Value>,
) -> EncodedArgs {
    let env = json!({"env": instance});
    let mut tuple = vec![Python::None];
    tuple.extend(args.iter().chain([&env]).map(python));
    let call = dictionary([
        ("args", Python::Tuple(tuple)),
        (
            "kwargs",
            dictionary(
                kwargs
                    .iter()
                    .map(|(name, value)| (name.as_str(), python(value))),
            ),
        ),
    ]);
    let pickle = serde_pickle::value_to_vec(&call, SerOptions::new())
        .expect("built-in types can always be pickled");
    EncodedArgs {
        pickle: STANDARD.encode(pickle),
        array: args.iter().cloned().chain([env]).collect(),
    }
}

fn python(value: &Value) -> Python {
    match value {
        Value::Null => Python::None,
        Value::Bool(value) => Python::Bool(*value),
        Value::Number(number) => serde_pickle::to_value(number)
            .expect("a JSON number is an integer or a float in Python"),
        Value::String(text) => Python::String(text.clone()),
        Value::Array(items) => Python::List(items.iter().map(python).collect()),
        Value::Object(fields) => dictionary(
            fields
                .iter()
                .map(|(name, value)| (name.as_str(), python(value))),
        ),
    }
}

fn dictionary<'a>(fields: impl IntoIterator<Item = (&'a str, Python)>) -> Python {
    let fields = fields
        .into_iter()
        .map(|(name, value)| (HashableValue::String(name.to_owned()), value));
    Python::Dict(fields.collect::<BTreeMap<_, _>>())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    /// What the interpreter prints for `script`, fed with `input`; nothing where there is none.
    fn python3(script: &str, input: &str) -> Option<String> {
        let mut child = Command::new("python3")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "python3 refused the pickle");
        Some(String::from_utf8(output.stdout).unwrap())
    }

    #[test]
    fn python_reads_back_what_was_meant() {
        let kwargs = json!({"final_answer": "größe 🎫 ' \" \\ \n", "n": [1, -7, 3.5, true, null, {"k": []}],
            "big": u64::MAX, "small": i64::MIN, "long": "x".repeat(70_000)});
        let encoded = encode_args(
            &"a1b2".into(),
            &[json!("done"), json!({"a": 1})],
            kwargs.as_object().unwrap(),
        );
        assert_eq!(
            encoded.array,
            [json!("done"), json!({"a": 1}), json!({"env": "a1b2"})]
        );

        let script = "import sys, pickle, base64, json\n\
            c = pickle.loads(base64.b64decode(sys.stdin.read()))\n\
            assert type(c) is dict and list(c) == ['args', 'kwargs'] and type(c['args']) is tuple\n\
            print(json.dumps(c))";
        let Some(printed) = python3(script, &encoded.pickle) else {
            eprintln!("skipped python_reads_back_what_was_meant: there is no python3");
            return;
        };
        let read: Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(
            read,
            json!({"args": [null, "done", {"a": 1}, {"env": "a1b2"}], "kwargs": kwargs})
        );
    }

    #[test]
    fn a_call_without_arguments_still_names_its_environment() {
        let encoded = encode_args(&"a1".into(), &[], &Map::new());
        let bytes = STANDARD.decode(encoded.pickle).unwrap();
        let read: Python =
            serde_pickle::value_from_slice(&bytes, serde_pickle::DeOptions::new()).unwrap();
        let env = dictionary([("env", Python::String("a1".into()))]);
        let expected = dictionary([
            ("args", Python::Tuple(vec![Python::None, env])),
            ("kwargs", dictionary([])),
        ]);
        assert_eq!(read, expected);
    }
}
