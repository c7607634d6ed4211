//! Reports of a record whose texts are any texts.

use jiff::Timestamp;
use report::{Format, Summary};
use run_record::{
    Attempt, Entry, ErrorKind, Event, Failure, GateSpec, Phase, PlannedTrial, RequestId, RunId,
    RunInfo, RunRecord, TaskKey, TrialId, VariantInfo, VariantName,
};

/// Texts of the input are separated by this byte, which no UTF-8 text holds.
const BORDER: u8 = 0xff;

pub(crate) fn target(data: &[u8]) {
    let mut texts = data
        .split(|byte| *byte == BORDER)
        .map(|text| String::from_utf8_lossy(text).into_owned());
    let mut text = || texts.next().unwrap_or_default();
    let record = record(&text(), &text(), &text(), &text());
    let summary = Summary::of(&record);
    read_csv(&record, &Format::Csv.render(&record, &summary));
    let of = |format: Format| {
        String::from_utf8(format.render(&record, &summary)).expect("reports are UTF-8")
    };
    let json: serde_json::Value =
        serde_json::from_str(&of(Format::Json)).expect("results.json is JSON");
    assert_eq!(
        json["trials"][0]["task_key"],
        record.trials[0].id.task.as_str()
    );
    assert!(of(Format::Junit).chars().all(is_xml_char), "not XML");
    let page = of(Format::Html).to_lowercase();
    assert_eq!(page.matches("</script").count(), 2, "data ended an element");
    assert!(!page.contains("<img"), "data opened an element");
    let _ = of(Format::Markdown);
}

/// Reads the table as a spreadsheet would.
fn read_csv(record: &RunRecord, bytes: &[u8]) {
    let mut reader = ::csv::Reader::from_reader(bytes);
    let columns = reader.headers().expect("there is a first line").clone();
    let rows: Vec<::csv::StringRecord> =
        reader.records().collect::<Result<_, _>>().expect("a table");
    assert_eq!(rows.len(), 1);
    let trial = &record.trials[0];
    let message = trial
        .failure
        .as_ref()
        .map_or("", |failure| &failure.message);
    for (column, text) in [
        ("task_key", trial.id.task.as_str()),
        ("env_key", &trial.env_key),
        ("data_key", trial.data_key.as_deref().unwrap_or_default()),
        ("error", message),
    ] {
        let at = columns
            .iter()
            .position(|known| known == column)
            .expect("a known column");
        let cell = &rows[0][at];
        assert!(
            !cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\0']),
            "a formula"
        );
        assert_eq!(cell.strip_prefix('\'').unwrap_or(cell), text, "{column}");
    }
}

/// `Char` of XML 1.0, production 2.
fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn record(task: &str, env: &str, data: &str, message: &str) -> RunRecord {
    let trial = TrialId {
        task: TaskKey::new(task),
        variant: VariantName::new(VariantName::DEFAULT),
        trial: 1,
    };
    let run = RunInfo {
        run_id: RunId::new("fuzz-20260101-000000-beef"),
        name: "fuzz".to_owned(),
        harness_version: "0".to_owned(),
        started_at: Timestamp::UNIX_EPOCH,
        spec_path: "spec.yaml".to_owned(),
        spec_sha256: String::new(),
        spec_yaml: String::new(),
        endpoint: "local".to_owned(),
        agent: "agent".to_owned(),
        pass_threshold: 1.0,
        gate: GateSpec::default(),
        trials_per_task: 1,
        variants: vec![VariantInfo {
            name: trial.variant.clone(),
            values: Vec::new(),
        }],
        planned: None,
        rerun_of: None,
    };
    let attempt = Attempt::FIRST;
    let planned = PlannedTrial {
        id: trial.clone(),
        env_key: env.to_owned(),
        data_key: Some(data.to_owned()),
    };
    let events = [
        Event::RunStarted { run: Box::new(run) },
        Event::TrialPlanned {
            planned: Box::new(planned),
        },
        Event::ProvisionIntended {
            trial: trial.clone(),
            attempt,
            request_id: RequestId::random(),
            queue_ms: 0,
        },
        Event::Unscored {
            trial,
            attempt,
            failure: Failure {
                phase: Phase::Provision,
                kind: ErrorKind::Rejected,
                message: message.to_owned(),
            },
            retry: false,
            ambiguous: false,
        },
    ];
    let entries: Vec<Entry> = (1..)
        .zip(events)
        .map(|(seq, event)| Entry {
            seq,
            at: Timestamp::UNIX_EPOCH,
            event,
        })
        .collect();
    RunRecord::fold(&entries)
        .expect("the events of a refused create are in order")
        .expect("a run begins with its start")
}
