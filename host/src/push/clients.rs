//! Which clients may be notified.

/// Whether one of the patterns covers the client's name. In a pattern `*` stands for any
/// characters, also none; everything else, letter case included, stands for itself.
///
/// The patterns are those of `com.openexchange.push.allowedClient`.
pub fn is_allowed<P: AsRef<str>>(patterns: &[P], client: &str) -> bool {
    patterns
        .iter()
        .any(|pattern| covers(pattern.as_ref(), client))
}

fn covers(pattern: &str, text: &str) -> bool {
    let Some((beginning, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(beginning) else {
        return false;
    };
    let (between, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in between.split('*') {
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    text.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_cover_the_apps_and_every_facade() {
        let patterns = ["open-xchange-mailapp", "open-xchange-mobile-api-facade*"];
        for client in [
            "open-xchange-mailapp",
            "open-xchange-mobile-api-facade",
            "open-xchange-mobile-api-facade-com.example",
        ] {
            assert!(is_allowed(&patterns, client), "{client}");
        }
        for client in [
            "",
            "open-xchange-mailapp2",
            "Open-Xchange-Mailapp",
            "x-open-xchange-mobile-api-facade",
            "open-xchange-mobile-api",
        ] {
            assert!(!is_allowed(&patterns, client), "{client}");
        }
    }

    #[test]
    fn a_star_stands_for_any_characters_anywhere() {
        for (pattern, client, expected) in [
            ("*", "", true),
            ("*", "anything", true),
            ("**", "anything", true),
            ("a*c", "ac", true),
            ("a*c", "abbc", true),
            ("a*c", "abcb", false),
            ("a*a", "a", false),
            ("*app", "mailapp", true),
            ("*app", "mailapp2", false),
            ("a*b*c", "axbxc", true),
            ("a*b*c", "axc", false),
            ("a*bc*c", "abc", false),
            ("a.c", "abc", false),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(
                is_allowed(&[pattern], client),
                expected,
                "{pattern} {client}"
            );
        }
        assert!(!is_allowed::<&str>(&[], "anything"));
    }
}
