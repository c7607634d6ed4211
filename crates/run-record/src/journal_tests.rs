use super::*;
use crate::GateSpec;
use crate::fixtures::*;
use proptest::prelude::*;

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
    let replay = read_journal(&path).unwrap();
    assert_eq!(replay.entries, entries);
    assert_eq!(replay.torn, 0);
    assert_eq!(replay.good_len, std::fs::metadata(&path).unwrap().len());
    for line in std::fs::read_to_string(&path).unwrap().lines() {
        let value: serde_json::Value = serde_json::from_str(line).expect("each line is JSON");
        assert_eq!(value["v"], 1);
    }
}

#[test]
fn a_file_cut_at_any_byte_loses_at_most_the_line_it_was_cut_in() {
    let (_folder, path, entries) = written(small());
    let bytes = std::fs::read(&path).unwrap();
    for cut in 0..bytes.len() {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        let replay = read_journal(&path).unwrap();
        let whole = bytes[..cut].split(|&b| b == b'\n').count() - 1;
        assert_eq!(replay.entries, entries[..whole], "cut at {cut}");
        assert_eq!(replay.good_len + replay.torn, cut as u64);
    }
}

#[test]
fn a_flipped_byte_is_never_read_as_something_else() {
    let (_folder, path, entries) = written(small());
    let bytes = std::fs::read(&path).unwrap();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        std::fs::write(&path, &damaged).unwrap();
        match read_journal(&path) {
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
fn going_on_cuts_the_torn_tail_and_keeps_counting() {
    let (_folder, path, entries) = written(small());
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend_from_slice(b"{\"v\":1,\"seq\":99,\"at\"");
    std::fs::write(&path, &bytes).unwrap();
    let replay = read_journal(&path).unwrap();
    assert!(replay.torn > 0);
    let mut journal = Journal::resume(&path, &replay).unwrap();
    journal
        .append(vec![finished(crate::StopReason::Completed)])
        .unwrap();
    drop(journal);
    let again = read_journal(&path).unwrap();
    assert_eq!(again.torn, 0);
    assert_eq!(again.entries.len(), entries.len() + 1);
}

#[test]
fn one_writer_at_a_time() {
    let (_folder, path, _) = written(small());
    let replay = read_journal(&path).unwrap();
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
fn a_lost_line_and_a_newer_format_are_seen() {
    let (_folder, path, _) = written(small());
    let text = std::fs::read_to_string(&path).unwrap();
    let without_third: Vec<&str> = text
        .lines()
        .enumerate()
        .filter(|(n, _)| *n != 2)
        .map(|(_, line)| line)
        .collect();
    std::fs::write(&path, without_third.join("\n") + "\n").unwrap();
    let error = read_journal(&path).unwrap_err().to_string();
    assert!(
        error.contains("line 3") && error.contains("number 4"),
        "{error}"
    );

    let first = text.lines().next().unwrap().replace("\"v\":1", "\"v\":2");
    let body = &first[..first.len() - TRAILER];
    let crc = crc32fast::hash(body.as_bytes());
    std::fs::write(&path, format!("{body},\"crc\":\"{crc:08x}\"}}\n")).unwrap();
    assert!(matches!(
        read_journal(&path),
        Err(ReplayError::TooNew { found: 2, .. })
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
        prop_assert_eq!(read_journal(&path).unwrap().entries, entries);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        std::fs::write(&path, bytes).unwrap();
        let _ = read_journal(&path);
    }
}
