//! Encoded words (RFC 2047) that are cut in the wrong place.

use std::borrow::Cow;

/// One `=?charset?encoding?content?=`, and what follows it.
struct Word<'a> {
    charset: &'a str,
    encoding: char,
    content: &'a str,
    rest: &'a str,
}

impl<'a> Word<'a> {
    /// The word that a text begins with.
    fn at(text: &'a str) -> Option<Self> {
        let (charset, rest) = text.strip_prefix("=?")?.split_once('?')?;
        let encoding = rest.chars().next().map(|c| c.to_ascii_uppercase())?;
        let (content, rest) = rest.get(1..)?.strip_prefix('?')?.split_once("?=")?;
        matches!(encoding, 'B' | 'Q').then_some(Self {
            charset,
            encoding,
            content,
            rest,
        })
    }

    /// Whether the content of this word goes on after what was collected of the ones before it.
    fn continues(&self, first: &Self, collected: &str) -> bool {
        self.encoding == first.encoding
            && self.charset.eq_ignore_ascii_case(first.charset)
            && match self.encoding {
                // Only whole groups of base64 can be followed by more.
                'B' => collected.len().is_multiple_of(4) && !collected.ends_with('='),
                _ => true,
            }
    }
}

/// The same text with neighbouring words of one charset and encoding made one.
///
/// A word must hold whole characters (RFC 2047, section 5), yet many mailers cut between the bytes
/// of one. Decoded apart, such halves are two U+FFFD; every mail program puts them together.
pub(super) fn joined(text: &str) -> Cow<'_, str> {
    if !text.contains("=?") {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("=?") {
        let (before, from_word) = rest.split_at(start);
        out.push_str(before);
        let Some(word) = Word::at(from_word) else {
            let (mark, after) = from_word.split_at("=?".len());
            out.push_str(mark);
            rest = after;
            continue;
        };
        let mut content = word.content.to_owned();
        rest = word.rest;
        while let Some(next) = Word::at(rest.trim_start()) {
            if !next.continues(&word, &content) {
                break;
            }
            content.push_str(next.content);
            rest = next.rest;
        }
        let Word {
            charset, encoding, ..
        } = word;
        out.push_str(&format!("=?{charset}?{encoding}?{content}?="));
    }
    out.push_str(rest);
    out.into()
}

#[cfg(test)]
mod tests {
    use super::joined;

    #[test]
    fn words_that_belong_together_become_one() {
        for (text, expected) in [
            (
                "=?utf-8?Q?J=C3?= =?UTF-8?q?=BCrgen?= x",
                "=?utf-8?Q?J=C3=BCrgen?= x",
            ),
            (
                "=?utf-8?B?SsO8?=  =?utf-8?B?cmdlbg==?=",
                "=?utf-8?B?SsO8cmdlbg==?=",
            ),
            ("a =?x?Q?b?==?x?Q?c?=", "a =?x?Q?bc?="),
        ] {
            assert_eq!(joined(text), expected);
        }
    }

    #[test]
    fn all_else_stays_as_it_is() {
        for text in [
            "plain",
            "=?utf-8?Q?a?= =?iso-8859-1?Q?b?=",
            "=?utf-8?Q?a?= =?utf-8?B?YQ==?=",
            "=?utf-8?B?YQ==?= =?utf-8?B?YQ==?=",
            "=?utf-8?Q?a?= and =?utf-8?Q?b?=",
            "=?utf-8?X?a?= =?utf-8?X?b?=",
            "=?=?=?",
            "=?utf-8?Q?never ends",
            "=?utf-8?\u{fc}?a?=",
        ] {
            assert_eq!(joined(text), text);
        }
    }
}
