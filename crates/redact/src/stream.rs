//! Replaces secrets in a stream, whatever the borders of its chunks.

use std::fmt;
use std::sync::Arc;

use crate::redactor::Known;

/// One stream on its way. Holds back at most as much as a form of a secret is long.
pub struct Stream {
    known: Option<Arc<Known>>,
    /// What came and is not decided yet: the beginning of a form, then during a push the new bytes.
    pending: Vec<u8>,
    out: Vec<u8>,
    replaced: bool,
}

impl Stream {
    pub(crate) fn new(known: Option<Arc<Known>>) -> Self {
        Self {
            known,
            pending: Vec::new(),
            out: Vec::new(),
            replaced: false,
        }
    }

    /// Takes the next bytes and gives back what is decided by now.
    pub fn push<'a>(&'a mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Some(known) = self.known.clone() else {
            return bytes;
        };
        self.pending.extend_from_slice(bytes);
        self.pass(&known, true)
    }

    /// What was held back, once the stream has ended.
    pub fn finish(&mut self) -> &[u8] {
        match self.known.clone() {
            Some(known) => self.pass(&known, false),
            None => &[],
        }
    }

    /// Whether a secret was found so far.
    pub fn replaced(&self) -> bool {
        self.replaced
    }

    fn pass(&mut self, known: &Known, more: bool) -> &[u8] {
        self.out.clear();
        let pass = known.replace(&self.pending, more, &mut self.out);
        self.replaced |= pass.replaced;
        self.pending.drain(..pass.taken);
        &self.out
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use crate::Redactor;

    fn in_chunks(redactor: &Redactor, text: &[u8], size: usize) -> Vec<u8> {
        let mut stream = redactor.stream();
        let mut out = Vec::new();
        for chunk in text.chunks(size.max(1)) {
            out.extend_from_slice(stream.push(chunk));
        }
        out.extend_from_slice(stream.finish());
        out
    }

    fn contains(text: &[u8], part: &[u8]) -> bool {
        text.windows(part.len()).any(|window| window == part)
    }

    #[test]
    fn c4_a_secret_is_found_across_every_border() {
        let redactor = Redactor::new(["sk-12345"]);
        let text = b"key sk-12345, sk-1234 and sk-sk-12345\nc2stMTIzNDU=";
        for size in 1..=text.len() {
            let out = in_chunks(&redactor, text, size);
            assert_eq!(
                String::from_utf8(out).unwrap(),
                "key ***, sk-1234 and sk-***\n***U=",
                "chunks of {size}"
            );
        }
    }

    #[test]
    fn c4_what_cannot_be_a_secret_is_not_held_back() {
        let redactor = Redactor::new(["sk-12345"]);
        let mut stream = redactor.stream();
        assert_eq!(stream.push(b"a line\n"), b"a line\n");
        assert_eq!(stream.push(b"sk-1"), b"");
        assert_eq!(stream.push(b"9\n"), b"sk-19\n");
        assert_eq!(stream.finish(), b"");
    }

    /// Secrets of the alphabet that keys have, and one of several lines.
    fn secret() -> impl Strategy<Value = String> {
        prop_oneof![
            "[A-Za-z0-9_-]{6,40}",
            "[!-~]{6,30}",
            "[A-Za-z0-9+/]{12}\n[A-Za-z0-9+/]{9}"
        ]
    }

    proptest! {
        #[test]
        fn c4_no_form_of_a_secret_survives_any_chunking(
            secrets in prop::collection::vec(secret(), 1..4),
            before in "[ -~é\n]{0,40}",
            after in "[ -~é\n]{0,40}",
            encoding in 0..6usize,
            size in 1..70usize,
        ) {
            let redactor = Redactor::new(&secrets);
            let secret = &secrets[0];
            let shown = match encoding {
                0 => secret.clone(),
                1 => serde_json::to_string(secret).unwrap(),
                2 => serde_json::to_string(&serde_json::to_string(secret).unwrap()).unwrap(),
                3 => STANDARD.encode(format!("{before}{secret}{after}")),
                4 => secret.bytes().map(|b| if b.is_ascii_alphanumeric() || b"-._~".contains(&b) { (b as char).to_string() } else { format!("%{b:02X}") }).collect(),
                _ => secret.replace('\n', "\r\n    "),
            };
            let text = format!("{before}{shown}{after}");
            let out = in_chunks(&redactor, text.as_bytes(), size);
            prop_assert_eq!(&out, &*redactor.bytes(text.as_bytes()), "any chunking gives the same");
            for form in secrets.iter().flat_map(|secret| crate::forms::forms(secret.as_bytes())) {
                // A mask beside other bytes could only look like a form that has asterisks in it.
                if !form.contains(&b'*') {
                    prop_assert!(!contains(&out, &form), "{:?} survives", String::from_utf8_lossy(&form));
                }
            }
            if encoding == 3 {
                let parts = crate::forms::forms(secret.trim().as_bytes());
                prop_assert!(parts.iter().any(|form| contains(text.as_bytes(), form)));
            }
            prop_assert!(contains(&out, b"***"));
        }

        #[test]
        fn c4_a13_bytes_without_a_secret_pass_as_they_are(
            text in prop::collection::vec(any::<u8>(), 0..400),
            size in 1..70usize,
        ) {
            let redactor = Redactor::new(["a-secret-that-does-not-occur"]);
            prop_assert_eq!(in_chunks(&redactor, &text, size), text);
        }

        #[test]
        fn c4_short_alphabets_find_the_same_in_any_chunking(
            secrets in prop::collection::vec("[ab]{6,9}", 1..5),
            text in "[ab]{0,80}",
            size in 1..20usize,
        ) {
            let redactor = Redactor::new(&secrets);
            prop_assert_eq!(in_chunks(&redactor, text.as_bytes(), size), &*redactor.bytes(text.as_bytes()));
        }
    }
}
