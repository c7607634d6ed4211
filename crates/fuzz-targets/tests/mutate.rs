//! What libFuzzer does for hours, for a moment in every test run: files of the corpus with some damage.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::PathBuf;

use fuzz_targets::run;
use proptest::prelude::*;
use proptest::sample::Index;

/// Inputs a target gets; the targets together take some seconds.
const CASES: u32 = 96;

/// What parsers stumble over.
const HOSTILE: [&[u8]; 24] = [
    b"null",
    b"NaN",
    b"1e999",
    b"-1",
    b"18446744073709551616",
    b"\"\"",
    b"[]",
    b"{}",
    b"\0",
    b"\xff\xff",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\n",
    b"\r\n",
    b"\t",
    b"${",
    b"}",
    b"{{",
    b"&a",
    b"*a",
    b"'",
    b"\\u0000",
    b"../",
    b"=1",
];

#[derive(Clone, Debug)]
enum Damage {
    Flip(Index, u8),
    Insert(Index, usize),
    Remove(Index, usize),
    Repeat(Index, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        (any::<Index>(), 1..=255u8).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        (any::<Index>(), 0..HOSTILE.len()).prop_map(|(at, which)| Damage::Insert(at, which)),
        (any::<Index>(), 1..40usize).prop_map(|(at, length)| Damage::Remove(at, length)),
        (any::<Index>(), 1..40usize).prop_map(|(at, length)| Damage::Repeat(at, length)),
    ]
}

fn damaged(mut data: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        if data.is_empty() {
            break;
        }
        match damage {
            Damage::Flip(at, bits) => {
                let at = at.index(data.len());
                data[at] ^= bits;
            }
            Damage::Insert(at, which) => {
                let at = at.index(data.len());
                data.splice(at..at, HOSTILE[*which].iter().copied());
            }
            Damage::Remove(at, length) => {
                let at = at.index(data.len());
                data.drain(at..(at + length).min(data.len()));
            }
            Damage::Repeat(at, length) => {
                let at = at.index(data.len());
                let part = data[at..(at + length).min(data.len())].to_vec();
                data.splice(at..at, part);
            }
        }
    }
    data
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "corpus", name]
        .iter()
        .collect();
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| fs::read(path).unwrap())
        .collect()
}

macro_rules! mutations {
    ($($test:ident: $target:literal;)*) => {
        proptest! {
            #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(CASES) })]
            $(
                #[test]
                fn $test(file in any::<Index>(), damages in prop::collection::vec(damage(), 1..8)) {
                    let files = corpus($target);
                    let data = damaged(files[file.index(files.len())].clone(), &damages);
                    run($target, &data);
                }
            )*
        }
    };
}

mutations! {
    a18_damaged_agent_results: "agent_result";
    s11_damaged_bundles_and_pickles: "bundle";
    c1_c2_c3_c8_reports_of_damaged_texts: "csv";
    k17_damaged_journals: "journal";
    c4_damaged_secrets: "redactor";
    p1_p2_p3_p4_p9_p15_damaged_specs: "spec";
    p5_p6_damaged_task_files: "task_file";
    x6_damaged_transcripts: "transcript";
    s10_v3_v4_v5_v6_damaged_answers: "wire";
}
