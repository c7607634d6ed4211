//! `docs/wire-comparison.md`: what was compared, and what differs on purpose.

use std::fmt::Write as _;
use std::path::Path;

use crate::differences::Meant;
use crate::meant::{MEANT, MEANT_OF_HALVES};
use crate::{Compared, NOT_ASYNC};

/// Set to write the page anew.
const UPDATE: &str = "HARNESS_UPDATE_DOCS";

const HEAD: &str = "# The Rust client and the official SDK, request by request

The same calls are made with both halves of the official Python SDK (`Fleet`, `AsyncFleet`) and with `fleet-api`, each at a `harness local --record FILE` of its own. The recorded requests are compared field by field: method, path, query in its order, every header, every
field of the body, the status of the answer. Bundles of verifiers are compared by what is in them, pickled arguments by their values, ids by the order in which they appear. A test does it and keeps this page; the calls are in
[`sdk.py`](../crates/cli/tests/both_ways/sdk.py) and [`rust`](../crates/cli/tests/both_ways/rust/mod.rs).

";

const HALVES: &str = "
## Between the two halves of the SDK

The same comparison of `Fleet` with `AsyncFleet`, so that what is said above holds for both. The asynchronous half has no calls for";

const TAIL: &str = "
Not compared: `GET /v1/runner-auth/token`, which the SDK asks for once for each environment and `fleet-api` once for each client; the order of headers; how long each waits before it tries again. That every attempt of a call has the
same `X-Request-ID` and `X-Request-Timestamp` is a test of its own, for both.
";

pub(crate) fn check(compared: &[Compared]) {
    let text = page(compared);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/wire-comparison.md");
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        kept == text,
        "docs/wire-comparison.md is out of date: run this test once with {UPDATE}=1"
    );
}

fn page(compared: &[Compared]) -> String {
    let mut text = HEAD.to_owned();
    text.push_str("## Differences that are meant\n\n");
    table(&mut text, MEANT);
    text.push_str("\n## Calls\n\n| call | requests | differs, beside headers |\n|---|---|---|\n");
    for case in compared {
        let lines: Vec<String> = case
            .sdk
            .iter()
            .map(|request| format!("`{}`", request.line))
            .collect();
        let mut numbers: Vec<usize> = case
            .differences()
            .iter()
            .filter(|difference| !difference.place.starts_with("header "))
            .filter_map(|difference| case.meant(MEANT, difference))
            .map(|index| index + 1)
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        let numbers: Vec<String> = numbers.iter().map(usize::to_string).collect();
        let differs = if numbers.is_empty() {
            "–".to_owned()
        } else {
            numbers.join(", ")
        };
        writeln!(
            text,
            "| {} | {} | {differs} |",
            spoken(case.case),
            lines.join("<br>")
        )
        .unwrap();
    }
    let missing: Vec<String> = NOT_ASYNC.iter().map(|case| spoken(case)).collect();
    writeln!(text, "{HALVES}: {}.\n", missing.join(", ")).unwrap();
    table(&mut text, MEANT_OF_HALVES);
    text.push_str(TAIL);
    text
}

fn table(text: &mut String, all: &[Meant]) {
    text.push_str("| | where | why |\n|---|---|---|\n");
    for (index, meant) in all.iter().enumerate() {
        let cases: Vec<String> = meant.cases.iter().map(|case| spoken(case)).collect();
        let of = if cases.is_empty() { "" } else { " of " };
        let (place, why) = (meant.place, meant.why);
        writeln!(
            text,
            "| {} | {place}{of}{} | {why} |",
            index + 1,
            cases.join(", ")
        )
        .unwrap();
    }
}

fn spoken(case: &str) -> String {
    case.replace('-', " ")
}
