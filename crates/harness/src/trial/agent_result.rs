//! What an agent leaves: the JSON object in its result file, or the last one it printed.
//!
//! Everything in it is optional and comes from a program that may be wrong about anything, so a field of a wrong
//! type is left out with a note instead of taking the other fields with it.

use std::path::Path;

use run_record::{AgentOutcome, Usage};
use serde_json::{Map, Value};

use super::written::cut;

/// The largest result file that is read; an answer belongs in it, a transcript beside it.
const MAX_RESULT: u64 = 16 * 1024 * 1024;

/// A final answer may be a document. It goes to the verifier and into the journal, one line of which holds it even if
/// every character of it needs six in JSON.
const MAX_ANSWER: usize = 1024 * 1024;

/// The largest output in which an earlier line is looked for when the last one cannot be read.
const MAX_STDOUT: u64 = 256 * 1024 * 1024;

/// No service has longer ids.
const MAX_ID: usize = 200;

/// Why an agent says that it did not do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClaimedFault {
    Infrastructure,
    Agent,
}

/// What an agent says of its work.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct AgentResult {
    pub(crate) final_answer: Option<String>,
    pub(crate) completed: Option<bool>,
    pub(crate) error: Option<String>,
    pub(crate) fault: Option<ClaimedFault>,
    pub(crate) steps: Option<u64>,
    pub(crate) usage: Usage,
    pub(crate) transcript: Option<Vec<Value>>,
    /// The session that the agent made itself.
    pub(crate) session_id: Option<String>,
    /// Whether the agent left any.
    pub(crate) is_there: bool,
    /// Fields that were left out and why.
    pub(crate) notes: Vec<String>,
}

impl AgentResult {
    /// Reads the result file; if there is none, the last JSON line of the output.
    pub(crate) fn collect(file: &Path, last_line: Option<&[u8]>) -> Self {
        match read_file(file) {
            Ok(Some(result)) => result,
            Ok(None) => last_line.and_then(parse).unwrap_or_default(),
            Err(note) => {
                let mut result = last_line.and_then(parse).unwrap_or_default();
                result.notes.push(note);
                result
            }
        }
    }

    /// As [`AgentResult::collect`], for an agent of the vendor's own runner, which takes the last line that can be read.
    /// The supervisor remembers the last one that looks like it.
    pub(crate) fn collect_flt(file: &Path, last_line: Option<&[u8]>, stdout: &Path) -> Self {
        let result = Self::collect(file, last_line);
        if result.is_there || last_line.is_none() {
            return result;
        }
        last_that_reads(stdout).unwrap_or(result)
    }

    /// What an agent of the vendor's own runner did: its result says so, or that there is none. How its process ended
    /// means nothing.
    pub(crate) fn outcome_flt(&self) -> AgentOutcome {
        if self.completed == Some(true) {
            AgentOutcome::Completed
        } else {
            AgentOutcome::Failed
        }
    }

    /// What the agent did, given how its process ended with exit code `exit`.
    pub(crate) fn outcome(&self, exit: i32) -> AgentOutcome {
        let says_failed = self.error.is_some() && self.completed != Some(true);
        if exit == 0 && self.completed != Some(false) && !says_failed {
            AgentOutcome::Completed
        } else {
            AgentOutcome::Failed
        }
    }
}

/// Bytes of text that are kept of a result; 0 of what is none.
pub(crate) fn read_agent_result(bytes: &[u8]) -> usize {
    let result = parse(bytes).unwrap_or_default();
    let texts = [&result.final_answer, &result.error];
    texts.into_iter().flatten().map(String::len).sum()
}

fn read_file(path: &Path) -> Result<Option<AgentResult>, String> {
    let size = match std::fs::metadata(path) {
        Ok(data) if data.is_file() => data.len(),
        Ok(_) => return Err("the result file is not a file".to_owned()),
        Err(_) => return Ok(None),
    };
    if size > MAX_RESULT {
        return Err(format!(
            "the result file has {size} bytes, more than {MAX_RESULT}"
        ));
    }
    let bytes = std::fs::read(path).map_err(|error| format!("the result file: {error}"))?;
    parse(&bytes)
        .map(Some)
        .ok_or_else(|| "the result file is not a JSON object".to_owned())
}

/// The last line of the kept output that is a result.
fn last_that_reads(stdout: &Path) -> Option<AgentResult> {
    let size = std::fs::metadata(stdout).ok()?.len();
    if size > MAX_STDOUT {
        return None;
    }
    let bytes = std::fs::read(stdout).ok()?;
    let mut lines = bytes.rsplit(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    lines.find_map(|line| line.starts_with(b"{").then(|| parse(line)).flatten())
}

fn parse(bytes: &[u8]) -> Option<AgentResult> {
    let Ok(Value::Object(mut fields)) = serde_json::from_slice(bytes) else {
        return None;
    };
    let mut result = AgentResult {
        is_there: true,
        ..AgentResult::default()
    };
    let notes = &mut result.notes;
    result.final_answer = take(&mut fields, "final_answer", notes, |value| match value {
        Value::String(text) => Some(cut(&text, MAX_ANSWER)),
        other => Some(cut(&other.to_string(), MAX_ANSWER)),
    });
    result.completed = take(&mut fields, "completed", notes, |value| value.as_bool());
    result.error = take(&mut fields, "error", notes, |value| match value {
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    });
    result.fault = take(&mut fields, "error_kind", notes, |value| {
        match value.as_str() {
            Some("infrastructure") => Some(ClaimedFault::Infrastructure),
            Some("agent") => Some(ClaimedFault::Agent),
            _ => None,
        }
    });
    result.steps = take(&mut fields, "steps_taken", notes, |value| value.as_u64());
    if let Some(mut usage) = take(&mut fields, "usage", notes, |value| match value {
        Value::Object(usage) => Some(usage),
        _ => None,
    }) {
        result.usage = Usage {
            input_tokens: take(&mut usage, "input_tokens", notes, |value| value.as_u64()),
            output_tokens: take(&mut usage, "output_tokens", notes, |value| value.as_u64()),
            cost_usd: take(&mut usage, "cost_usd", notes, |value| {
                value
                    .as_f64()
                    .filter(|cost| cost.is_finite() && *cost >= 0.0)
            }),
        };
    }
    result.transcript = take(&mut fields, "transcript", notes, |value| match value {
        Value::Array(messages) => Some(messages),
        _ => None,
    });
    result.session_id = take(&mut fields, "session_id", notes, |value| {
        value.as_str().filter(|id| is_id(id)).map(str::to_owned)
    });
    Some(result)
}

/// What can be an id of the service: it goes into requests and the journal as it stands.
fn is_id(text: &str) -> bool {
    text.len() <= MAX_ID && text.chars().all(|c| c.is_ascii_graphic())
}

/// A field of the right shape; a note if it is there and has another.
fn take<T>(
    fields: &mut Map<String, Value>,
    name: &str,
    notes: &mut Vec<String>,
    read: impl FnOnce(Value) -> Option<T>,
) -> Option<T> {
    let value = fields.remove(name).filter(|value| !value.is_null())?;
    let is_empty_text = value.as_str() == Some("");
    let read = read(value);
    if read.is_none() && !is_empty_text {
        notes.push(format!(
            "`{name}` in the agent's result has a value that cannot be used"
        ));
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(file: Option<&str>, line: Option<&str>) -> AgentResult {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("result.json");
        if let Some(text) = file {
            std::fs::write(&path, text).unwrap();
        }
        AgentResult::collect(&path, line.map(str::as_bytes))
    }

    #[test]
    fn the_file_wins_over_the_last_line() {
        let result = collect(
            Some(
                r#"{"final_answer":"42","completed":true,"steps_taken":7,"usage":{"input_tokens":5,"cost_usd":0.25}}"#,
            ),
            Some(r#"{"final_answer":"7"}"#),
        );
        assert_eq!(result.final_answer.as_deref(), Some("42"));
        assert_eq!(
            (result.steps, result.usage.input_tokens),
            (Some(7), Some(5))
        );
        assert_eq!(result.usage.cost_usd, Some(0.25));
        assert_eq!(result.outcome(0), AgentOutcome::Completed);
        assert!(result.notes.is_empty());
    }

    #[test]
    fn without_a_file_the_last_line_counts_and_rubbish_counts_for_nothing() {
        let result = collect(None, Some(r#"{"final_answer": 42, "error": null}"#));
        assert_eq!(result.final_answer.as_deref(), Some("42"));
        assert_eq!(collect(None, Some("{not json")), AgentResult::default());
        assert_eq!(collect(None, None), AgentResult::default());
        let damaged = collect(Some("{half"), Some(r#"{"final_answer":"x"}"#));
        assert_eq!(damaged.final_answer.as_deref(), Some("x"));
        assert_eq!(damaged.notes.len(), 1);
    }

    #[test]
    fn one_wrong_field_does_not_take_the_others_along() {
        let result = collect(
            Some(
                r#"{"completed":"yes","steps_taken":-1,"usage":{"cost_usd":-3,"output_tokens":9},"final_answer":"a","error_kind":"weather"}"#,
            ),
            None,
        );
        assert_eq!(result.final_answer.as_deref(), Some("a"));
        assert_eq!(result.usage.output_tokens, Some(9));
        assert_eq!(result.notes.len(), 4, "{:?}", result.notes);
    }

    #[test]
    fn an_agent_that_says_it_failed_has_failed() {
        let outcome = |text: &str, exit| collect(Some(text), None).outcome(exit);
        assert_eq!(outcome(r#"{"completed":false}"#, 0), AgentOutcome::Failed);
        assert_eq!(outcome(r#"{"error":"lost"}"#, 0), AgentOutcome::Failed);
        assert_eq!(
            outcome(r#"{"error":"max steps","completed":true}"#, 0),
            AgentOutcome::Completed
        );
        assert_eq!(outcome("{}", 3), AgentOutcome::Failed);
        assert_eq!(outcome("{}", 0), AgentOutcome::Completed);
    }

    #[test]
    fn an_agent_of_flt_is_what_its_last_readable_line_says_whatever_its_exit_code() {
        let folder = tempfile::tempdir().unwrap();
        let stdout = folder.path().join("stdout.log");
        let text = "{\"completed\": false}\nStep 1\n  {\"completed\": true, \"session_id\": \"s-1\"}\n{oops\n";
        std::fs::write(&stdout, text).unwrap();
        let none = folder.path().join("result.json");
        let collect =
            |last: Option<&str>| AgentResult::collect_flt(&none, last.map(str::as_bytes), &stdout);
        let result = collect(Some("{oops"));
        assert_eq!(result.outcome_flt(), AgentOutcome::Completed);
        assert_eq!(result.session_id.as_deref(), Some("s-1"));
        // A result without `completed` is no success, and neither is none.
        assert_eq!(collect(Some("{}")).outcome_flt(), AgentOutcome::Failed);
        assert_eq!(collect(None).outcome_flt(), AgentOutcome::Failed);
        assert!(!collect(None).is_there);
    }

    #[test]
    fn a_session_id_that_cannot_be_one_is_left_out() {
        for bad in ["a b", "a\u{0}", &"x".repeat(201)] {
            let text = serde_json::json!({"session_id": bad}).to_string();
            let result = collect(Some(&text), None);
            assert_eq!((result.session_id, result.notes.len()), (None, 1), "{bad}");
        }
    }

    #[test]
    fn a11_a_final_answer_of_any_length_is_bounded_and_says_so() {
        let long = "é".repeat(MAX_ANSWER);
        let result = collect(Some(&format!(r#"{{"final_answer":"{long}"}}"#)), None);
        let answer = result.final_answer.unwrap();
        assert!(answer.len() <= MAX_ANSWER + 100);
        assert!(answer.ends_with("é [harness: 1048576 bytes cut]"));
    }
}
