//! What is written to standard output.

use std::io::Write;

use serde::Serialize;

use super::failure::Failure;
use super::table::Table;

/// The form in which answers are written.
pub(super) struct Output {
    json: bool,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Writes an answer: as it came, or as `text` says it to people.
    pub(super) fn answer<T: Serialize>(
        &self,
        answer: &T,
        text: impl FnOnce(&T) -> String,
    ) -> Result<(), Failure> {
        if !self.json {
            return write(&text(answer));
        }
        let json = serde_json::to_string_pretty(answer);
        let json =
            json.map_err(|error| Failure::Refused(format!("the answer has no JSON: {error}")))?;
        write(&format!("{json}\n"))
    }

    /// Writes one line of an answer that goes on: a JSON object, or what `text` makes of it.
    pub(super) fn line<T: Serialize>(
        &self,
        told: &T,
        text: impl FnOnce(&T) -> String,
    ) -> Result<(), Failure> {
        let line = if self.json {
            let json = serde_json::to_string(told);
            json.map_err(|error| Failure::Refused(format!("the answer has no JSON: {error}")))?
        } else {
            one_line(&text(told))
        };
        write(&format!("{line}\n"))
    }
}

fn write(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// The text on one line, without what a terminal would obey: much of what is shown comes from
/// mails and from plugins.
pub(super) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.trim_end().chars() {
        match c {
            '\n' | '\t' => line.push(' '),
            '\r' => {}
            c if is_harmless(c) => line.push(c),
            c => line.extend(c.escape_unicode()),
        }
    }
    line
}

/// Neither a control character nor one that turns the direction of writing.
fn is_harmless(c: char) -> bool {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !c.is_control() && !turns
}

/// Names and values, one a line, the values below each other. What has no value is left out.
pub(super) fn facts<const N: usize>(facts: [(&str, Option<String>); N]) -> String {
    let mut table = Table::bare();
    for (name, value) in facts {
        if let Some(value) = value {
            table.row([name.to_owned(), value]);
        }
    }
    table.to_string()
}

/// The time since then, roughly: `42s`, `5m`, `3h`, `12d`.
pub(super) fn age(then_ms: i64) -> String {
    span(crate::http::admin::now_ms() - then_ms)
}

/// A span of milliseconds, roughly; what is past is `0s`.
pub(super) fn span(ms: i64) -> String {
    match ms.max(0) / 1_000 {
        seconds @ ..60 => format!("{seconds}s"),
        seconds @ ..3_600 => format!("{}m", seconds / 60),
        seconds @ ..86_400 => format!("{}h", seconds / 3_600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_on_its_line_and_steers_no_terminal() {
        assert_eq!(one_line("a\r\nb\tc\n"), "a b c");
        assert_eq!(one_line("\u{1b}[2J"), "\\u{1b}[2J");
        assert_eq!(one_line("abc\u{202e}def"), "abc\\u{202e}def");
        assert_eq!(one_line("Ä€中"), "Ä€中");
    }

    #[test]
    fn spans_are_said_in_their_largest_unit() {
        assert_eq!(span(-5), "0s");
        assert_eq!(span(59_999), "59s");
        assert_eq!(span(60_000), "1m");
        assert_eq!(span(7_200_000), "2h");
        assert_eq!(span(172_800_000), "2d");
    }
}
