//! Cutting text by the room that it takes inside a JSON string.

/// The bytes that a text takes inside a JSON string, without the quotes.
pub(super) fn encoded_len(text: &str) -> usize {
    text.chars().map(encoded_char_len).sum()
}

/// The longest beginning of a text that takes no more than so many bytes inside a JSON string.
pub(super) fn cut(text: &str, limit_bytes: usize) -> &str {
    let mut taken = 0;
    for (at, c) in text.char_indices() {
        taken += encoded_char_len(c);
        if taken > limit_bytes {
            return text.get(..at).unwrap_or_default();
        }
    }
    text
}

/// As `serde_json` writes it: what RFC 8259, section 7 does not demand to be escaped is not.
fn encoded_char_len(c: char) -> usize {
    match c {
        '"' | '\\' | '\u{8}' | '\u{c}' | '\n' | '\r' | '\t' => 2,
        '\0'..='\u{1f}' => 6,
        _ => c.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("aé😀", 7), "aé😀");
        assert_eq!(cut("aé😀", 6), "aé");
        assert_eq!(cut("aé😀", 2), "a");
        assert_eq!(cut("aé😀", 0), "");
        assert_eq!(cut("\u{1}b", 6), "\u{1}");
        assert_eq!(cut("\u{1}b", 5), "");
    }

    proptest! {
        #[test]
        fn a_text_takes_the_room_that_serde_json_gives_it(text in any::<String>()) {
            let encoded = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(encoded_len(&text), encoded.len() - 2);
        }
    }
}
