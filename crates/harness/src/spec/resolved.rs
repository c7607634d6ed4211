//! Small builders for the resolved spec: the YAML that reads back as the same run. Each element writes itself.

use std::path::Path;
use std::time::Duration;

use serde_yaml::{Mapping, Value};

use super::text::escape;
use super::units::{format_duration, format_size};

/// A map in the order given.
pub(super) fn map<'k>(entries: impl IntoIterator<Item = (&'k str, Value)>) -> Value {
    let entries = entries
        .into_iter()
        .map(|(key, value)| (Value::from(key), value));
    Value::Mapping(entries.collect::<Mapping>())
}

/// Text that was resolved: dollar signs in it mean themselves.
pub(super) fn text(text: &str) -> Value {
    Value::from(escape(text))
}

/// A list of resolved texts.
pub(super) fn texts<'t>(texts: impl IntoIterator<Item = &'t String>) -> Value {
    texts.into_iter().map(|item| text(item)).collect()
}

/// A path, as absolute as it was resolved.
pub(super) fn path(path: &Path) -> Value {
    text(&path.to_string_lossy())
}

/// A list of paths.
pub(super) fn paths<'p>(paths: impl IntoIterator<Item = &'p std::path::PathBuf>) -> Value {
    paths.into_iter().map(|item| path(item)).collect()
}

/// A duration with units.
pub(super) fn duration(duration: Duration) -> Value {
    Value::from(format_duration(duration))
}

/// A size with a unit.
pub(super) fn size(bytes: u64) -> Value {
    Value::from(format_size(bytes))
}

/// Adds an entry for what is set; what is not set has no key.
pub(super) fn set(map: &mut Value, key: &str, value: Option<Value>) {
    if let (Value::Mapping(map), Some(value)) = (map, value) {
        map.insert(Value::from(key), value);
    }
}
