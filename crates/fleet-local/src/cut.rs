//! Texts that are too long lose their middle: how it began and how it ended says most.

/// At most `most` bytes of the text, with a note in place of what is left out.
pub(crate) fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let note = format!(
        "\n[… {} bytes in all, the middle is left out …]\n",
        text.len()
    );
    let Some(room) = most.checked_sub(note.len()) else {
        return text[..text.floor_char_boundary(most)].to_owned();
    };
    let head = text.floor_char_boundary(room / 3);
    let tail = text.ceil_char_boundary(text.len() - (room - room / 3));
    format!("{}{note}{}", &text[..head], &text[tail..])
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn the_middle_is_left_out_and_the_limit_is_held() {
        assert_eq!(cut("short", 5), "short");
        let long = format!("begin{}end", "ä".repeat(500));
        for most in [0, 1, 10, 60, 61, 62, 63, 100, 500] {
            let text = cut(&long, most);
            assert!(text.len() <= most, "{most}: {}", text.len());
        }
        let text = cut(&long, 100);
        assert!(text.starts_with("begin") && text.ends_with("end"), "{text}");
        assert!(text.contains("1008 bytes in all"), "{text}");
    }
}
