//! Replaces secrets in a stream before anything of it is kept, whatever the borders of its chunks.

/// What stands in place of a secret.
pub(crate) const MASKED: &[u8] = b"***";

/// Texts that must not reach a sink. Empty ones are passed over.
#[derive(Debug)]
pub(crate) struct Mask {
    /// The longest first, so that a secret that contains another is replaced as a whole.
    secrets: Vec<Vec<u8>>,
    /// The end of what came so far, which may be the start of a secret.
    held: Vec<u8>,
}

impl Mask {
    pub(crate) fn new(secrets: &[Vec<u8>]) -> Self {
        let mut secrets: Vec<Vec<u8>> = secrets
            .iter()
            .filter(|secret| !secret.is_empty())
            .cloned()
            .collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self {
            secrets,
            held: Vec::new(),
        }
    }

    /// Takes the next bytes and gives back what is certain by now.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(bytes);
        let may_go_on = |rest: &[u8]| {
            let mut longer = self
                .secrets
                .iter()
                .filter(|secret| secret.len() > rest.len());
            longer.any(|secret| secret.starts_with(rest))
        };
        let (out, taken) = self.replace(may_go_on);
        self.held.drain(..taken);
        out
    }

    /// What was held back, once the stream has ended.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.replace(|_| false).0
    }

    /// What is held with its secrets replaced, up to a point from which `undecided` says that more must come;
    /// and how many bytes that took.
    fn replace(&self, undecided: impl Fn(&[u8]) -> bool) -> (Vec<u8>, usize) {
        let mut out = Vec::with_capacity(self.held.len());
        let mut at = 0;
        while at < self.held.len() {
            let rest = &self.held[at..];
            if undecided(rest) {
                break;
            }
            if let Some(secret) = self.secrets.iter().find(|secret| rest.starts_with(secret)) {
                out.extend_from_slice(MASKED);
                at += secret.len();
            } else {
                out.push(rest[0]);
                at += 1;
            }
        }
        (out, at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(secrets: &[&str], text: &[u8], chunk: usize) -> Vec<u8> {
        let secrets: Vec<Vec<u8>> = secrets.iter().map(|s| s.as_bytes().to_vec()).collect();
        let mut mask = Mask::new(&secrets);
        let mut out = Vec::new();
        for chunk in text.chunks(chunk.max(1)) {
            out.extend(mask.push(chunk));
        }
        out.extend(mask.finish());
        out
    }

    #[test]
    fn a_secret_is_found_across_every_border() {
        let text = b"key=sk-12345; again sk-12345\nsk-1234 is no key, sk-12";
        for chunk in 1..=text.len() {
            let out = masked(&["sk-12345"], text, chunk);
            let expected = b"key=***; again ***\nsk-1234 is no key, sk-12";
            assert_eq!(out, expected, "in chunks of {chunk}");
        }
    }

    #[test]
    fn the_longest_secret_wins_and_a_false_start_does_not_hide_a_true_one() {
        assert_eq!(masked(&["abc", "abcdef"], b"abcdef abc", 3), b"*** ***");
        assert_eq!(masked(&["aab"], b"aaab", 1), b"a***");
        assert_eq!(masked(&[""], b"x", 1), b"x");
    }

    #[test]
    fn bytes_that_are_no_text_pass_through() {
        let text: Vec<u8> = (0..=255).cycle().take(1000).collect();
        assert_eq!(masked(&["secret"], &text, 7), text);
    }
}
