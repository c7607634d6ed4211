//! Journals written, cut, flipped, salvaged.

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::line::TRAILER;
use super::*;
use crate::fixtures::*;
use crate::{Entry, Event, GateSpec};

/// Everything of a journal, as nobody but a test wants it.
#[derive(Debug)]
struct Whole {
    entries: Vec<Entry>,
    good_len: u64,
    torn: u64,
}

fn read(path: &Path) -> Result<Whole, ReplayError> {
    let mut reader = JournalReader::open(path)?;
    let mut entries = Vec::new();
    while let Some(entry) = reader.next_entry()? {
        entries.push(entry);
    }
    let (good_len, torn) = reader.lengths();
    Ok(Whole {
        entries,
        good_len,
        torn,
    })
}

fn written(events: Vec<Event>) -> (tempfile::TempDir, PathBuf, Vec<Entry>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.jsonl");
    let mut journal = Journal::create(&path).unwrap();
    let entries = journal.append(events).unwrap();
    journal.sync().unwrap();
    (folder, path, entries)
}

fn small() -> Vec<Event> {
    let mut events = vec![started(GateSpec::default()), planned("a")];
    events.extend(whole_life("a", 0.25));
    events
}

#[test]
fn what_is_written_is_read_back() {
    let (_folder, path, entries) = written(small());
    let replay = read(&path).unwrap();
    assert_eq!(replay.entries, entries);
    assert_eq!(replay.torn, 0);
    assert_eq!(replay.good_len, std::fs::metadata(&path).unwrap().len());
    for line in std::fs::read_to_string(&path).unwrap().lines() {
        let value: serde_json::Value = serde_json::from_str(line).expect("each line is JSON");
        assert_eq!(value["v"], 1);
    }
}

#[test]
fn k17_a_file_cut_at_any_byte_loses_at_most_the_line_it_was_cut_in() {
    let (_folder, path, entries) = written(small());
    let bytes = std::fs::read(&path).unwrap();
    for cut in 0..bytes.len() {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        let replay = read(&path).unwrap();
        let whole = bytes[..cut].split(|&b| b == b'\n').count() - 1;
        assert_eq!(replay.entries, entries[..whole], "cut at {cut}");
        assert_eq!(replay.good_len + replay.torn, cut as u64);
    }
}

#[test]
fn k17_a_flipped_byte_is_never_read_as_something_else() {
    let (_folder, path, entries) = written(small());
    let bytes = std::fs::read(&path).unwrap();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        std::fs::write(&path, &damaged).unwrap();
        match read(&path) {
            Ok(replay) => {
                // Without its newline the last line looks torn, and is left out.
                assert_eq!(at, bytes.len() - 1, "damage was not seen");
                assert_eq!(replay.entries, entries[..entries.len() - 1]);
            }
            Err(ReplayError::Corrupt { .. }) => {}
            Err(other) => panic!("unexpected: {other}"),
        }
    }
}

#[test]
fn k17_going_on_cuts_the_torn_tail_and_keeps_counting() {
    let (_folder, path, entries) = written(small());
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend_from_slice(b"{\"v\":1,\"seq\":99,\"at\"");
    std::fs::write(&path, &bytes).unwrap();
    let replay = replay(&path).unwrap();
    assert!(replay.torn > 0);
    let mut journal = Journal::resume(&path, &replay).unwrap();
    journal
        .append(vec![finished(crate::StopReason::Completed)])
        .unwrap();
    drop(journal);
    let again = read(&path).unwrap();
    assert_eq!(again.torn, 0);
    assert_eq!(again.entries.len(), entries.len() + 1);
}

#[test]
fn k16_one_writer_at_a_time() {
    let (_folder, path, _) = written(small());
    let replay = replay(&path).unwrap();
    let first = Journal::resume(&path, &replay).unwrap();
    assert!(matches!(
        Journal::resume(&path, &replay),
        Err(JournalError::Locked { .. })
    ));
    drop(first);
    assert!(Journal::resume(&path, &replay).is_ok());
    assert!(matches!(
        Journal::create(&path),
        Err(JournalError::Io { .. })
    ));
}

#[test]
fn k17_a_lost_line_and_a_newer_format_are_seen() {
    let (_folder, path, _) = written(small());
    let text = std::fs::read_to_string(&path).unwrap();
    let without_third: Vec<&str> = text
        .lines()
        .enumerate()
        .filter(|(n, _)| *n != 2)
        .map(|(_, line)| line)
        .collect();
    std::fs::write(&path, without_third.join("\n") + "\n").unwrap();
    let error = read(&path).unwrap_err().to_string();
    assert!(
        error.contains("line 3") && error.contains("number 4"),
        "{error}"
    );

    let first = text.lines().next().unwrap().replace("\"v\":1", "\"v\":3");
    let body = &first[..first.len() - TRAILER];
    let crc = crc32fast::hash(body.as_bytes());
    std::fs::write(&path, format!("{body},\"crc\":\"{crc:08x}\"}}\n")).unwrap();
    assert!(matches!(
        read(&path),
        Err(ReplayError::TooNew { found: 3, .. })
    ));
}

proptest! {
    #[test]
    fn any_text_survives(task in "\\PC{1,40}", answer in any::<String>()) {
        let mut report = agent_finished(&task, 1);
        if let Event::AgentFinished { report, .. } = &mut report {
            report.final_answer = Some(answer);
        }
        let (_folder, path, entries) = written(vec![report]);
        prop_assert_eq!(read(&path).unwrap().entries, entries);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        std::fs::write(&path, bytes).unwrap();
        let _ = read(&path);
    }
}

/// A run of two trials, both scored, whose plan says how many there are.
fn two_scored() -> Vec<Event> {
    let mut start = started(GateSpec::default());
    if let Event::RunStarted { run } = &mut start {
        run.planned = Some(2);
    }
    let mut events = vec![start, planned("a"), planned("b")];
    events.extend(whole_life("a", 0.25));
    events.extend(whole_life("b", 1.0));
    events
}

/// Damages the lines with these numbers, from 1.
fn damage(path: &Path, lines: &[usize]) {
    let text = std::fs::read_to_string(path).unwrap();
    let damaged: String = (1..)
        .zip(text.lines())
        .map(|(number, line)| {
            if lines.contains(&number) {
                format!("{}?{}\n", &line[..20], &line[21..])
            } else {
                format!("{line}\n")
            }
        })
        .collect();
    std::fs::write(path, damaged).unwrap();
}

#[test]
fn k17_every_damaged_line_is_salvaged_without_inventing_anything() {
    let (_folder, path, entries) = written(two_scored());
    let whole = replay(&path).unwrap().record.unwrap();
    let pristine = std::fs::read(&path).unwrap();
    for line in 1..=entries.len() {
        std::fs::write(&path, &pristine).unwrap();
        damage(&path, &[line]);
        let damaged = std::fs::read(&path).unwrap();
        assert!(replay(&path).is_err(), "line {line} is damaged");
        let salvaged = match salvage(&path) {
            Ok(salvaged) => salvaged,
            Err(SalvageError::Plan { .. }) => {
                assert!(line <= 3, "line {line} is no part of the plan");
                assert_eq!(std::fs::read(&path).unwrap(), damaged, "it is as it was");
                continue;
            }
            Err(other) => panic!("line {line}: {other}"),
        };
        assert!(line > 3, "a plan with a hole was taken for a whole one");
        assert_eq!(salvaged.damaged, [line as u64]);
        assert_eq!(std::fs::read(&salvaged.kept).unwrap(), damaged);
        std::fs::remove_file(&salvaged.kept).unwrap();
        let record = replay(&path).unwrap().record.unwrap();
        assert_eq!(record.trials.len(), 2);
        for (saved, before) in record.trials.iter().zip(&whole.trials) {
            // What is left of a score is the score; what is not left is open again.
            assert!(saved.score.is_none() || saved.score == before.score);
            if saved.score.is_none() {
                assert!(salvaged.affected.contains(&saved.id), "line {line}");
            }
        }
    }
}

#[test]
fn k17_a_salvaged_journal_can_be_gone_on_with() {
    let (_folder, path, entries) = written(two_scored());
    // The score of `a`.
    let scored = entries
        .iter()
        .position(|entry| matches!(entry.event, Event::Scored { .. }))
        .unwrap();
    damage(&path, &[scored + 1]);
    let salvaged = salvage(&path).unwrap();
    assert_eq!(salvaged.affected, [trial("a")]);
    assert_eq!(
        salvaged.dropped, 2,
        "its release does not follow without it"
    );
    let replay = replay(&path).unwrap();
    let record = replay.record.as_ref().unwrap();
    assert_eq!(record.open_leases().len(), 1, "its instance is looked for");
    assert!(Journal::resume(&path, &replay).is_ok());
}

#[test]
fn k16_a_journal_that_is_worked_on_is_not_salvaged() {
    let (_folder, path, _) = written(two_scored());
    let replay = replay(&path).unwrap();
    let _writer = Journal::resume(&path, &replay).unwrap();
    let error = salvage(&path).unwrap_err().to_string();
    let own = std::process::id().to_string();
    assert!(
        error.contains("another harness") && error.contains(&own),
        "{error}"
    );
}

#[test]
fn k8_a_failed_write_leaves_no_half_line() {
    let (_folder, path, entries) = written(small());
    let replay = replay(&path).unwrap();
    let mut journal = Journal::resume(&path, &replay).unwrap();
    // As a full disk does it: a part is taken, then no more.
    let limit = nix::sys::resource::Resource::RLIMIT_FSIZE;
    let (soft, hard) = nix::sys::resource::getrlimit(limit).unwrap();
    // Its default action would end the test.
    let ignore = nix::sys::signal::SigSet::from(nix::sys::signal::Signal::SIGXFSZ);
    ignore.thread_block().unwrap();
    nix::sys::resource::setrlimit(limit, replay.good_len + 10, hard).unwrap();
    let result = journal.append(vec![finished(crate::StopReason::Completed)]);
    nix::sys::resource::setrlimit(limit, soft, hard).unwrap();
    assert!(result.is_err());
    let after = read(&path).unwrap();
    assert_eq!(after.torn, 0);
    assert_eq!(after.entries, entries);
}

#[test]
fn k8_the_reserve_is_there_while_the_journal_is_open() {
    let (_folder, path, _) = written(small());
    let reserve = path.with_extension("reserve");
    assert!(!reserve.exists(), "it is gone with its journal");
    let replay = replay(&path).unwrap();
    let journal = Journal::resume(&path, &replay).unwrap();
    assert!(std::fs::metadata(&reserve).unwrap().len() > 1 << 20);
    assert_eq!(journal.room(), Room::Enough);
    drop(journal);
    assert!(!reserve.exists());
}

#[test]
fn k17_an_attempt_that_lost_its_end_can_still_be_ended_and_takes_no_score_away() {
    let mut events = two_scored();
    events.truncate(3);
    events.extend([
        intended("a", 1),
        provisioned("a", 1),
        unscored("a", 1, true, false),
        release_intended("a", 1),
        released("a", 1, crate::TeardownOutcome::Released),
        intended("a", 2),
        provisioned("a", 2),
        agent_finished("a", 2),
        verify_intended("a", 2),
        scored("a", 2, 1.0),
    ]);
    let (_folder, path, _) = written(events);
    damage(&path, &[6]);
    salvage(&path).unwrap();
    let again = replay(&path).unwrap();
    let mut record = again.record.clone().unwrap();
    let mut journal = Journal::resume(&path, &again).unwrap();
    let endings = vec![
        unscored("a", 1, true, false),
        release_intended("a", 1),
        released("a", 1, crate::TeardownOutcome::AlreadyGone),
    ];
    for entry in journal.append(endings).unwrap() {
        record.apply(&entry).unwrap();
    }
    let trial = record.trial(&trial("a")).unwrap();
    assert_eq!(trial.score, Some(1.0), "the later attempt's score stays");
    assert_eq!(
        record.open_leases().len(),
        1,
        "only the later attempt holds anything"
    );
}
