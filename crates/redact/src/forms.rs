//! The forms in which programs print a secret. Pure: bytes in, a list of bytes out.
//!
//! A secret of several lines is also known by each of its lines, because loggers indent and frame them.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::MIN_SECRET_BYTES;

/// Every form of `secret`: as it is, its lines, and both of them encoded.
pub(crate) fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for text in texts(secret) {
        forms.extend(json(&text));
        forms.extend(url(&text));
        forms.extend(base64(&text));
        forms.push(hex::encode(&text).into_bytes());
        forms.push(hex::encode_upper(&text).into_bytes());
        forms.push(text);
    }
    forms
}

/// The secret, without the line end that `$(cat file)` and an editor disagree about, and each of its lines.
fn texts(secret: &[u8]) -> Vec<Vec<u8>> {
    let whole = secret.trim_ascii();
    let mut texts = vec![whole.to_vec()];
    let lines = whole
        .split(|byte| matches!(byte, b'\n' | b'\r'))
        .map(<[u8]>::trim_ascii);
    texts.extend(lines.filter(|line| *line != whole).map(<[u8]>::to_vec));
    texts.retain(|text| text.len() >= MIN_SECRET_BYTES);
    texts
}

/// How deep a JSON string may lie inside of JSON strings: the log of a conversation holds a message, which holds the
/// arguments of a tool, which hold what the tool was to write.
const JSON_DEPTH: usize = 4;

/// Inside a JSON string, and inside one that is itself inside a JSON string; with the solidus escaped as PHP does,
/// and with everything beyond ASCII escaped as Python does.
fn json(text: &[u8]) -> Vec<Vec<u8>> {
    let Ok(text) = std::str::from_utf8(text) else {
        return Vec::new();
    };
    let mut forms = vec![escaped(text).replace('/', "\\/")];
    let (mut plain, mut ascii) = (text.to_owned(), text.to_owned());
    for _ in 0..JSON_DEPTH {
        plain = escaped(&plain);
        ascii = ascii_only(&escaped(&ascii));
        forms.extend([plain.clone(), ascii.clone()]);
    }
    forms.into_iter().map(String::into_bytes).collect()
}

fn escaped(text: &str) -> String {
    let quoted = serde_json::to_string(text).expect("a text can be written as JSON");
    quoted[1..quoted.len() - 1].to_owned()
}

fn ascii_only(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii() {
            out.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                write!(out, "\\u{unit:04x}").expect("writing to a text cannot fail");
            }
        }
    }
    out
}

/// What encoders of URLs leave as it is beside letters and digits: RFC 3986, `encodeURIComponent` of JavaScript,
/// `quote` of Python, `encodeURI` of JavaScript, HTML forms.
const LEFT_ALONE: [&[u8]; 5] = [
    b"-._~",
    b"-._~!'()*",
    b"-._~/",
    b"-._~!'()*;,/?:@&=+$#",
    b"-._* ",
];

fn url(text: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for left_alone in LEFT_ALONE {
        for digits in [b"0123456789ABCDEF", b"0123456789abcdef"] {
            forms.push(percent_encoded(text, left_alone, digits));
        }
    }
    forms
}

fn percent_encoded(text: &[u8], left_alone: &[u8], digits: &[u8; 16]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for &byte in text {
        if byte.is_ascii_alphanumeric() || left_alone.contains(&byte) {
            // Only forms leave spaces alone, and they write them as a plus sign.
            out.push(if byte == b' ' { b'+' } else { byte });
        } else {
            let digit = |nibble: u8| digits[usize::from(nibble)];
            out.extend([b'%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    out
}

/// The characters of Base64 that depend on the secret alone, whatever stands before and after it.
///
/// Three bytes become four characters, so there are three ways for a secret to be aligned in what is encoded
/// (`user:secret` of HTTP's basic authentication). A character at either end that also holds bits of a neighbour is
/// left out: it gives away four bits at most.
fn base64(text: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for before in 0..3 {
        let mut bytes = vec![0; before];
        bytes.extend(text);
        let first = (before * 8).div_ceil(6);
        let end = bytes.len() * 8 / 6;
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            forms.push(engine.encode(&bytes).as_bytes()[first..end].to_vec());
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(secret: &str, form: &str) -> bool {
        forms(secret.as_bytes()).contains(&form.as_bytes().to_vec())
    }

    #[test]
    fn c4_a_secret_is_known_in_every_encoding() {
        for form in [
            "pä \"s/w+d?",
            r#"pä \"s/w+d?"#,
            r#"pä \\\"s/w+d?"#,
            r#"pä \"s\/w+d?"#,
            r#"p\u00e4 \"s/w+d?"#,
            "p%C3%A4%20%22s%2Fw%2Bd%3F",
            "p%c3%a4%20%22s%2fw%2bd%3f",
            "p%C3%A4%20%22s/w%2Bd%3F",
            "p%C3%A4+%22s%2Fw%2Bd%3F",
            "70c3a42022732f772b643f",
            "70C3A42022732F772B643F",
        ] {
            assert!(has("pä \"s/w+d?", form), "{form}");
        }
    }

    #[test]
    fn c4_the_middle_of_base64_is_known_at_every_alignment() {
        let secret = "sk-a?b>c~d\u{7f}e";
        for before in ["", "u", "u:", "us:", "user:"] {
            for after in ["", "\n", "xy"] {
                let whole = format!("{before}{secret}{after}");
                for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
                    let encoded = engine.encode(&whole);
                    let found = base64(secret.as_bytes())
                        .into_iter()
                        .any(|form| encoded.as_bytes().windows(form.len()).any(|w| w == form));
                    assert!(found, "{whole:?} as {encoded}");
                }
            }
        }
    }

    #[test]
    fn c4_a_secret_of_several_lines_is_known_by_each_of_them() {
        let pem =
            "-----BEGIN KEY-----\nMIIEvQIBADANBg\r\n  kqhkiG9w0BAQEF\nabc=\n-----END KEY-----\n";
        assert!(has(pem, "MIIEvQIBADANBg"));
        assert!(has(pem, "kqhkiG9w0BAQEF"));
        assert!(has(pem, pem.trim_end()));
        assert!(!has(pem, "abc="), "shorter than what is ever masked");
    }

    #[test]
    fn what_is_too_short_has_no_form() {
        assert!(forms(b"").is_empty());
        assert!(forms(b"12345\n").is_empty());
        assert!(
            forms(b" \n a\nb\nc\nd ")
                .iter()
                .all(|form| !form.is_empty())
        );
    }
}
