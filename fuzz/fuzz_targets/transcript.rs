//! `just fuzz transcript`; what it does is in the crate `fuzz-targets`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::run("transcript", data));
