//! Which characters may be shown.

/// Zero-width joiner and non-joiner: they make one emoji of several, and shape Persian and Hindi.
const JOINERS: [char; 2] = ['\u{200c}', '\u{200d}'];

/// One line of text that shows what it is: white space and control characters are single spaces,
/// what turns or hides its neighbours is gone, and no more than `max_bytes` are left, cut between
/// characters. `None` where nothing can be seen.
pub(super) fn harmless(text: &str, max_bytes: usize) -> Option<String> {
    let mut line = String::new();
    let mut gap = false;
    for c in text.chars() {
        if is_deceptive(c) {
            continue;
        }
        // Line and paragraph separators, U+2028 and U+2029, are white space.
        if c.is_whitespace() || c.is_control() {
            gap = !line.is_empty();
            continue;
        }
        if line.len() + usize::from(gap) + c.len_utf8() > max_bytes {
            break;
        }
        if gap {
            line.push(' ');
            gap = false;
        }
        line.push(c);
    }
    line.chars().any(is_visible).then_some(line)
}

/// Whether a character, itself unseen, changes how others look or hides what a text is.
pub(super) fn is_deceptive(c: char) -> bool {
    matches!(c,
        // Direction: marks, embeddings, overrides, isolates (Unicode Standard Annex 9).
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        // Invisible: soft hyphen, Mongolian vowel separator, zero-width space, word joiner,
        // invisible operators, deprecated format characters, byte order mark, annotations, beams.
        | '\u{ad}' | '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}'
        // Letters that are blank: Hangul fillers.
        | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}'
        // Tags and supplementary variation selectors, in which whole texts can be hidden.
        | '\u{e0000}'..='\u{e0fff}')
}

fn is_visible(c: char) -> bool {
    !JOINERS.contains(&c) && !matches!(c, '\u{fe00}'..='\u{fe0f}')
}

#[cfg(test)]
mod tests {
    use super::harmless;

    fn shown(text: &str) -> Option<String> {
        harmless(text, 100)
    }

    #[test]
    fn white_space_and_control_characters_become_single_spaces() {
        assert_eq!(
            shown(" a\t\t b\r\n c\u{1b}\u{7}d\u{85}\u{7f} ").unwrap(),
            "a b c d"
        );
        assert_eq!(
            shown("a\u{2028}b\u{2029}c\u{a0}\u{3000}d\u{9b}31me").unwrap(),
            "a b c d 31me"
        );
    }

    #[test]
    fn a_text_cannot_be_turned_around_or_hidden() {
        assert_eq!(
            shown("\u{202e}fdp.exe\u{2069}\u{61c}\u{200f}").unwrap(),
            "fdp.exe"
        );
        assert_eq!(
            shown("pay\u{200b}pal\u{ad}\u{feff}\u{2060}").unwrap(),
            "paypal"
        );
        assert_eq!(
            shown("a\u{e0041}\u{e0042}\u{e007f}\u{e0100}b").unwrap(),
            "ab"
        );
    }

    #[test]
    fn emoji_and_scripts_that_need_joiners_keep_them() {
        for text in [
            "Party 🎉👩‍👩‍👧",
            "\u{645}\u{6cc}\u{200c}\u{62e}\u{648}\u{627}\u{647}\u{645}",
            "\u{915}\u{94d}\u{200d}\u{937}",
            "\u{2764}\u{fe0f} שלום",
        ] {
            assert_eq!(shown(text).as_deref(), Some(text));
        }
    }

    #[test]
    fn what_cannot_be_seen_is_nothing() {
        for text in [
            "",
            "  \r\n",
            "\u{202e}\u{200b}",
            "\u{200d}\u{fe0f}",
            "\u{3164}",
            "\u{0}",
        ] {
            assert_eq!(shown(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters_and_without_a_space_at_its_end() {
        assert_eq!(harmless("ab\u{fc}", 3).unwrap(), "ab");
        assert_eq!(harmless("ab\u{fc}", 4).unwrap(), "ab\u{fc}");
        assert_eq!(harmless("ab c", 3).unwrap(), "ab");
        assert_eq!(harmless("\u{fc}", 1), None);
    }
}
