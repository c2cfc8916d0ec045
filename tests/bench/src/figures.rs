//! What was measured.

use serde_json::{Map, Value};

/// Figures by name, printed as they come.
#[derive(Default)]
pub(crate) struct Figures {
    values: Map<String, Value>,
}

impl Figures {
    /// Prints a figure and keeps it.
    pub(crate) fn put(&mut self, name: &str, value: f64, unit: &str, what: &str) {
        let shown = if value.abs() >= 1_000.0 {
            format!("{value:.0}")
        } else {
            format!("{value:.2}")
        };
        println!("{name:<44} {shown:>10} {unit:<8} {what}");
        self.values.insert(name.to_owned(), value.into());
    }

    /// All figures as one JSON object.
    pub(crate) fn json(&self) -> String {
        Value::Object(self.values.clone()).to_string()
    }
}
