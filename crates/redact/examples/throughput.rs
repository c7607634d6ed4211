//! Measures the redactor: `cargo run --release -p redact --example throughput`. Fails below the floor that keeps it
//! from being what agents wait for.

#![expect(clippy::print_stdout, reason = "it is a measurement for a person")]

use std::hint::black_box;
use std::time::Instant;

use redact::Redactor;

const MIB: usize = 1 << 20;
const TOTAL: usize = 256 * MIB;
/// As the drain of a stream reads.
const CHUNK: usize = 64 << 10;
/// Megabytes a second with eight secrets.
const FLOOR: f64 = 200.0;

fn main() {
    let secrets: Vec<String> = (0..8)
        .map(|n| format!("sk-live-{n}-{:032x}", n * 7919 + 3))
        .collect();
    let text = output();
    let none = measure(&Redactor::default(), &text);
    let eight = measure(&Redactor::new(&secrets), &text);
    println!("no secrets: {none:.0} MB/s\n8 secrets:  {eight:.0} MB/s");
    assert!(eight > FLOOR, "the redactor is slower than {FLOOR} MB/s");
}

/// What agents print: log lines, JSON, and now and then the beginning of something like a key.
fn output() -> Vec<u8> {
    let mut text = Vec::with_capacity(MIB + 200);
    let mut n = 0u64;
    while text.len() < MIB {
        n += 1;
        text.extend_from_slice(
            format!("2026-01-01T00:00:00Z INFO step {n} tool=click {{\"x\": {}, \"note\": \"sk-live-none é\"}}\n", n * 37 % 1366)
                .as_bytes(),
        );
    }
    text
}

fn measure(redactor: &Redactor, text: &[u8]) -> f64 {
    let mut stream = redactor.stream();
    let begun = Instant::now();
    for _ in 0..TOTAL / text.len() {
        for chunk in text.chunks(CHUNK) {
            black_box(stream.push(chunk));
        }
    }
    black_box(stream.finish());
    (TOTAL as f64 / 1e6) / begun.elapsed().as_secs_f64()
}
