//! Values as Rust types.

use std::path::PathBuf;
use std::time::Duration;

use belfry_plugin_api::secret::Secret;

use super::list;

/// A type that a value can be read as.
pub trait Value: Sized {
    /// What is wanted, as the object of "write".
    const WANTED: &'static str;

    /// The value; `None` where the text is no such value.
    fn from_text(text: &str) -> Option<Self>;
}

impl Value for String {
    const WANTED: &'static str = "a text";

    fn from_text(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl Value for Secret {
    const WANTED: &'static str = "a text";

    fn from_text(text: &str) -> Option<Self> {
        Some(Secret::from(text))
    }
}

impl Value for bool {
    const WANTED: &'static str = "true or false";

    fn from_text(text: &str) -> Option<Self> {
        match () {
            () if text.eq_ignore_ascii_case("true") => Some(true),
            () if text.eq_ignore_ascii_case("false") => Some(false),
            () => None,
        }
    }
}

impl Value for Vec<String> {
    const WANTED: &'static str = "words separated by commas";

    fn from_text(text: &str) -> Option<Self> {
        Some(list::split(text))
    }
}

impl Value for PathBuf {
    const WANTED: &'static str = "the path of a file or folder";

    fn from_text(text: &str) -> Option<Self> {
        Some(Self::from(text))
    }
}

/// A whole number of milliseconds, or one with `ms`, `s`, `m`, `h` or `d` behind it.
impl Value for Duration {
    const WANTED: &'static str = "a time such as 5000 (milliseconds), 5s, 10m, 2h or 1d";

    fn from_text(text: &str) -> Option<Self> {
        parse_duration(text)
    }
}

macro_rules! whole_numbers {
    ($($number:ty => $wanted:literal),+ $(,)?) => {$(
        impl Value for $number {
            const WANTED: &'static str = $wanted;

            fn from_text(text: &str) -> Option<Self> {
                text.parse().ok()
            }
        }
    )+};
}

whole_numbers! {
    u16 => "a whole number from 0 to 65535",
    u32 => "a whole number from 0 to 4294967295",
    u64 => "a whole number, not negative",
    usize => "a whole number, not negative",
    i64 => "a whole number",
}

/// A span of time: a whole number of milliseconds, or one with a unit behind it (`ms`, `s`, `m`,
/// `h`, `d`). `None` for anything else, and for what does not fit into 63 bits of milliseconds.
pub(super) fn parse_duration(text: &str) -> Option<Duration> {
    let unit_at = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(unit_at);
    let milliseconds: u64 = match unit.trim_start() {
        "" | "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let total = digits.parse::<u64>().ok()?.checked_mul(milliseconds)?;
    i64::try_from(total).ok()?;
    Some(Duration::from_millis(total))
}
