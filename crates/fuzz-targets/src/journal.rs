//! The journal: damaged files, and lines that check and say anything.

use std::cell::RefCell;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;

use report::{Format, Summary};
use run_record::{ReplayError, Verdict, replay, salvage};
use tempfile::NamedTempFile;

thread_local! {
    /// The journal is read from a file; making one for each input would be most of the work.
    static FILE: RefCell<NamedTempFile> =
        RefCell::new(NamedTempFile::new().expect("a temporary file can be made"));
}

pub(crate) fn target(data: &[u8]) {
    read(data);
    // A fuzzer does not find checksums, so it gets them for nothing.
    read(&checked(data));
}

fn checked(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in data.split(|byte| *byte == b'\n') {
        let end = line.windows(8).rposition(|part| part == b",\"crc\":\"");
        let body = match end {
            Some(end) => &line[..end],
            None => line.strip_suffix(b"}").unwrap_or(line),
        };
        if !body.is_empty() {
            out.extend_from_slice(body);
            let crc = crc32fast::hash(body);
            out.extend_from_slice(format!(",\"crc\":\"{crc:08x}\"}}\n").as_bytes());
        }
    }
    out
}

fn read(data: &[u8]) {
    let replay = FILE.with_borrow_mut(|file| {
        let at = file.path().to_owned();
        let open = file.as_file_mut();
        open.set_len(0)
            .and_then(|()| open.seek(SeekFrom::Start(0)))
            .and_then(|_| open.write_all(data))
            .expect("a temporary file can be written");
        let replay = replay(&at);
        if let Err(ReplayError::Corrupt { .. } | ReplayError::Order { .. }) = &replay {
            salvaged(&at);
        }
        replay
    });
    let Ok(replay) = replay else { return };
    assert_eq!(
        replay.good_len + replay.torn,
        data.len() as u64,
        "bytes are lost"
    );
    let Some(record) = replay.record else {
        return;
    };
    let summary = Summary::of(&record);
    for format in [
        Format::Csv,
        Format::Json,
        Format::Junit,
        Format::Html,
        Format::Markdown,
    ] {
        let _ = format.render(&record, &summary);
    }
    let _ = Verdict::of(&record);
    let _ = record.open_leases();
}

/// What was salvaged of a damaged journal is a journal.
fn salvaged(damaged: &Path) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("journal.jsonl");
    std::fs::copy(damaged, &path).expect("a temporary file can be copied");
    if salvage(&path).is_ok() {
        let again = replay(&path).expect("nothing damaged is left");
        assert!(again.record.is_some() && again.torn == 0);
    }
}
