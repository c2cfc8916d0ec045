//! TOML as another way of writing properties: tables and dotted keys become dotted names.

use std::sync::Arc;

use toml_edit::{Document, InlineTable, Item, Key, Table, Value};

use super::entry::{Entry, ParseError, Place};
use super::list;

#[cfg(test)]
mod tests;

/// Reads a TOML file; `file` is its name in places and errors. The entries come in the order of
/// their lines.
///
/// Texts, numbers, truth values and dates become their text, arrays of them comma lists
/// ([`Kind::List`](super::Kind::List)). A quoted key may hold dots: `"a.b" = 1` and `a.b = 1` are the same name, and
/// a file with both names it twice.
///
/// # Errors
///
/// Not UTF-8, not TOML 1.0, or something that no property can hold: an array of tables, or an
/// array or table inside an array.
pub fn parse_toml(bytes: &[u8], file: &str) -> Result<Vec<Entry>, ParseError> {
    let lines = Lines::new(bytes, file);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        lines.error(
            error.valid_up_to(),
            "this is not UTF-8, which TOML is always written in; save the file as UTF-8",
        )
    })?;
    let document = Document::parse(text).map_err(|error| {
        // Without a span the fault is that something is missing at the end.
        let at = error.span().map_or(text.len(), |span| span.start);
        lines.error(at, format_args!("this is not TOML: {}", error.message()))
    })?;
    let mut entries = Vec::new();
    lines.table("", document.as_table(), &mut entries)?;
    entries.sort_by_key(|entry| entry.place.line());
    Ok(entries)
}

/// Turns offsets into places.
struct Lines {
    file: Arc<str>,
    /// Offsets just behind each line break.
    starts: Vec<usize>,
}

impl Lines {
    fn new(bytes: &[u8], file: &str) -> Self {
        let breaks = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        Self {
            file: file.into(),
            starts: breaks.map(|(at, _)| at + 1).collect(),
        }
    }

    fn place(&self, offset: usize) -> Place {
        let before = self.starts.partition_point(|start| *start <= offset);
        Place::new(&self.file, before + 1)
    }

    fn error(&self, offset: usize, what: impl std::fmt::Display) -> ParseError {
        ParseError {
            place: self.place(offset),
            what: what.to_string(),
        }
    }

    // The parser bounds how deep tables nest, and so how deep these three call each other.
    fn table(&self, prefix: &str, table: &Table, out: &mut Vec<Entry>) -> Result<(), ParseError> {
        let members = table.iter().map(|(name, _)| table.get_key_value(name));
        for (key, item) in members.flatten() {
            let name = dotted(prefix, key);
            match item {
                Item::None => {}
                Item::Table(inner) => self.table(&name, inner, out)?,
                Item::Value(value) => self.value(name, key, value, out)?,
                Item::ArrayOfTables(_) => {
                    return Err(self.error(
                        offset(key),
                        format_args!(
                            "[[{name}]] is an array of tables, which no property can hold; use \
                             one table [{name}.NAME] for each",
                            name = name.escape_debug()
                        ),
                    ));
                }
            }
        }
        Ok(())
    }

    fn inline_table(
        &self,
        prefix: &str,
        table: &InlineTable,
        out: &mut Vec<Entry>,
    ) -> Result<(), ParseError> {
        let members = table.iter().map(|(name, _)| table.get_key_value(name));
        for (key, item) in members.flatten() {
            if let Item::Value(value) = item {
                self.value(dotted(prefix, key), key, value, out)?;
            }
        }
        Ok(())
    }

    fn value(
        &self,
        name: String,
        key: &Key,
        value: &Value,
        out: &mut Vec<Entry>,
    ) -> Result<(), ParseError> {
        let text = match value {
            Value::InlineTable(inner) => return self.inline_table(&name, inner, out),
            Value::Array(array) => {
                let parts: Option<Vec<String>> = array.iter().map(scalar).collect();
                let parts = parts.ok_or_else(|| {
                    self.error(
                        offset(key),
                        format_args!(
                            "{} holds an array or table inside an array; a list holds texts, \
                             numbers and truth values only",
                            name.escape_debug()
                        ),
                    )
                })?;
                Some(list::join(&parts))
            }
            other => scalar(other),
        };
        if let Some(value) = text {
            out.push(Entry {
                key: name,
                value,
                place: self.place(offset(key)),
            });
        }
        Ok(())
    }
}

fn dotted(prefix: &str, key: &Key) -> String {
    match prefix {
        "" => key.get().to_owned(),
        _ => format!("{prefix}.{}", key.get()),
    }
}

fn offset(key: &Key) -> usize {
    key.span().map_or(0, |span| span.start)
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.value().clone()),
        Value::Integer(number) => Some(number.value().to_string()),
        Value::Float(number) => Some(number.value().to_string()),
        Value::Boolean(truth) => Some(truth.value().to_string()),
        Value::Datetime(date) => Some(date.value().to_string()),
        Value::Array(_) | Value::InlineTable(_) => None,
    }
}
