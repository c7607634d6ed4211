//! The trials as the page's script reads them: columns, with each repeated text stored once.

use std::collections::{BTreeMap, HashMap};

use run_record::{RunRecord, TrialRecord, TrialStatus};
use serde::Serialize;

use crate::{Summary, row::Row, summary::assign_causes, text};

/// A run with more trials is large: its page leaves out what `results.json` has, so that a page of 100 000 trials
/// stays below 5 MB.
const LARGE_RUN: usize = 10_000;
/// Trials of a large run whose details are in the page, the worst first.
const DETAILED_TRIALS: usize = 2_500;
/// Length of a message in the page; `results.json` has it whole.
const MESSAGE_CHARS: usize = 4000;
/// The same when details are left out.
const MESSAGE_CHARS_LARGE: usize = 300;

/// The order of the statuses in the page's script, worst first.
const STATUSES: [&str; 5] = ["unscored", "failed", "cancelled", "pending", "passed"];

#[derive(Serialize)]
struct Data<'a> {
    run: &'a str,
    count: usize,
    trials_per_task: usize,
    /// The 95 % quantile of the total time, the full width of a time bar.
    p95_ms: u64,
    tasks: Vec<&'a str>,
    variants: Vec<&'a str>,
    words: Vec<String>,
    messages: Vec<String>,
    causes: Vec<String>,
    rows: PackedColumns,
    /// In the order of the rows: the same record gives the same bytes.
    details: BTreeMap<usize, Detail<'a>>,
}

#[derive(Default)]
struct Columns {
    task: Vec<usize>,
    variant: Vec<usize>,
    trial: Vec<u32>,
    status: Vec<usize>,
    score: Vec<Option<f64>>,
    agent: Vec<usize>,
    total: Vec<Option<u64>>,
    cost: Vec<Option<f64>>,
    attempts: Vec<usize>,
    /// Index into the messages, −1 for none.
    message: Vec<i64>,
    /// Index into the causes, −1 for none.
    cause: Vec<i64>,
}

#[derive(Serialize)]
struct PackedColumns {
    task: Column<usize>,
    variant: Column<usize>,
    trial: Column<u32>,
    status: Column<usize>,
    score: Column<Option<f64>>,
    agent: Column<usize>,
    total: Column<Option<u64>>,
    cost: Column<Option<f64>>,
    attempts: Column<usize>,
    message: Column<i64>,
    cause: Column<i64>,
}

/// A column without its repetition.
#[derive(Serialize)]
#[serde(untagged)]
enum Column<T> {
    /// Every row has this value.
    All { all: T },
    /// The rows count up from this value.
    Up { from: T },
    /// One value per row.
    Each(Vec<T>),
}

impl<T: PartialEq> Column<T> {
    fn pack(mut values: Vec<T>) -> Self {
        match values.pop() {
            Some(last) if values.iter().all(|value| *value == last) => Self::All { all: last },
            last => {
                values.extend(last);
                Self::Each(values)
            }
        }
    }
}

impl Column<usize> {
    /// With one trial per task the tasks are just numbered.
    fn pack_numbers(values: Vec<usize>) -> Self {
        if values.len() > 1 && values.iter().enumerate().all(|(at, &value)| at == value) {
            return Self::Up { from: 0 };
        }
        Self::pack(values)
    }
}

impl Columns {
    fn pack(self) -> PackedColumns {
        PackedColumns {
            task: Column::pack_numbers(self.task),
            variant: Column::pack(self.variant),
            trial: Column::pack(self.trial),
            status: Column::pack(self.status),
            score: Column::pack(self.score),
            agent: Column::pack(self.agent),
            total: Column::pack(self.total),
            cost: Column::pack(self.cost),
            attempts: Column::pack(self.attempts),
            message: Column::pack(self.message),
            cause: Column::pack(self.cause),
        }
    }
}

/// In the order in which the page's script takes it apart; a word is an index, −1 for none.
#[derive(Serialize)]
struct Detail<'a>(
    i64,
    Option<i32>,
    Option<i32>,
    Option<&'a str>,
    i64,
    i64,
    i64,
    Option<&'a str>,
    Option<u64>,
    Option<u64>,
    Option<u64>,
    Option<String>,
    Option<u64>,
    Option<u64>,
    Option<u64>,
    Option<u64>,
    Option<u64>,
    &'a str,
    Option<&'a str>,
    i64,
);

/// Texts that repeat, each kept once.
#[derive(Default)]
struct Texts {
    known: HashMap<String, usize>,
    texts: Vec<String>,
}

impl Texts {
    fn index(&mut self, text: &str) -> usize {
        if let Some(&at) = self.known.get(text) {
            return at;
        }
        self.texts.push(text.to_owned());
        self.known.insert(text.to_owned(), self.texts.len() - 1);
        self.texts.len() - 1
    }

    fn optional(&mut self, text: Option<&str>) -> i64 {
        text.map_or(-1, |text| signed(self.index(text)))
    }
}

/// The JSON of a record, safe inside a `script` element.
pub(super) fn embed(record: &RunRecord, summary: &Summary) -> String {
    let json = serde_json::to_string(&collect(record, summary))
        .expect("every map key is a string and no value refuses to be written");
    escape(&json)
}

/// JSON in which nothing can end the element or begin a comment: `<`, `>` and `&` only occur inside strings, where
/// their escapes mean the same. The two line separators end a line in older scripts.
fn escape(json: &str) -> String {
    json.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

fn collect<'a>(record: &'a RunRecord, summary: &'a Summary) -> Data<'a> {
    let (causes, cause_of) = assign_causes(record);
    let is_large = record.trials.len() > LARGE_RUN;
    let message_chars = if is_large {
        MESSAGE_CHARS_LARGE
    } else {
        MESSAGE_CHARS
    };
    let mut tasks = Texts::default();
    let mut words = Texts::default();
    let mut messages = Texts::default();
    let mut task_names: Vec<&str> = Vec::new();
    let variants: Vec<&str> = summary
        .variants
        .iter()
        .map(|variant| variant.name.as_str())
        .collect();
    let variant_at: HashMap<&str, usize> = variants.iter().copied().zip(0..).collect();
    let mut rows = Columns::default();
    for (trial, cause) in record.trials.iter().zip(&cause_of) {
        let row = Row::of(record, trial);
        let task = tasks.index(row.task_key);
        if task == task_names.len() {
            task_names.push(row.task_key);
        }
        rows.task.push(task);
        rows.variant
            .push(variant_at.get(row.variant).copied().unwrap_or_default());
        rows.trial.push(row.trial);
        rows.status.push(status(record, trial));
        rows.score.push(row.score);
        rows.agent.push(words.index(&row.agent.replace('_', " ")));
        rows.total.push(row.total_ms);
        rows.cost.push(row.cost_usd.map(to_cost_digits));
        rows.attempts.push(row.attempts);
        let message = message(trial).map(|message| text::shorten(message, message_chars));
        rows.message.push(messages.optional(message.as_deref()));
        rows.cause.push(cause.map_or(-1, signed));
    }
    let details = detailed(&rows.status)
        .into_iter()
        .map(|at| (at, detail(record, &record.trials[at], &mut words)))
        .collect();
    Data {
        run: record.info.run_id.as_str(),
        count: record.trials.len(),
        trials_per_task: summary.all.trials_per_task,
        p95_ms: summary.all.durations.total.map_or(0, |total| total.p95),
        tasks: task_names,
        variants,
        words: words.texts,
        messages: messages.texts,
        causes: causes.into_iter().map(|cause| cause.title).collect(),
        rows: rows.pack(),
        details,
    }
}

/// A cost without digits that nobody is shown.
fn to_cost_digits(cost: f64) -> f64 {
    (cost * 10_000.0).round() / 10_000.0
}

/// The rows that get details: all of a run of usual size, else the worst.
fn detailed(statuses: &[usize]) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..statuses.len()).collect();
    if rows.len() > LARGE_RUN {
        rows.sort_by_key(|&at| statuses[at]);
        rows.truncate(DETAILED_TRIALS);
    }
    rows
}

fn detail<'a>(record: &'a RunRecord, trial: &'a TrialRecord, words: &mut Texts) -> Detail<'a> {
    let row = Row::of(record, trial);
    let why = trial
        .failure
        .as_ref()
        .map(|failure| format!("{}: {}", failure.phase, failure.kind));
    let started = row
        .started_at
        .map(|at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string());
    Detail(
        words.optional(why.as_deref()),
        row.exit_code,
        trial.agent().and_then(|agent| agent.signal),
        row.instance_id,
        words.optional(Some(row.env_key)),
        words.optional(row.data_key),
        words.optional(
            row.teardown
                .map(|teardown| teardown.replace('_', " "))
                .as_deref(),
        ),
        row.verifier_execution_id,
        row.steps,
        row.input_tokens,
        row.output_tokens,
        started,
        row.queue_ms,
        row.provision_ms,
        row.agent_ms,
        row.verify_ms,
        row.teardown_ms,
        row.trial_dir,
        row.session_id,
        words.optional(row.session),
    )
}

/// What went wrong, in the words of whoever noticed.
fn message(trial: &TrialRecord) -> Option<&str> {
    let failure = trial
        .failure
        .as_ref()
        .map(|failure| failure.message.as_str());
    let agent = trial.agent().and_then(|agent| agent.error.as_deref());
    failure.or(agent).filter(|message| !message.is_empty())
}

fn status(record: &RunRecord, trial: &TrialRecord) -> usize {
    let name = match record.status_of(trial) {
        TrialStatus::Scored if trial.passed == Some(true) => "passed",
        TrialStatus::Scored => "failed",
        TrialStatus::Unscored => "unscored",
        TrialStatus::Cancelled => "cancelled",
        TrialStatus::Pending => "pending",
    };
    STATUSES
        .iter()
        .position(|&known| known == name)
        .expect("each of the five names is in the list")
}

fn signed(index: usize) -> i64 {
    i64::try_from(index).expect("an index into memory fits")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn c3_nothing_in_the_block_can_end_it() {
        let record = fixture::nasty();
        let json = embed(&record, &Summary::of(&record));
        assert!(!json.contains(['<', '>', '&', '\u{2028}', '\u{2029}']));
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        for (trial, written) in record.trials.iter().zip(read["tasks"].as_array().unwrap()) {
            assert_eq!(written, trial.id.task.as_str());
        }
    }

    proptest::proptest! {
        #[test]
        fn c3_c4_any_text_stays_inside_the_block_and_reads_back(text in "(<|>|&|/|script|<!--|\u{2028}|[a-z]|\\PC){0,12}") {
            let mut run = fixture::RunBuilder::new();
            run.trial(&text, 1, &fixture::Outcome::Score(0.5));
            let record = run.finish();
            let json = embed(&record, &Summary::of(&record));
            let ends = json.contains(['<', '>', '&', '\u{2028}', '\u{2029}']);
            proptest::prop_assert!(!ends);
            let read: serde_json::Value = serde_json::from_str(&json).unwrap();
            proptest::prop_assert_eq!(&read["tasks"][0], &serde_json::Value::from(text));
        }
    }

    #[test]
    fn a_column_of_one_value_is_stored_once() {
        let json = |values: Vec<u32>| serde_json::to_string(&Column::pack(values)).unwrap();
        assert_eq!(json(vec![1, 1, 1]), r#"{"all":1}"#);
        assert_eq!(json(vec![1, 2, 1]), "[1,2,1]");
        assert_eq!(json(vec![]), "[]");
        let numbers = |values| serde_json::to_string(&Column::pack_numbers(values)).unwrap();
        assert_eq!(numbers(vec![0, 1, 2]), r#"{"from":0}"#);
        assert_eq!(numbers(vec![0, 0, 1]), "[0,0,1]");
    }

    #[test]
    fn the_worst_rows_keep_their_details() {
        let mut statuses = vec![4; LARGE_RUN];
        assert_eq!(detailed(&statuses).len(), LARGE_RUN);
        statuses.extend([1, 0, 4]);
        let rows = detailed(&statuses);
        assert_eq!(rows.len(), DETAILED_TRIALS);
        assert_eq!(rows[..2], [LARGE_RUN + 1, LARGE_RUN]);
    }
}
