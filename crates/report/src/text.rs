//! How numbers, durations and names are written for people. Files for machines do not use it.

use std::fmt::Write;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// A share as a percentage with one digit: `62.4 %`.
pub fn percent(share: f64) -> String {
    format!("{} %", points(share))
}

/// A share as percentage points with one digit and no unit: `62.4`.
///
/// Only an exact 0 or 1 is shown as `0.0` or `100.0`: 1999 passed of 2000 is not everything.
pub fn points(share: f64) -> String {
    let points = share * 100.0;
    let shown = if share > 0.0 && share < 1.0 {
        points.clamp(0.1, 99.9)
    } else {
        points
    };
    format!("{shown:.1}")
}

/// A score with three digits at most and no trailing zeros: `0.625`, `1`.
pub fn score(value: f64) -> String {
    let fixed = format!("{value:.3}");
    fixed.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A duration with two units at most: `350 ms`, `4.2 s`, `3 min 12 s`, `2 h 05 min`.
pub fn duration(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match milliseconds {
        0..1_000 => format!("{milliseconds} ms"),
        1_000..60_000 => format!("{seconds}.{} s", milliseconds % 1000 / 100),
        60_000..3_600_000 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// A count with thin groups of three: `12 345`.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

/// US dollars: cents, or four digits below ten cents, where cents would hide the difference.
pub fn dollars(value: f64) -> String {
    if value != 0.0 && value.abs() < 0.1 {
        format!("${value:.4}")
    } else {
        format!("${value:.2}")
    }
}

/// `1 trial`, `2 trials`.
pub fn plural(number: usize, one: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {one}{ending}")
}

/// A text as one word of a POSIX shell, on one line whatever it holds.
pub fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(is_plain) {
        return text.to_owned();
    }
    if !text.chars().any(is_unprintable) {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    let mut quoted = String::from("$'");
    for c in text.chars() {
        match c {
            '\\' => quoted.push_str(r"\\"),
            '\'' => quoted.push_str(r"\'"),
            '\n' => quoted.push_str(r"\n"),
            '\t' => quoted.push_str(r"\t"),
            '\r' => quoted.push_str(r"\r"),
            c if is_unprintable(c) => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    write!(quoted, "\\x{byte:02x}").expect("writing to memory does not fail");
                }
            }
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

/// The first `limit` characters of a text, with `…` if there were more.
pub fn shorten(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A name on one line, as different from other names as it is: what would act, reorder or stay invisible is shown as `\u{…}`.
pub fn name(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unprintable(c) || is_invisible(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Characters without a width of their own that no emoji needs: soft hyphen, zero-width space, word joiner.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{115f}' | '\u{1160}' | '\u{3164}'
    )
}

/// How many columns of a terminal a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// A text in exactly `columns` columns: padded, or cut with `…`.
pub fn fit(text: &str, columns: usize) -> String {
    let missing = columns.saturating_sub(width(text));
    if width(text) <= columns {
        return format!("{text}{}", " ".repeat(missing));
    }
    let mut cut = String::new();
    let mut taken = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        // The last column is for the mark.
        if taken + wide >= columns {
            break;
        }
        taken += wide;
        cut.push(c);
    }
    let padding = columns.saturating_sub(taken + 1);
    format!("{cut}…{}", " ".repeat(padding))
}

/// Control characters, and the marks that turn the direction of what stands around them (CVE-2021-42574).
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'
                | '\u{2029}'
                | '\u{feff}'
                | '\u{fffe}'
                | '\u{ffff}'
        )
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text in its lines, in which every character that acts instead of showing is a `�`.
pub fn visible(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' | '\t' => c,
        c if is_unprintable(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.chars().map(shown).collect()
}

/// A text on one line without characters that act instead of showing: each becomes a space or `�`.
pub fn one_line(text: &str) -> String {
    let shown: String = text
        .chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            c if is_unprintable(c) => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect();
    shown.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn almost_everything_is_not_everything() {
        assert_eq!(percent(1.0), "100.0 %");
        assert_eq!(percent(1999.0 / 2000.0), "99.9 %");
        assert_eq!(percent(1.0 / 20_000.0), "0.1 %");
        assert_eq!(percent(0.0), "0.0 %");
        assert_eq!(points(0.624), "62.4");
    }

    #[test]
    fn durations_have_two_units() {
        let shown = [999, 1_000, 59_999, 60_000, 192_400, 7_500_000].map(duration);
        assert_eq!(
            shown,
            [
                "999 ms",
                "1.0 s",
                "59.9 s",
                "1 min 00 s",
                "3 min 12 s",
                "2 h 05 min"
            ]
        );
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [1.0, 0.0, 0.625, 0.3333].map(score),
            ["1", "0", "0.625", "0.333"]
        );
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(count(999), "999");
        assert_eq!(
            [0.0, 0.0123, 12.345].map(dollars),
            ["$0.00", "$0.0123", "$12.35"]
        );
    }

    #[test]
    fn c7_shell_words_are_one_word_on_one_line() {
        for (text, want) in [
            ("crm-1", "crm-1"),
            ("", "''"),
            ("-rf", "'-rf'"),
            ("a b", "'a b'"),
            ("it's $HOME", r"'it'\''s $HOME'"),
            ("a\nb", r"$'a\nb'"),
            ("\u{202e}x", r"$'\xe2\x80\xaex'"),
        ] {
            assert_eq!(shell_word(text), want);
        }
    }

    #[test]
    fn p8_a_name_shows_what_a_terminal_would_hide_or_reorder() {
        assert_eq!(name("\u{202e}gnp.exe"), r"\u{202e}gnp.exe");
        assert_eq!(name("a\u{200b}b\u{ad}\n"), r"a\u{200b}b\u{ad}\u{a}");
        for shown_as_it_is in ["crm-1", "é", "e\u{301}", "名前", "👩\u{200d}🔬"] {
            assert_eq!(name(shown_as_it_is), shown_as_it_is);
        }
    }

    #[test]
    fn p8_columns_are_filled_and_cut_by_width() {
        assert_eq!(fit("ab", 4), "ab  ");
        assert_eq!(fit("abcd", 4), "abcd");
        assert_eq!(fit("abcde", 4), "abc…");
        assert_eq!(fit("名前名前", 8), "名前名前");
        assert_eq!(fit("名前名前", 6), "名前… ");
        assert_eq!(fit("🦀🦀🦀", 4), "🦀… ");
        assert_eq!(fit("e\u{301}e\u{301}", 3), "e\u{301}e\u{301} ");
        let wide = "\u{fdfd}".repeat(200);
        assert!(width(&fit(&wide, 48)) <= 48);
    }

    #[test]
    fn c7_p8_one_line_holds_nothing_that_acts() {
        assert_eq!(
            one_line("a\nb\0c\u{202e}d\x1b[31m "),
            "a b\u{fffd}c\u{fffd}d\u{fffd}[31m"
        );
        assert_eq!(visible("a\nb\0c\u{202e}"), "a\nb\u{fffd}c\u{fffd}");
        assert_eq!(shorten("äöü", 2), "äö…");
        assert_eq!(shorten("äö", 2), "äö");
    }
}
