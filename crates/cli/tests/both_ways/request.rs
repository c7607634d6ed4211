//! A recorded request in a form in which two of them can be compared: what differs from run to run has a name in its place, and
//! what is packed is unpacked.

use std::collections::{BTreeMap, HashMap};
use std::io::{Cursor, Read as _};
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regex::{Captures, Regex};
use serde_json::{Value, json};

/// Ids of instances, and UUIDs of everything else.
static IDS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\b([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{8})\b")
        .unwrap()
});

/// Hashes of bundles, which hold times.
static HASHES: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b[0-9a-f]{64}\b").unwrap());

/// What a request consists of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Request {
    /// Method and path.
    pub(crate) line: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Value,
    pub(crate) status: Value,
}

/// Names for what differs from run to run, by the order in which it first appears: so the second instance of one side is compared
/// with the second of the other.
#[derive(Default)]
pub(crate) struct Names(HashMap<String, String>);

impl Names {
    pub(crate) fn request(&mut self, recorded: &Value) -> Request {
        let pairs = |field: &str| -> Vec<(String, String)> {
            serde_json::from_value(recorded[field].clone()).unwrap()
        };
        let path = recorded["path"].as_str().unwrap();
        let mut query = pairs("query");
        for (_, value) in &mut query {
            *value = self.text(value);
        }
        Request {
            line: format!(
                "{} {}",
                recorded["method"].as_str().unwrap(),
                self.text(path)
            ),
            query,
            headers: pairs("headers").into_iter().collect(),
            body: self.body(&recorded["body"]),
            status: recorded["status"].clone(),
        }
    }

    fn body(&mut self, recorded: &Value) -> Value {
        let Some(body) = recorded.get("json") else {
            return recorded.clone();
        };
        let mut body = body.clone();
        if let Some(fields) = body.as_object_mut() {
            if let Some(bundle) = fields.get_mut("bundle") {
                *bundle = unpacked_zip(bundle.as_str().unwrap());
            }
            // Other `args` are lists: those of statements.
            if let Some(Value::String(pickle)) = fields.get_mut("args") {
                *pickle = unpickled(pickle);
            }
        }
        self.value(&mut body);
        body
    }

    fn value(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(elements) => elements.iter_mut().for_each(|value| self.value(value)),
            Value::Object(fields) => fields.values_mut().for_each(|value| self.value(value)),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) -> String {
        let text = HASHES.replace_all(text, "‹hash›");
        let named = IDS.replace_all(&text, |found: &Captures<'_>| {
            let next = format!("‹id {}›", self.0.len() + 1);
            self.0.entry(found[0].to_owned()).or_insert(next).clone()
        });
        named.into_owned()
    }
}

/// Names and contents of the files, in order.
fn unpacked_zip(base64: &str) -> Value {
    let bytes = STANDARD.decode(base64).unwrap();
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let files: Vec<Value> = (0..archive.len())
        .map(|index| {
            let mut file = archive.by_index(index).unwrap();
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            json!({"name": file.name(), "text": text})
        })
        .collect();
    files.into()
}

/// The value as text, in which a tuple is no list.
fn unpickled(base64: &str) -> String {
    let bytes = STANDARD.decode(base64).unwrap();
    let value = serde_pickle::value_from_slice(&bytes, serde_pickle::DeOptions::new()).unwrap();
    format!("{value:?}")
}
