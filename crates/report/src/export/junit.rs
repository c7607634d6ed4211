//! `junit.xml`: a suite per variant, a case per trial.
//!
//! A score below the threshold is a failure, a missing score an error, a trial that the end of the run cut off is
//! skipped. Attempts before the last are reruns, so that CI systems that know them can count flaky infrastructure.

use std::time::Duration;

use quick_junit::{
    NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestRerun, TestSuite, XmlString,
};
use run_record::{AgentOutcome, AttemptRecord, RunRecord, TrialRecord, TrialStatus, VariantName};

use crate::{Summary, text};

/// The whole file.
pub fn junit(record: &RunRecord, summary: &Summary) -> Vec<u8> {
    let mut report = Report::new(xml(&record.info.name));
    if let Some(end) = &record.end {
        report.set_time(Duration::from_millis(end.elapsed_ms));
    }
    for variant in &summary.variants {
        report.add_test_suite(suite(record, &variant.name));
    }
    report
        .to_string()
        .expect("writing to memory does not fail")
        .into_bytes()
}

fn suite(record: &RunRecord, variant: &VariantName) -> TestSuite {
    let name = if variant.is_default() {
        record.info.name.clone()
    } else {
        format!("{}[{variant}]", record.info.name)
    };
    let mut suite = TestSuite::new(xml(&name));
    // The crate takes times of another library only; an attribute of the same name says the same.
    suite
        .extra
        .insert("timestamp".into(), xml(&record.info.started_at.to_string()));
    suite.add_property(Property::new("run_id", xml(record.info.run_id.as_str())));
    suite.add_property(Property::new("agent", xml(&record.info.agent)));
    let trials: Vec<&TrialRecord> = record
        .trials
        .iter()
        .filter(|trial| &trial.id.variant == variant)
        .collect();
    let time = trials
        .iter()
        .filter_map(|trial| trial.times().total_ms())
        .sum();
    suite.set_time(Duration::from_millis(time));
    for trial in trials {
        suite.add_test_case(case(record, trial, &name));
    }
    suite
}

fn case(record: &RunRecord, trial: &TrialRecord, classname: &str) -> TestCase {
    let name = if record.info.trials_per_task > 1 {
        format!("{}#{}", trial.id.task, trial.id.trial)
    } else {
        trial.id.task.to_string()
    };
    let mut case = TestCase::new(xml(&name), status(record, trial));
    case.set_classname(xml(classname));
    if let Some(total) = trial.times().total_ms() {
        case.set_time(Duration::from_millis(total));
    }
    if let Some(score) = trial.score {
        case.add_property(Property::new("score", xml(&score.to_string())));
    }
    if let Some(instance) = trial.instance() {
        case.add_property(Property::new("instance_id", xml(instance.as_str())));
    }
    if !trial.attempts.is_empty() {
        case.add_property(Property::new("trial_dir", xml(&trial.trial_dir)));
    }
    case
}

fn status(record: &RunRecord, trial: &TrialRecord) -> TestCaseStatus {
    let mut status = match record.status_of(trial) {
        TrialStatus::Scored if trial.passed == Some(true) => TestCaseStatus::success(),
        TrialStatus::Scored => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(xml(&failed_message(record, trial)));
            status.set_type(trial.agent_outcome().as_str());
            status.set_description(xml(&failed_description(record, trial)));
            status
        }
        TrialStatus::Unscored => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            if let Some(failure) = &trial.failure {
                let first_line = failure.message.lines().next().unwrap_or_default();
                status.set_message(xml(&format!(
                    "{}/{}: {first_line}",
                    failure.phase, failure.kind
                )));
                status.set_type(xml(&format!("{}/{}", failure.phase, failure.kind)));
                status.set_description(xml(&format!(
                    "{}\n\n{}",
                    failure.message,
                    show(record, trial)
                )));
            }
            status
        }
        TrialStatus::Cancelled => skipped("the run stopped before it had a score"),
        TrialStatus::Pending => skipped("not finished"),
    };
    if let Some((_, earlier)) = trial.attempts.split_last() {
        status.add_reruns(earlier.iter().filter_map(rerun));
    }
    status
}

fn skipped(why: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(why);
    status
}

fn rerun(attempt: &AttemptRecord) -> Option<TestRerun> {
    let failure = attempt.failure.as_ref()?;
    let mut rerun = TestRerun::new(NonSuccessKind::Error);
    rerun.set_message(xml(&failure.to_string()));
    rerun.set_type(xml(&format!("{}/{}", failure.phase, failure.kind)));
    if let Some(total) = attempt.times.total_ms() {
        rerun.set_time(Duration::from_millis(total));
    }
    Some(rerun)
}

fn failed_message(record: &RunRecord, trial: &TrialRecord) -> String {
    let score = trial.score.map(text::score).unwrap_or_default();
    let threshold = text::score(record.info.pass_threshold);
    match trial.agent_outcome() {
        AgentOutcome::Completed => format!("score {score} is below {threshold}"),
        agent => format!("score {score} is below {threshold}; agent {agent}"),
    }
}

fn failed_description(record: &RunRecord, trial: &TrialRecord) -> String {
    let show = show(record, trial);
    match trial.agent().and_then(|agent| agent.error.as_deref()) {
        Some(error) => format!("{error}\n\n{show}"),
        None => show,
    }
}

fn show(record: &RunRecord, trial: &TrialRecord) -> String {
    format!(
        "harness show {} {}",
        text::shell_word(record.info.run_id.as_str()),
        text::shell_word(trial.id.task.as_str())
    )
}

/// A text without what XML 1.0 cannot hold. The library drops control characters and terminal colours; the two
/// non-characters at the end of the first plane are not in its list.
fn xml(text: &str) -> XmlString {
    XmlString::new(text.replace(['\u{fffe}', '\u{ffff}'], ""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixture::{self, Outcome, RunBuilder};
    use run_record::{ErrorKind, Phase};

    fn render(record: &RunRecord) -> String {
        String::from_utf8(junit(record, &Summary::of(record))).unwrap()
    }

    #[test]
    fn c8_nasty_values() {
        insta::assert_snapshot!(render(&fixture::nasty()));
    }

    #[test]
    fn it_reads_back_with_the_same_counts() {
        let record = fixture::sample(30, 2, &["default"]);
        let stats = record.stats();
        let report = Report::deserialize_from_str(&render(&record)).unwrap();
        assert_eq!(
            (report.tests, report.failures, report.errors, report.skipped),
            (stats.total, stats.failed(), stats.unscored, stats.cancelled)
        );
    }

    /// `Char` of XML 1.0, production 2.
    fn is_xml_char(c: char) -> bool {
        matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
    }

    /// What XML cannot hold or gives a meaning to.
    fn hostile() -> impl Strategy<Value = String> {
        let parts = prop_oneof![
            Just("]]>".to_owned()),
            Just("<![CDATA[".to_owned()),
            Just("&#0;&lt;".to_owned()),
            Just("\u{1b}[31m\0\u{b}\u{fffe}\u{ffff}".to_owned()),
            "\\PC{0,8}",
            any::<char>().prop_map(String::from),
        ];
        prop::collection::vec(parts, 0..8).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn c8_any_text_is_legal_xml_and_reads_back(key in any::<String>(), message in hostile()) {
            let mut run = RunBuilder::new();
            run.trial(&key, 1, &Outcome::Score(0.5));
            run.trial(&format!("{key} too"), 1, &Outcome::Unscored(Phase::Verify, ErrorKind::VerifierError, "x"));
            let mut record = run.finish();
            record.trials[1].failure.as_mut().unwrap().message = message;
            let text = render(&record);
            prop_assert!(text.chars().all(is_xml_char), "{:?}", text);
            let report = Report::deserialize_from_str(&text).unwrap();
            prop_assert_eq!((report.failures, report.errors), (1, 1));
        }
    }
}
