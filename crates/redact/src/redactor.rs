//! The secrets of a run, ready to be looked for.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;

use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, MatchKind};

use crate::Stream;
use crate::forms::forms;

/// What stands in place of a secret.
pub const MASK: &str = "***";

/// A secret shorter than this is not masked: it would be found inside ordinary words and numbers, and a text full of
/// asterisks tells nobody anything, the secret's length and places included.
pub const MIN_SECRET_BYTES: usize = 6;

/// Up to this many bytes of forms a table with every transition is made, which is several times faster; beyond it the
/// table would take tens of megabytes, and a compact automaton does.
const MAX_TABLE_BYTES: usize = 64 << 10;

/// As much as is read of a file at once.
const CHUNK_BYTES: usize = 64 << 10;

/// Knows secrets in all their forms. Cheap to clone; `Debug` shows none of them.
#[derive(Clone, Default)]
pub struct Redactor {
    /// `None` when there is no secret, which costs nothing.
    known: Option<Arc<Known>>,
}

pub(crate) struct Known {
    automaton: AhoCorasick,
    /// Sorted, for the search of beginnings.
    forms: Vec<Vec<u8>>,
    longest: usize,
    /// Bytes with which a form begins.
    begins: [bool; 256],
}

impl Redactor {
    /// Knows all of `secrets` that have at least [`MIN_SECRET_BYTES`] without white space around them.
    pub fn new<S: AsRef<[u8]>>(secrets: impl IntoIterator<Item = S>) -> Self {
        let secrets = secrets.into_iter();
        let mut forms: Vec<Vec<u8>> = secrets.flat_map(|secret| forms(secret.as_ref())).collect();
        forms.sort_unstable();
        forms.dedup();
        if forms.is_empty() {
            return Self::default();
        }
        let total: usize = forms.iter().map(Vec::len).sum();
        let kind = if total <= MAX_TABLE_BYTES {
            AhoCorasickKind::DFA
        } else {
            AhoCorasickKind::ContiguousNFA
        };
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .kind(Some(kind))
            .build(&forms)
            .expect("an automaton of far less than 2^31 states can be built");
        let mut begins = [false; 256];
        for form in &forms {
            begins[usize::from(form[0])] = true;
        }
        let longest = forms.iter().map(Vec::len).max().unwrap_or(0);
        let known = Known {
            automaton,
            forms,
            longest,
            begins,
        };
        Self {
            known: Some(Arc::new(known)),
        }
    }

    /// True if nothing will ever be replaced.
    pub fn is_empty(&self) -> bool {
        self.known.is_none()
    }

    /// For text that comes in pieces.
    pub fn stream(&self) -> Stream {
        Stream::new(self.known.clone())
    }

    /// `bytes` with every secret replaced.
    pub fn bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(known) = &self.known else {
            return Cow::Borrowed(bytes);
        };
        if !known.automaton.is_match(bytes) {
            return Cow::Borrowed(bytes);
        }
        let mut out = Vec::with_capacity(bytes.len());
        known.replace(bytes, false, &mut out);
        Cow::Owned(out)
    }

    /// `text` with every secret replaced.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            // A secret of odd bytes may have cut a character.
            Cow::Owned(bytes) => Cow::Owned(
                String::from_utf8(bytes)
                    .unwrap_or_else(|odd| String::from_utf8_lossy(odd.as_bytes()).into_owned()),
            ),
        }
    }

    /// Copies `from` to `to` with every secret replaced, in bounded memory. Answers whether there was one.
    ///
    /// # Errors
    /// What reading and writing give.
    pub fn copy(&self, mut from: impl Read, mut to: impl Write) -> io::Result<bool> {
        let mut stream = self.stream();
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            match from.read(&mut chunk) {
                Ok(0) => break,
                Ok(length) => to.write_all(stream.push(&chunk[..length]))?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        to.write_all(stream.finish())?;
        Ok(stream.replaced())
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let forms = self.known.as_ref().map_or(0, |known| known.forms.len());
        f.debug_struct("Redactor").field("forms", &forms).finish()
    }
}

/// What a pass over some bytes came to.
pub(crate) struct Pass {
    /// Bytes that are decided; what follows may be the beginning of a secret.
    pub(crate) taken: usize,
    pub(crate) replaced: bool,
}

impl Known {
    /// Appends `bytes` to `out` with every secret replaced. If `more` may follow, only as far as it cannot matter.
    pub(crate) fn replace(&self, bytes: &[u8], more: bool, out: &mut Vec<u8>) -> Pass {
        let mut at = 0;
        let mut replaced = false;
        let mut open = self.open_from(bytes, 0, more);
        while let Some(found) = self.automaton.find(Input::new(bytes).range(at..)) {
            // At or after a place where a longer form may be about to come, nothing is decided yet. Before it, a
            // match is the longest there is: otherwise the place would be its own start.
            if found.start() >= open {
                break;
            }
            out.extend_from_slice(&bytes[at..found.start()]);
            out.extend_from_slice(MASK.as_bytes());
            replaced = true;
            at = found.end();
            if open < at {
                open = self.open_from(bytes, at, more);
            }
        }
        out.extend_from_slice(&bytes[at..open]);
        Pass {
            taken: open,
            replaced,
        }
    }

    /// The first place, not before `at`, from which everything up to the end is the beginning of a form.
    fn open_from(&self, bytes: &[u8], at: usize, more: bool) -> usize {
        if !more {
            return bytes.len();
        }
        let earliest = at.max((bytes.len() + 1).saturating_sub(self.longest));
        (earliest..bytes.len())
            .find(|&start| {
                self.begins[usize::from(bytes[start])] && self.may_go_on(&bytes[start..])
            })
            .unwrap_or(bytes.len())
    }

    /// True if some form starts with `beginning` and is longer.
    fn may_go_on(&self, beginning: &[u8]) -> bool {
        let after = self
            .forms
            .partition_point(|form| form.as_slice() <= beginning);
        self.forms
            .get(after)
            .is_some_and(|form| form.starts_with(beginning))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c4_the_longest_secret_wins_and_a_false_start_does_not_hide_a_true_one() {
        let redactor = Redactor::new(["abcabc", "abcabcdef"]);
        assert_eq!(redactor.text("abcabcdef abcabc"), "*** ***");
        let redactor = Redactor::new(["aaaaab"]);
        assert_eq!(redactor.text("aaaaaaab"), "aa***");
    }

    #[test]
    fn c4_shorter_secrets_than_six_bytes_are_left_alone() {
        let redactor = Redactor::new(["12345", " a \n", ""]);
        assert!(redactor.is_empty());
        assert_eq!(redactor.text("12345"), "12345");
        assert_eq!(Redactor::new(["123456"]).text("0123456"), "0***");
    }

    #[test]
    fn c4_text_without_a_secret_is_not_even_copied() {
        let redactor = Redactor::new(["hunter2!"]);
        assert!(matches!(redactor.text("nothing"), Cow::Borrowed("nothing")));
    }

    #[test]
    fn c4_debug_shows_no_secret() {
        assert!(!format!("{:?}", Redactor::new(["hunter2!"])).contains("hunter"));
    }

    #[test]
    fn c4_a_file_is_copied_in_bounded_pieces() {
        let redactor = Redactor::new(["hunter2!"]);
        let mut text = vec![b'x'; CHUNK_BYTES - 3];
        text.extend_from_slice(b"hunter2! and more");
        let mut out = Vec::new();
        assert!(redactor.copy(text.as_slice(), &mut out).unwrap());
        assert!(out.ends_with(b"xxx*** and more"));
        assert!(!redactor.copy(&b"clean"[..], &mut Vec::new()).unwrap());
    }
}
