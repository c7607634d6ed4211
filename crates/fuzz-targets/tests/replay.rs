//! Every input of the corpus through its target: seeds that reach the depth of a parser, and inputs that once broke one.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::PathBuf;

use fuzz_targets::{TARGETS, run};

/// Fewer would be a corpus that was lost.
const LEAST: usize = 3;

fn folder(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "corpus", name]
        .iter()
        .collect()
}

fn replay(name: &str) {
    let mut count = 0;
    for entry in fs::read_dir(folder(name)).unwrap() {
        let path = entry.unwrap().path();
        let data = fs::read(&path).unwrap();
        let outcome = std::panic::catch_unwind(|| run(name, &data));
        assert!(outcome.is_ok(), "{} breaks {name}", path.display());
        // What is cut off anywhere must be refused as calmly; a few cuts, because the corpus has many files.
        for eighth in 1..8 {
            run(name, &data[..data.len() * eighth / 8]);
        }
        count += 1;
    }
    assert!(count >= LEAST, "{name} has {count} inputs");
}

macro_rules! replays {
    ($($test:ident: $target:literal;)*) => {
        $(
            #[test]
            fn $test() {
                replay($target);
            }
        )*

        #[test]
        fn every_target_is_replayed() {
            let replayed = [$($target),*];
            for (name, _) in TARGETS {
                assert!(replayed.contains(&name), "{name}");
            }
            assert_eq!(replayed.len(), TARGETS.len());
        }
    };
}

replays! {
    a18_agent_results: "agent_result";
    s11_bundles_and_pickles: "bundle";
    c1_c2_c3_c8_reports: "csv";
    k17_journals: "journal";
    c4_redaction: "redactor";
    p1_p2_p3_p4_p9_p15_specs: "spec";
    p5_p6_task_files: "task_file";
    x4_x6_transcripts: "transcript";
    s10_v3_v4_v5_v6_answers: "wire";
}
