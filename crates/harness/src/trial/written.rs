//! What of a trial is written down: without secrets, and no longer than a reader wants it.
//!
//! Everything that goes into the journal passes here, so reports, tables and pages, which are made of the journal,
//! need not know of secrets. Files that an agent writes and that we read or show are looked through once its
//! processes are dead; all its other files are its own.

use std::io;
use std::path::Path;

use redact::Redactor;
use run_record::{Event, Failure, StopReason};

use crate::runner::Notice;

/// Error texts, an agent's or a service's. A reader wants the first lines; a page of a proxy has thousands.
const MAX_ERROR: usize = 16 << 10;
/// A file of an agent is looked through up to this size, which takes a second or two; a transcript is far smaller.
const MAX_FILE: u64 = 1 << 30;

/// `event` as it goes into the journal.
pub(super) fn event(redactor: &Redactor, mut event: Event) -> Event {
    match &mut event {
        Event::AgentFinished { report, .. } => {
            if let Some(error) = &mut report.error {
                shorten(redactor, error, MAX_ERROR);
            }
            // It was cut when it was read, for the verifier too.
            if let Some(answer) = &mut report.final_answer {
                let masked = redactor.text(answer).into_owned();
                // Another harness would verify something else than what the agent answered.
                report.verifiable &= masked == *answer;
                *answer = masked;
            }
        }
        Event::Unscored { failure, .. } => shorten(redactor, &mut failure.message, MAX_ERROR),
        Event::SessionFailed { message, .. } => shorten(redactor, message, MAX_ERROR),
        Event::RunFinished { end } => {
            if let StopReason::Fatal { why } = &mut end.reason {
                shorten(redactor, why, MAX_ERROR);
            }
        }
        // These hold ids, numbers and what the spec names.
        Event::RunStarted { .. }
        | Event::TrialPlanned { .. }
        | Event::ProvisionIntended { .. }
        | Event::Provisioned { .. }
        | Event::AgentStarted { .. }
        | Event::VerifyIntended { .. }
        | Event::Scored { .. }
        | Event::ReleaseIntended { .. }
        | Event::Released { .. }
        | Event::JobIntended { .. }
        | Event::JobCreated { .. }
        | Event::SessionIntended { .. }
        | Event::SessionIngested { .. } => {}
    }
    event
}

/// `notice` as people get to see it.
pub(super) fn notice(redactor: &Redactor, mut notice: Notice) -> Notice {
    match &mut notice {
        Notice::Warning(text)
        | Notice::Held(text)
        | Notice::Fatal(text)
        | Notice::Retrying {
            failure: Failure { message: text, .. },
            ..
        } => shorten(redactor, text, MAX_ERROR),
        // These hold names and states; an entry that is durable has passed here before it was.
        Notice::Ready { .. }
        | Notice::Phase { .. }
        | Notice::Done { .. }
        | Notice::Recorded(_)
        | Notice::Stop(_)
        | Notice::Tick => {}
    }
    notice
}

fn shorten(redactor: &Redactor, text: &mut String, limit: usize) {
    // Masked before it is cut, because a cut could leave the beginning of a secret.
    let masked = redactor.text(text);
    *text = cut(&masked, limit);
}

/// `text`, or as much of it as `limit` bytes hold and how much that leaves out.
pub(crate) fn cut(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(limit);
    format!("{} [harness: {} bytes cut]", &text[..end], text.len() - end)
}

/// Masks secrets in a file that an agent wrote. Answers what could not be done, for a warning.
///
/// The file is only replaced if there is a secret in it, and then as a whole. A link is replaced by what it led to.
pub(super) fn mask_file(redactor: &Redactor, path: &Path) -> Result<(), String> {
    let failed = |error: io::Error| {
        format!(
            "`{}` could not be looked through for secrets: {error}",
            path.display()
        )
    };
    let size = match std::fs::metadata(path) {
        Ok(data) if data.is_file() => data.len(),
        // There is none, or something that holds no text.
        Ok(_) | Err(_) => return Ok(()),
    };
    if redactor.is_empty() || size == 0 {
        return Ok(());
    }
    if size > MAX_FILE {
        return Err(format!(
            "`{}` has {size} bytes, too many to look for secrets in them",
            path.display()
        ));
    }
    let open = || std::fs::File::open(path);
    let found = redactor.copy(open().map_err(failed)?, io::sink());
    if !found.map_err(failed)? {
        return Ok(());
    }
    replace(redactor, path, open).map_err(failed)
}

fn replace(
    redactor: &Redactor,
    path: &Path,
    open: impl Fn() -> io::Result<std::fs::File>,
) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    let mut fresh = tempfile::NamedTempFile::new_in(folder)?;
    let from = open()?;
    fresh
        .as_file()
        .set_permissions(from.metadata()?.permissions())?;
    redactor.copy(from, &mut fresh)?;
    fresh.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c4_a_file_with_a_secret_is_replaced_and_any_other_is_left_alone() {
        use std::os::unix::fs::MetadataExt as _;
        let redactor = Redactor::new(["hunter2-hunter2"]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("result.json");
        std::fs::write(&path, r#"{"error": "no"}"#).unwrap();
        let before = std::fs::metadata(&path).unwrap().ino();
        mask_file(&redactor, &path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().ino(), before);

        std::fs::write(
            &path,
            r#"{"error": "hunter2-hunter2", "b": "aHVudGVyMi1odW50ZXIy"}"#,
        )
        .unwrap();
        mask_file(&redactor, &path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, r#"{"error": "***", "b": "***"}"#);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        mask_file(&redactor, &folder.path().join("absent")).unwrap();
        mask_file(&redactor, folder.path()).unwrap();
    }

    #[test]
    fn c4_what_cannot_be_looked_through_is_told() {
        let redactor = Redactor::new(["hunter2-hunter2"]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("transcript.jsonl");
        let file = std::fs::File::create(&path).unwrap();
        file.set_len(MAX_FILE + 1).unwrap();
        let problem = mask_file(&redactor, &path).unwrap_err();
        assert!(problem.contains("too many"), "{problem}");
    }

    #[test]
    fn c4_s10_texts_are_masked_first_and_then_cut_at_a_character() {
        let redactor = Redactor::new(["hunter2-hunter2"]);
        let cases = [
            ("é".repeat(MAX_ERROR), "é [harness: 16384 bytes cut]"),
            // The limit lies inside of the secret.
            (
                format!("{}hunter2-hunter2", "x".repeat(MAX_ERROR - 4)),
                "xxx***",
            ),
        ];
        for (message, end) in cases {
            let Notice::Warning(told) = notice(&redactor, Notice::Warning(message)) else {
                panic!("a warning stays one");
            };
            assert!(told.ends_with(end));
            assert!(told.len() < MAX_ERROR + 100 && !told.contains("hunter2"));
        }
    }

    #[test]
    fn c4_p6_every_text_of_the_journal_is_masked_and_its_line_fits() {
        use run_record::{
            AgentOutcome, AgentReport, Attempt, TaskKey, TrialId, Usage, VariantName,
        };

        let redactor = Redactor::new(["hunter2-hunter2"]);
        let trial = TrialId {
            task: TaskKey::new("t"),
            variant: VariantName::new("default"),
            trial: 1,
        };
        // The longest that a result may be, of what takes most room in JSON.
        let worst = format!("hunter2-hunter2{}", "\u{1}".repeat(1 << 20));
        let finished = Event::AgentFinished {
            trial,
            attempt: Attempt::FIRST,
            report: Box::new(AgentReport {
                outcome: AgentOutcome::Failed,
                exit_code: Some(1),
                signal: None,
                error: Some(worst.clone()),
                final_answer: Some(cut(&worst, 1 << 20)),
                verifiable: true,
                steps: None,
                session_id: None,
                usage: Usage::default(),
                leaked_processes: 0,
                containment: 1,
                elapsed_ms: 1,
            }),
        };
        let written = event(&redactor, finished);
        let Event::AgentFinished { report, .. } = &written else {
            panic!("it stays what it is");
        };
        assert!(
            !report.verifiable,
            "another harness would verify a masked answer"
        );
        let line = serde_json::to_string(&written).unwrap();
        assert!(!line.contains("hunter2") && line.contains(r#""final_answer":"***\u0001"#));
        assert!(line.len() < 8 << 20, "{}", line.len());
    }
}
