//! Comma lists.

#[cfg(test)]
mod tests;

/// The elements of a comma list. Blanks around an element do not belong to it, and elements that
/// are empty are left out.
///
/// An element may stand in double quotes, as the original's own files have it
/// (`"open-xchange-mailapp", "open-xchange-mobile-api-facade*"`): inside them commas and blanks
/// are ordinary, `""` is one quote, and an empty element counts. Quotes that do not enclose a
/// whole element are ordinary characters.
pub(super) fn split(value: &str) -> Vec<String> {
    let mut elements = Vec::new();
    let mut rest = value;
    loop {
        rest = rest.trim_start();
        if let Some((element, after)) = quoted(rest) {
            elements.push(element);
            rest = after;
        } else {
            let (element, after) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
            let element = element.trim_end();
            if !element.is_empty() {
                elements.push(element.to_owned());
            }
            rest = after;
        }
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None => return elements,
        }
    }
}

/// The quoted element that the text begins with, and the text from the comma behind it on.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix('"')?;
    let mut element = String::new();
    loop {
        let (part, after) = rest.split_once('"')?;
        element.push_str(part);
        match after.strip_prefix('"') {
            Some(after) => {
                element.push('"');
                rest = after;
            }
            None => {
                let after = after.trim_start();
                return (after.is_empty() || after.starts_with(',')).then_some((element, after));
            }
        }
    }
}

/// Writes a comma list that [`split`] reads back, with quotes only where they are needed.
pub(super) fn join<T: AsRef<str>>(elements: &[T]) -> String {
    let elements: Vec<String> = elements
        .iter()
        .map(|element| quote(element.as_ref()))
        .collect();
    elements.join(", ")
}

fn quote(element: &str) -> String {
    let needed = element.is_empty()
        || element.contains(',')
        || element.starts_with('"')
        || element.trim() != element;
    if needed {
        format!("\"{}\"", element.replace('"', "\"\""))
    } else {
        element.to_owned()
    }
}
