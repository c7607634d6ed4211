//! The redactor: any secrets in any text in any chunks.

use redact::{MIN_SECRET_BYTES, Redactor};

pub(crate) fn target(data: &[u8]) {
    let [secrets, size, rest @ ..] = data else {
        return;
    };
    // The first texts are secrets, what is left is the stream.
    let secrets = usize::from(secrets % 4) + 1;
    let mut parts = rest.splitn(secrets + 1, |byte| *byte == 0);
    let secrets: Vec<&[u8]> = parts.by_ref().take(secrets).collect();
    let text = parts.next().unwrap_or_default();
    let redactor = Redactor::new(&secrets);
    let whole = redactor.bytes(text);
    let mut stream = redactor.stream();
    let mut out = Vec::new();
    for chunk in text.chunks(usize::from(*size).max(1)) {
        out.extend_from_slice(stream.push(chunk));
    }
    out.extend_from_slice(stream.finish());
    assert_eq!(out, *whole, "the borders of chunks matter");
    for secret in secrets {
        let secret = secret.trim_ascii();
        // A mask beside other bytes can look like a secret that has asterisks in it.
        if secret.len() >= MIN_SECRET_BYTES && !secret.contains(&b'*') {
            assert!(
                !out.windows(secret.len()).any(|part| part == secret),
                "a secret survives"
            );
        }
    }
}
