//! Java's properties syntax, by the documentation of `java.util.Properties.load` (Java SE 17).
//!
//! The crate `java-properties` 2.0 was turned down: it loses a last line that ends in a backslash,
//! refuses comments that hold `\u` and surrogate pairs such as `\uD83D\uDE00`, takes `\u+041` for
//! an escape, and eats no-break spaces at the start of continuation lines.

use std::borrow::Cow;
use std::str::Chars;
use std::sync::Arc;

use super::entry::{Entry, ParseError, Place};
use lines::{LogicalLine, LogicalLines};

mod lines;
#[cfg(test)]
mod tests;

/// Reads a file in Java's properties syntax; `file` is its name in places and errors.
///
/// Bytes that are not UTF-8 as a whole are taken for ISO-8859-1, as `PropertyResourceBundle` does
/// since Java 9; a byte order mark is skipped. A name may come more than once, and may be empty
/// (a line that begins with its separator): that is for the caller to judge.
///
/// # Errors
///
/// A `\u` without four hexadecimal digits after it, or with half of a surrogate pair.
pub fn parse_properties(bytes: &[u8], file: &str) -> Result<Vec<Entry>, ParseError> {
    let text = decode(bytes);
    let file: Arc<str> = file.into();
    let mut entries = Vec::new();
    for line in LogicalLines::new(&text) {
        let (key_end, value_start) = split(line.text.as_bytes());
        let unescape = |from, to| {
            line.unescape(from, to).map_err(|fault| ParseError {
                place: Place::new(&file, line.number_at(fault.at)),
                what: fault.what.to_owned(),
            })
        };
        entries.push(Entry {
            key: unescape(0, key_end)?,
            value: unescape(value_start, line.text.len())?,
            place: Place::new(&file, line.number),
        });
    }
    Ok(entries)
}

fn decode(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Err(_) => Cow::Owned(bytes.iter().copied().map(char::from).collect()),
    }
}

/// Where the name ends and where the value begins, in bytes. All that separates is ASCII, so no
/// byte inside a longer character is taken for it.
fn split(line: &[u8]) -> (usize, usize) {
    let separates = |byte| matches!(byte, b'=' | b':');
    let blank = |byte| matches!(byte, b' ' | b'\t' | b'\x0c');
    let mut escaped = false;
    let key_end = line
        .iter()
        .position(|&byte| {
            let ends = !escaped && (separates(byte) || blank(byte));
            escaped = byte == b'\\' && !escaped;
            ends
        })
        .unwrap_or(line.len());
    let mut separated = false;
    let skipped = line[key_end..]
        .iter()
        .take_while(|&&byte| {
            let separator = !separated && separates(byte);
            separated |= separator;
            separator || blank(byte)
        })
        .count();
    (key_end, key_end + skipped)
}

/// What is wrong with an escape, and the offset of its backslash.
struct EscapeFault {
    at: usize,
    what: &'static str,
}

impl LogicalLine {
    fn unescape(&self, from: usize, to: usize) -> Result<String, EscapeFault> {
        let mut out = String::with_capacity(to - from);
        let mut rest = self.text[from..to].chars();
        loop {
            let at = to - rest.as_str().len();
            match rest.next() {
                Some('\\') => match rest.next() {
                    Some('t') => out.push('\t'),
                    Some('n') => out.push('\n'),
                    Some('r') => out.push('\r'),
                    Some('f') => out.push('\x0c'),
                    Some('u') => match unicode_escape(&mut rest) {
                        Ok(character) => out.push(character),
                        Err(what) => return Err(EscapeFault { at, what }),
                    },
                    Some(other) => out.push(other),
                    None => {}
                },
                Some(literal) => out.push(literal),
                None => return Ok(out),
            }
        }
    }
}

/// What follows `\u`. It writes UTF-16: characters beyond the basic plane are two escapes in a row.
fn unicode_escape(rest: &mut Chars<'_>) -> Result<char, &'static str> {
    let unit = hexadecimal(rest).ok_or(
        "\\u needs four hexadecimal digits after it; write \\\\u for a backslash and a letter u",
    )?;
    let is_high_surrogate = (0xd800..0xdc00).contains(&unit);
    let low = if is_high_surrogate && rest.as_str().starts_with("\\u") {
        rest.nth(1);
        hexadecimal(rest)
    } else {
        None
    };
    char::decode_utf16([unit].into_iter().chain(low))
        .next()
        .and_then(Result::ok)
        .ok_or(
            "this is half of a surrogate pair; write the character as two \\u escapes in a row, \
             or as itself in UTF-8",
        )
}

fn hexadecimal(rest: &mut Chars<'_>) -> Option<u16> {
    let digits = rest.as_str().get(..4)?;
    // `from_str_radix` also takes a sign.
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    rest.nth(3);
    u16::from_str_radix(digits, 16).ok()
}
