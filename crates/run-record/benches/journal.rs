//! How fast events become durable, against how fast this disk syncs at all. Prints ratios; started by `cargo xtask bench journal`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement: it may end by a panic and prints what it found"
)]

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use run_record::{Attempt, Event, Journal, JournalStore as _, TaskKey, TrialId, VariantName};

/// How long each rate is measured.
const WHILE: Duration = Duration::from_secs(2);

/// About the length of a line.
const LINE: usize = 200;

fn main() {
    // On the disk of the project: the system's temporary folder is often memory.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let syncs = rate(
        |file_and_line: &mut (File, Vec<u8>)| {
            file_and_line.0.write_all(&file_and_line.1).unwrap();
            file_and_line.0.sync_data().unwrap();
        },
        &mut (
            File::create(folder.path().join("raw")).unwrap(),
            vec![b'x'; LINE],
        ),
    );
    println!("write of {LINE} bytes and sync: {syncs:.0} a second");
    for group in [1, 8, 64] {
        let mut journal = journal(&folder.path().join(format!("journal-{group}.jsonl")));
        let groups = rate(
            |journal: &mut Journal| {
                let events = (0..group).map(|_| event()).collect();
                journal.append(events).unwrap();
                journal.sync().unwrap();
            },
            &mut journal,
        );
        println!(
            "{group:>2} events a sync: {:.0} events a second, {:.2} of the disk's syncs",
            groups * f64::from(group),
            groups / syncs
        );
    }
}

fn journal(path: &Path) -> Journal {
    Journal::create(path).unwrap()
}

fn event() -> Event {
    Event::AgentStarted {
        trial: TrialId {
            task: TaskKey::new("a-task-with-a-name-of-usual-length"),
            variant: VariantName::new(VariantName::DEFAULT),
            trial: 1,
        },
        attempt: Attempt::FIRST,
        pid: 4711,
    }
}

fn rate<T>(mut work: impl FnMut(&mut T), on: &mut T) -> f64 {
    let begun = Instant::now();
    let mut done = 0_u32;
    while begun.elapsed() < WHILE {
        work(on);
        done += 1;
    }
    f64::from(done) / begun.elapsed().as_secs_f64()
}
