//! Remembers the last line of a stream that starts with `{`, whatever else the stream holds.
//!
//! It does not parse: whether the line is JSON is for the reader of the result to say.

use std::io::BufRead as _;

/// The longest line that is remembered; a result is never this long, a flood may be.
const MAX_LINE_BYTES: usize = 16 << 20;

/// Watches a stream, chunk by chunk.
#[derive(Debug)]
pub(super) struct LastJsonLine {
    state: State,
    last: Option<Vec<u8>>,
    limit: usize,
}

#[derive(Debug)]
enum State {
    /// At the first byte of a line.
    LineStart,
    /// In a line that starts with `{`; its bytes so far.
    Candidate(Vec<u8>),
    /// In any other line, or in one that has grown too long.
    Skip,
}

impl LastJsonLine {
    pub(super) fn new() -> Self {
        Self::with_limit(MAX_LINE_BYTES)
    }

    fn with_limit(limit: usize) -> Self {
        Self {
            state: State::LineStart,
            last: None,
            limit,
        }
    }

    pub(super) fn push(&mut self, mut chunk: &[u8]) {
        while !chunk.is_empty() {
            if matches!(self.state, State::LineStart) {
                self.state = if chunk[0] == b'{' {
                    State::Candidate(Vec::new())
                } else {
                    State::Skip
                };
            }
            // The standard library's own search is fast even in unoptimised builds.
            let mut rest = chunk;
            let length = rest
                .skip_until(b'\n')
                .expect("reading from memory does not fail");
            let (piece, rest) = chunk.split_at(length);
            let ended = piece.ends_with(b"\n");
            if let State::Candidate(line) = &mut self.state {
                if line.len() + piece.len() > self.limit {
                    self.state = State::Skip;
                } else {
                    line.extend_from_slice(piece);
                }
            }
            if ended
                && let State::Candidate(line) = std::mem::replace(&mut self.state, State::LineStart)
            {
                self.last = Some(trimmed(line));
            }
            chunk = rest;
        }
    }

    /// The last such line. A line that the end of the stream cut off counts if it ends with `}`,
    /// since many programs do not end their last line.
    pub(super) fn finish(self) -> Option<Vec<u8>> {
        if let State::Candidate(line) = self.state {
            let line = trimmed(line);
            if line.ends_with(b"}") {
                return Some(line);
            }
        }
        self.last
    }
}

fn trimmed(mut line: Vec<u8>) -> Vec<u8> {
    line.truncate(line.trim_ascii_end().len());
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(stream: &[u8]) -> Option<String> {
        let found: Vec<_> = [1, 2, 3, 7, 1024]
            .into_iter()
            .map(|size| {
                let mut watch = LastJsonLine::with_limit(20);
                stream.chunks(size).for_each(|chunk| watch.push(chunk));
                watch.finish()
            })
            .collect();
        assert!(found.windows(2).all(|pair| pair[0] == pair[1]), "{found:?}");
        found[0]
            .clone()
            .map(|line| String::from_utf8(line).unwrap())
    }

    #[test]
    fn the_last_of_several_wins() {
        assert_eq!(
            last(b"{\"a\":1}\nlog\n{\"a\":2}\r\nbye\n").unwrap(),
            "{\"a\":2}"
        );
    }

    #[test]
    fn a_brace_inside_a_line_does_not_count() {
        assert_eq!(last(b"x {\"a\":1}\n {\"b\":1}\n\n"), None);
    }

    #[test]
    fn an_unended_line_counts_only_when_it_looks_complete() {
        assert_eq!(last(b"{\"a\":1}\n{\"a\":2}").unwrap(), "{\"a\":2}");
        assert_eq!(last(b"{\"a\":1}\n{\"a\":").unwrap(), "{\"a\":1}");
    }

    #[test]
    fn a_line_over_the_cap_is_passed_over() {
        let stream = b"{\"a\":1}\n{\"long\":\"xxxxxxxxxxxxxxxxxxxxxxx\"}\n";
        assert_eq!(last(stream).unwrap(), "{\"a\":1}");
    }
}
