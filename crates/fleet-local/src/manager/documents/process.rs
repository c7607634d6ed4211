//! What runs in the process that reads one document.

use std::io::{Read as _, Write as _};
use std::panic;
use std::process::ExitCode;

use super::extract::extract;
use super::{Document, Kind};

/// A deep document must not end the process before it can say so.
const STACK: usize = 256 * 1024 * 1024;

/// Reads the document on standard input, whose kind is the second argument, and writes what is in it to standard output as JSON:
/// `{"Ok": …}` or `{"Err": "why"}`. To be called by the program that a [`super::DocumentReader`] starts.
pub fn document_main() -> ExitCode {
    let answer = read();
    let Ok(json) = serde_json::to_vec(&answer) else {
        return ExitCode::FAILURE;
    };
    match std::io::stdout().write_all(&json) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn read() -> Result<Document, String> {
    let kind = std::env::args()
        .nth(2)
        .and_then(|word| Kind::parse(&word))
        .ok_or("this kind of document is not known")?;
    let mut bytes = Vec::new();
    std::io::stdin()
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    // What a parser says when it panics is of no use to anybody.
    panic::set_hook(Box::new(|_| {}));
    std::thread::Builder::new()
        .stack_size(STACK)
        .spawn(move || extract(kind, &bytes))
        .map_err(|error| error.to_string())?
        .join()
        .unwrap_or_else(|_| Err("its parts contradict each other".to_owned()))
}
