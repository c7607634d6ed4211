//! Cuts text that a service sent down to what is kept and what is shown.

/// How much of an answer is kept as evidence.
pub const MAX_EXCERPT_BYTES: usize = 2 * 1024;

/// How much of it a message shows.
const SHOWN_CHARS: usize = 300;

/// The start of `text`, at most [`MAX_EXCERPT_BYTES`], cut at a character.
pub(crate) fn excerpt(text: &str) -> String {
    text[..text.floor_char_boundary(MAX_EXCERPT_BYTES)].to_owned()
}

/// `text` as part of a message: one line, without control characters (a terminal would obey them),
/// and of a length that a person reads.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::new();
    for (at, c) in words(text).enumerate() {
        if at == SHOWN_CHARS {
            line.push('…');
            break;
        }
        line.push(c);
    }
    line
}

/// The characters of `text` with every run of white space and control characters as one space, and
/// none at the ends.
fn words(text: &str) -> impl Iterator<Item = char> {
    text.split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .enumerate()
        .flat_map(|(at, word)| (at > 0).then_some(' ').into_iter().chain(word.chars()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_cut_at_a_character() {
        let long = "ä".repeat(5_000);
        assert_eq!(excerpt(&long).len(), MAX_EXCERPT_BYTES);
        assert_eq!(excerpt(&format!("x{long}")).len(), MAX_EXCERPT_BYTES - 1);
        assert_eq!(excerpt("short"), "short");
    }

    #[test]
    fn a_message_is_one_line_that_no_terminal_obeys() {
        assert_eq!(
            one_line("\n a\t\tb\r\n\u{1b}[31mred\u{7}\u{85}end \n"),
            "a b [31mred end"
        );
        assert_eq!(one_line(" \n"), "");
        let long = one_line(&"ä ".repeat(500));
        assert_eq!(
            (long.chars().count(), long.ends_with('…')),
            (SHOWN_CHARS + 1, true)
        );
        assert_eq!(one_line(&"x".repeat(SHOWN_CHARS)).len(), SHOWN_CHARS);
    }
}
