//! `results.csv`: RFC 4180, UTF-8, LF, one row per trial. An empty cell is unknown.
//!
//! A spreadsheet runs a text cell that starts with certain characters as a formula (CWE-1236). Such cells get one
//! `'` in front, and so do cells that start with `'` themselves, so that taking off one leading `'` from a text
//! column always gives back the original. Numbers are never touched.

use ::csv::{Terminator, Writer, WriterBuilder};
use run_record::{RunRecord, TrialRecord};

use crate::{Summary, row::Row};

/// The columns, in their order. New ones are only ever added at the end.
pub const CSV_COLUMNS: [&str; 32] = [
    "run_id",
    "task_key",
    "variant",
    "trial",
    "status",
    "passed",
    "score",
    "agent",
    "exit_code",
    "phase",
    "error_kind",
    "error",
    "attempts",
    "teardown",
    "env_key",
    "data_key",
    "instance_id",
    "steps",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "started_at",
    "queue_ms",
    "provision_ms",
    "agent_ms",
    "verify_ms",
    "teardown_ms",
    "total_ms",
    "verifier_execution_id",
    "trial_dir",
    "session_id",
    "session",
];

/// The whole file.
pub fn csv(record: &RunRecord, _summary: &Summary) -> Vec<u8> {
    let mut writer = writer();
    write(&mut writer, &CSV_COLUMNS);
    for trial in &record.trials {
        write(&mut writer, &cells(&Row::of(record, trial)));
    }
    into_bytes(writer)
}

/// The first line of the file, for a writer that appends rows while a run goes on.
pub fn csv_header() -> Vec<u8> {
    let mut writer = writer();
    write(&mut writer, &CSV_COLUMNS);
    into_bytes(writer)
}

/// The row of one trial, ended by a line feed.
pub fn csv_row(record: &RunRecord, trial: &TrialRecord) -> Vec<u8> {
    let mut writer = writer();
    write(&mut writer, &cells(&Row::of(record, trial)));
    into_bytes(writer)
}

fn writer() -> Writer<Vec<u8>> {
    WriterBuilder::new()
        .terminator(Terminator::Any(b'\n'))
        .from_writer(Vec::new())
}

fn write<T: AsRef<[u8]>>(writer: &mut Writer<Vec<u8>>, cells: &[T; CSV_COLUMNS.len()]) {
    writer
        .write_record(cells)
        .expect("writing to memory does not fail");
}

fn into_bytes(writer: Writer<Vec<u8>>) -> Vec<u8> {
    writer
        .into_inner()
        .expect("writing to memory does not fail")
}

fn cells(row: &Row<'_>) -> [String; CSV_COLUMNS.len()] {
    [
        neutral(row.run_id),
        neutral(row.task_key),
        neutral(row.variant),
        row.trial.to_string(),
        row.status.to_owned(),
        number(row.passed),
        number(row.score),
        row.agent.to_owned(),
        number(row.exit_code),
        word(row.phase),
        word(row.error_kind),
        text(row.error),
        row.attempts.to_string(),
        word(row.teardown),
        neutral(row.env_key),
        text(row.data_key),
        text(row.instance_id),
        number(row.steps),
        number(row.input_tokens),
        number(row.output_tokens),
        number(row.cost_usd),
        row.started_at
            .map(|at| format!("{at:.3}"))
            .unwrap_or_default(),
        number(row.queue_ms),
        number(row.provision_ms),
        number(row.agent_ms),
        number(row.verify_ms),
        number(row.teardown_ms),
        number(row.total_ms),
        text(row.verifier_execution_id),
        neutral(row.trial_dir),
        text(row.session_id),
        word(row.session),
    ]
}

/// `Display` of a float is the shortest text that reads back as the same number, with a point in every locale.
fn number(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn word(value: Option<&str>) -> String {
    value.unwrap_or_default().to_owned()
}

fn text(value: Option<&str>) -> String {
    value.map(neutral).unwrap_or_default()
}

/// A text that no spreadsheet runs.
fn neutral(text: &str) -> String {
    // The full-width forms are folded to ASCII by some locales' spreadsheets.
    let starts_badly = text.starts_with([
        '=', '+', '-', '@', '\t', '\r', '\n', '\0', '\'', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}',
        '\u{ff20}',
    ]);
    if starts_badly {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixture::{self, Outcome, RunBuilder};
    use run_record::{ErrorKind, Phase, VerifierReport};

    fn rows_of(bytes: &[u8]) -> Vec<Vec<String>> {
        ::csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(bytes)
            .records()
            .map(|record| record.unwrap().iter().map(str::to_owned).collect())
            .collect()
    }

    #[test]
    fn c10_the_contract_of_the_columns_holds() {
        let contract = "run_id,task_key,variant,trial,status,passed,score,agent,exit_code,phase,error_kind,error,\
            attempts,teardown,env_key,data_key,instance_id,steps,input_tokens,output_tokens,cost_usd,started_at,\
            queue_ms,provision_ms,agent_ms,verify_ms,teardown_ms,total_ms,verifier_execution_id,trial_dir,session_id,session";
        assert_eq!(CSV_COLUMNS.join(","), contract);
        // The row's own fields are the same list: results.json and results.csv must not drift apart.
        let record = fixture::nasty();
        let row = serde_json::to_value(Row::of(&record, &record.trials[0])).unwrap();
        let fields = row.as_object().unwrap();
        assert_eq!(fields.len(), CSV_COLUMNS.len());
        assert!(
            CSV_COLUMNS
                .iter()
                .all(|column| fields.contains_key(*column))
        );
    }

    #[test]
    fn c1_c2_nasty_values() {
        let record = fixture::nasty();
        let bytes = csv(&record, &Summary::of(&record));
        insta::assert_snapshot!(
            String::from_utf8(bytes)
                .unwrap()
                .escape_debug()
                .to_string()
                .replace("\\n", "\n")
        );
    }

    #[test]
    fn a_file_is_its_header_and_its_rows() {
        let record = fixture::nasty();
        let mut parts = csv_header();
        for trial in &record.trials {
            parts.extend(csv_row(&record, trial));
        }
        assert_eq!(csv(&record, &Summary::of(&record)), parts);
    }

    #[test]
    fn c1_c10_numbers_stay_numbers_with_a_point_and_no_loss() {
        assert_eq!(number(Some(-0.5)), "-0.5");
        assert_eq!(number(Some(0.1 + 0.2)), "0.30000000000000004");
        assert_eq!(number(Some(1.0)), "1");
        assert_eq!(number(None::<f64>), "");
    }

    /// A record whose texts are all the same hostile one.
    fn hostile(text: &str) -> RunRecord {
        let mut run = RunBuilder::new();
        run.trial(
            text,
            1,
            &Outcome::Unscored(Phase::Verify, ErrorKind::VerifierError, "x"),
        );
        let mut record = run.finish();
        let trial = &mut record.trials[0];
        trial.env_key = text.to_owned();
        trial.data_key = Some(text.to_owned());
        trial.failure.as_mut().unwrap().message = text.to_owned();
        trial.verifier = Some(VerifierReport {
            execution_id: Some(text.to_owned()),
            elapsed_ms: 0,
            tries: 1,
        });
        record
    }

    /// What CSV gets wrong: starts of formulas, quotes, separators, line ends, NUL, tabs.
    fn cell() -> impl Strategy<Value = String> {
        let starts = "[=+@'\t\r\n\0＝＋－＠-]";
        let rest = "[a-z,;\"'\r\n\t\0=+-]{0,12}";
        (starts, rest).prop_map(|(start, rest)| start + &rest)
    }

    proptest! {
        #[test]
        fn c1_c2_every_hostile_cell_is_neutral_and_reads_back(text in cell()) {
            let record = hostile(&text);
            let rows = rows_of(&csv(&record, &Summary::of(&record)));
            prop_assert_eq!(rows.len(), 2);
            for column in ["task_key", "env_key", "data_key", "error", "verifier_execution_id"] {
                let at = CSV_COLUMNS.iter().position(|known| *known == column).unwrap();
                let cell = &rows[1][at];
                prop_assert!(cell.starts_with('\''), "{}: {:?}", column, cell);
                prop_assert_eq!(&cell[1..], &text);
            }
        }

        #[test]
        fn c1_c2_c10_any_task_key_and_score_survive(key in any::<String>(), score in 0.0_f64..=1.0) {
            let mut run = RunBuilder::new();
            run.trial(&key, 1, &Outcome::Score(score));
            let record = run.finish();
            let rows = rows_of(&csv(&record, &Summary::of(&record)));
            prop_assert_eq!(rows.len(), 2);
            let cell = &rows[1][1];
            prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\0']));
            prop_assert_eq!(cell.strip_prefix('\'').unwrap_or(cell), &key);
            prop_assert_eq!(rows[1][6].parse::<f64>().unwrap().to_bits(), score.to_bits());
        }
    }
}
