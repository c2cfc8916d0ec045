//! Comments, blank lines and continuations.

use std::iter::Peekable;
use std::str::Chars;

/// Natural lines, joined where one ends in a backslash that is not itself escaped.
pub(super) struct LogicalLine {
    pub(super) text: String,
    /// The number of the natural line that it begins on.
    pub(super) number: usize,
    /// Offsets in `text` from which on it stands on a later line, with that line's number.
    joins: Vec<(usize, usize)>,
}

impl LogicalLine {
    /// The number of the natural line that this offset of `text` stands on.
    pub(super) fn number_at(&self, offset: usize) -> usize {
        let join = self.joins.iter().rev().find(|join| join.0 <= offset);
        join.map_or(self.number, |join| join.1)
    }
}

pub(super) struct LogicalLines<'a> {
    rest: Peekable<Chars<'a>>,
    number: usize,
}

impl<'a> LogicalLines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            rest: text.chars().peekable(),
            number: 1,
        }
    }

    /// The next character, with each of the three line endings as `\n`.
    fn character(&mut self) -> Option<char> {
        let character = self.rest.next()?;
        if character == '\r' {
            self.rest.next_if_eq(&'\n');
        }
        if !matches!(character, '\r' | '\n') {
            return Some(character);
        }
        self.number += 1;
        Some('\n')
    }

    fn skip_comment(&mut self) {
        while self.character().is_some_and(|character| character != '\n') {}
    }
}

impl Iterator for LogicalLines<'_> {
    type Item = LogicalLine;

    fn next(&mut self) -> Option<LogicalLine> {
        let mut line = LogicalLine {
            text: String::new(),
            number: self.number,
            joins: Vec::new(),
        };
        let mut indentation = true;
        let mut escaped = false;
        loop {
            let number = self.number;
            let Some(character) = self.character() else {
                // A backslash before the end of the file continues on nothing.
                if escaped {
                    line.text.pop();
                }
                return (!line.text.is_empty()).then_some(line);
            };
            if indentation {
                if matches!(character, ' ' | '\t' | '\x0c') {
                    continue;
                }
                indentation = false;
            }
            match character {
                '\n' if escaped => {
                    line.text.pop();
                    line.joins.push((line.text.len(), self.number));
                    (indentation, escaped) = (true, false);
                }
                // A blank line is skipped, but ends the line that was to be continued by it.
                '\n' if line.text.is_empty() => indentation = true,
                '\n' => return Some(line),
                '#' | '!' if line.text.is_empty() => {
                    self.skip_comment();
                    indentation = true;
                }
                _ => {
                    if line.text.is_empty() {
                        line.number = number;
                        line.joins.clear();
                    }
                    line.text.push(character);
                    escaped = character == '\\' && !escaped;
                }
            }
        }
    }
}
