//! What arguments are made of: durations, `KEY=VALUE`, texts and JSON that come from the command line or a file.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value};

use super::failed::Failed;

/// The largest file that is read as an argument.
const MAX_FILE: u64 = 64 << 20;

/// Stands for stdin in place of a file's name.
const STDIN: &str = "-";

/// Reads `90s`, `30m`, `2h`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    harness::spec::parse_duration(text)
        .map_err(|error| format!("{error}; write it as 90s, 30m or 2h"))
}

/// Reads `KEY=VALUE` (text) or `KEY:=JSON`.
pub(super) fn variable(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or("must be KEY=VALUE, or KEY:=JSON for a value that is no text")?;
    let (key, value) = match key.strip_suffix(':') {
        Some(key) => {
            let value = serde_json::from_str(value)
                .map_err(|error| format!("the value of {key} is not JSON: {error}"))?;
            (key, value)
        }
        None => (key, Value::from(value)),
    };
    if key.is_empty() {
        return Err("the name in front of = is empty".to_owned());
    }
    Ok((key.to_owned(), value))
}

/// Reads `NAME=TEXT`, of which neither may be empty.
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() && !value.is_empty() => {
            Ok((key.to_owned(), value.to_owned()))
        }
        _ => Err("must have a name, `=` and a value".to_owned()),
    }
}

/// Reads a JSON number, `null`, `true`, `false` or a quoted text as what it is, and everything else as text.
pub(super) fn scalar(text: &str) -> Result<Value, std::convert::Infallible> {
    let value = serde_json::from_str(text).unwrap_or(Value::Null);
    Ok(match value {
        Value::Null if text.trim() != "null" => Value::from(text),
        Value::Array(_) | Value::Object(_) => Value::from(text),
        value => value,
    })
}

/// A text that is given itself or by the name of its file.
pub(super) fn text(given: Option<String>, file: Option<&Path>) -> Result<Option<String>, Failed> {
    match (given, file) {
        (Some(text), _) => Ok(Some(text)),
        (None, Some(file)) => read(file).map(Some),
        (None, None) => Ok(None),
    }
}

/// The text of a file, or of stdin for `-`.
pub(super) fn read(path: &Path) -> Result<String, Failed> {
    let name = path.display();
    let cannot = |error: std::io::Error| Failed::usage(format!("{name} cannot be read: {error}"));
    let mut text = String::new();
    let limit = if path.as_os_str() == STDIN {
        let mut input = std::io::stdin().lock().take(MAX_FILE + 1);
        input.read_to_string(&mut text).map_err(cannot)?;
        input.limit()
    } else {
        let mut file = std::fs::File::open(path)
            .map_err(cannot)?
            .take(MAX_FILE + 1);
        file.read_to_string(&mut text).map_err(cannot)?;
        file.limit()
    };
    if limit == 0 {
        let most = MAX_FILE >> 20;
        return Err(Failed::usage(format!("{name} has more than {most} MiB")));
    }
    Ok(text)
}

/// A JSON object, given itself or as `@FILE`.
pub(super) fn object(given: &str, option: &str) -> Result<Map<String, Value>, Failed> {
    let text = match given.strip_prefix('@') {
        Some(file) => read(Path::new(file))?,
        None => given.to_owned(),
    };
    let value: Value = serde_json::from_str(&text)
        .map_err(|error| Failed::usage(format!("{option} is not JSON: {error}")))?;
    match value {
        Value::Object(object) => Ok(object),
        _ => Err(Failed::usage(format!("{option} must be a JSON object"))),
    }
}

/// JSON objects: an array of them, or one a line. A mistake is told with its line.
pub(super) fn objects(text: &str, path: &Path) -> Result<Vec<Map<String, Value>>, Failed> {
    let name = path.display();
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(text).map_err(|error| {
            Failed::usage(format!("{name} is not an array of JSON objects: {error}"))
        });
    }
    let lines = (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| {
            serde_json::from_str(line).map_err(|error| {
                Failed::usage(format!(
                    "{name}: line {number} is not a JSON object: {error}"
                ))
            })
        })
        .collect()
}

/// Writes a file whole or not at all.
pub(super) fn write(path: &Path, content: &[u8]) -> Result<(), Failed> {
    use std::io::Write as _;
    let cannot = |error: std::io::Error| {
        Failed::usage(format!("{} cannot be written: {error}", path.display()))
    };
    let is_special = path.metadata().is_ok_and(|found| !found.is_file());
    if is_special {
        // `/dev/stdout` and pipes cannot be replaced.
        return std::fs::write(path, content).map_err(cannot);
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::Builder::new()
        .prefix(".harness-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666))
        .tempfile_in(folder.unwrap_or(Path::new(".")))
        .map_err(cannot)?;
    file.write_all(content).map_err(cannot)?;
    file.persist(path).map_err(|error| cannot(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_variable_is_text_unless_it_says_otherwise() {
        assert_eq!(variable("A=1=2"), Ok(("A".to_owned(), json!("1=2"))));
        assert_eq!(variable("A="), Ok(("A".to_owned(), json!(""))));
        assert_eq!(variable("A:=[1]"), Ok(("A".to_owned(), json!([1]))));
        for wrong in ["A", "=1", ":=1", "A:=x"] {
            assert!(variable(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_scalar_is_what_json_says_and_else_text() {
        for (text, value) in [
            ("5", json!(5)),
            ("-1.5", json!(-1.5)),
            ("null", json!(null)),
            ("true", json!(true)),
            ("\"5\"", json!("5")),
            ("open", json!("open")),
            ("[1]", json!("[1]")),
            ("", json!("")),
            ("007", json!("007")),
        ] {
            assert_eq!(scalar(text), Ok(value), "{text}");
        }
    }
}
