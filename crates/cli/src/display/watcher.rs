//! Turns the events of a run into lines, a live area and the rows of `results.csv`.

use std::fs::File;
use std::io::Write as _;
use std::time::{Duration, Instant};

use harness::runner::{RunEvent, View};
use harness::spec::ReportFormat;
use report::text;
use run_record::{RunLayout, TrialRecord, TrialStatus};

use super::conclusion::trial_word;
use super::live::LiveArea;
use super::log;
use crate::printer::{Printer, Verbosity, style, styled};

/// Without a terminal a line tells at least this often that the run is alive.
const SIGN_OF_LIFE: Duration = Duration::from_secs(30);

/// A run of at most this many trials shows each of them above the live area; a larger one only what is not well.
const SHOW_EVERY_TRIAL: usize = 200;

/// Watches a run on behalf of a person and of whoever reads the CSV meanwhile.
pub(crate) struct Watcher {
    printer: Printer,
    layout: RunLayout,
    area: Option<LiveArea>,
    csv: Option<File>,
    wants_csv: bool,
    /// Trials that are wholly done, their teardown included.
    done: usize,
    last_line: Instant,
}

impl Watcher {
    pub(crate) fn new(printer: Printer, layout: RunLayout, formats: &[ReportFormat]) -> Self {
        Self {
            printer,
            layout,
            area: printer
                .is_live()
                .then(|| LiveArea::new(printer.has_color())),
            csv: None,
            wants_csv: formats.contains(&ReportFormat::Csv),
            done: 0,
            last_line: Instant::now(),
        }
    }

    /// Takes one event.
    pub(crate) fn on(&mut self, view: View<'_>, event: &RunEvent<'_>) {
        match event {
            RunEvent::Started => {
                self.begin_csv(view);
                self.say(&format!(
                    "{} {}: {} trials in {}",
                    styled(style::BOLD, "run"),
                    view.record.info.run_id,
                    view.record.trials.len(),
                    self.layout.root().display()
                ));
            }
            RunEvent::Phase { .. } => {}
            RunEvent::Retrying {
                trial,
                attempt,
                failure,
            } => self.say(&format!(
                "{} {}: attempt {attempt}: {}",
                styled(style::WARN, "   RETRY"),
                text::name(&trial.to_string()),
                text::one_line(&failure.to_string())
            )),
            RunEvent::TrialFinished { trial } => self.finished(view, trial),
            RunEvent::Warning { message } => {
                self.say(&format!("{}: {message}", styled(style::WARN, "warning")));
            }
            RunEvent::Stopping { message } => {
                self.say(&styled(style::WARN, message));
            }
            RunEvent::Tick => self.sign_of_life(view),
            RunEvent::Finished { .. } => self.close(),
        }
        if let Some(area) = &mut self.area {
            area.draw(view);
        }
    }

    /// Takes the live area off the screen.
    pub(crate) fn close(&mut self) {
        if let Some(area) = self.area.take() {
            area.close();
        }
    }

    fn finished(&mut self, view: View<'_>, trial: &TrialRecord) {
        self.done += 1;
        self.append_row(view, trial);
        let passed = trial.passed == Some(true);
        let all = view.record.trials.len() <= SHOW_EVERY_TRIAL || self.area.is_none();
        if passed && !all && self.printer.verbosity < Verbosity::Verbose {
            return;
        }
        let total = view.record.trials.len();
        let width = total.to_string().len();
        let score = trial
            .score
            .map(|score| format!("{score:.2}"))
            .unwrap_or_default();
        let time = trial
            .times()
            .total_ms()
            .map(text::duration)
            .unwrap_or_default();
        let mut line = format!(
            "{} [{:>width$}/{}] {score:>5} {time:>7}  {}",
            trial_word(view.record, trial),
            self.done,
            total,
            text::name(&trial.id.to_string()),
        );
        if let Some(why) = why(trial) {
            let why = text::shorten(&text::one_line(&why), 100);
            line.push_str("  ");
            line.push_str(&styled(style::DIM, why));
        }
        self.say(&line);
    }

    /// The header, and the rows of what an earlier sitting finished.
    fn begin_csv(&mut self, view: View<'_>) {
        let finished = view.record.trials.iter();
        let finished: Vec<&TrialRecord> = finished
            .filter(|trial| trial.status == TrialStatus::Scored)
            .collect();
        self.done = finished.len();
        if !self.wants_csv {
            return;
        }
        let begun = File::create(self.layout.file("results.csv")).and_then(|mut file| {
            file.write_all(&report::export::csv_header())?;
            for trial in finished {
                file.write_all(&report::export::csv_row(view.record, trial))?;
            }
            Ok(file)
        });
        self.csv = begun
            .inspect_err(|error| tracing::warn!(%error, "results.csv cannot be written yet"))
            .ok();
    }

    /// A row per finished trial, in the order in which they finish; the run's end sorts them.
    fn append_row(&mut self, view: View<'_>, trial: &TrialRecord) {
        let Some(csv) = &mut self.csv else {
            return;
        };
        if let Err(error) = csv.write_all(&report::export::csv_row(view.record, trial)) {
            self.csv = None;
            self.say(&format!(
                "{}: results.csv cannot be written ({error}); the journal has everything",
                styled(style::WARN, "warning")
            ));
        }
    }

    fn sign_of_life(&mut self, view: View<'_>) {
        if self.area.is_some() || self.last_line.elapsed() < SIGN_OF_LIFE {
            return;
        }
        let stats = view.record.stats();
        self.say(&format!(
            "   alive [{}/{}] {} running, {} passed, {} failed, {} unscored, {}",
            stats.finished(),
            stats.total,
            view.live.len(),
            stats.passed,
            stats.failed(),
            stats.unscored,
            text::duration(u64::try_from(view.elapsed.as_millis()).unwrap_or(u64::MAX))
        ));
    }

    fn say(&mut self, text: &str) {
        if self.printer.verbosity > Verbosity::Quiet {
            log::line(text);
        }
        self.last_line = Instant::now();
    }
}

/// Why a trial did not pass, as far as one line can tell.
fn why(trial: &TrialRecord) -> Option<String> {
    match trial.status {
        TrialStatus::Scored if trial.passed == Some(true) => None,
        // The word in front of the line says it.
        TrialStatus::Cancelled => None,
        TrialStatus::Scored => {
            let agent = trial.agent()?;
            let says = agent.error.as_deref().map(|error| format!(": {error}"));
            Some(format!(
                "agent {}{}",
                agent.outcome,
                says.unwrap_or_default()
            ))
        }
        _ => trial.failure.as_ref().map(ToString::to_string),
    }
}
