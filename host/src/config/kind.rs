//! What the value of a key may be.

use std::path::Path;
use std::time::Duration;

use url::Url;

use super::list;
use super::value::parse_duration;

#[cfg(test)]
mod tests;

/// The type of a key's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// `true` or `false`, in any letter case.
    Flag,
    /// A whole number from `min` to `max`, both allowed.
    Integer {
        /// The least value.
        min: i64,
        /// The greatest value.
        max: i64,
    },
    /// A span of time: milliseconds, or a number with `ms`, `s`, `m`, `h` or `d` behind it.
    Duration,
    /// A comma list. Blanks around an element do not belong to it, and an element may stand in
    /// double quotes: inside them commas and blanks are ordinary, and `""` is one quote. An empty
    /// value is an empty list.
    List,
    /// A file or folder; a relative one lies in the configuration folder.
    Path,
    /// A URL with one of these schemes, or with any where there are none.
    Url {
        /// Schemes, lower case, without the colon.
        schemes: Vec<String>,
    },
    /// `HOST:PORT` to listen on; port 0 is any free one. IPv6 addresses stand in brackets.
    Address,
    /// One of these words, in any letter case.
    Choice(Vec<String>),
}

impl Kind {
    /// A choice between these words.
    pub fn choice(words: &[&str]) -> Self {
        Self::Choice(words.iter().map(|&word| word.to_owned()).collect())
    }

    /// A URL with one of these schemes.
    pub fn url(schemes: &[&str]) -> Self {
        Self::Url {
            schemes: schemes.iter().map(|&scheme| scheme.to_owned()).collect(),
        }
    }

    /// The value in the one form that everybody reads: flags, choices in the letter case in which
    /// they are declared, durations as milliseconds, lists without needless quotes, paths
    /// absolute. `None` where the value is not of this kind. The value is trimmed and not empty,
    /// unless it is a list.
    pub(super) fn canonical(&self, value: &str, folder: &Path) -> Option<String> {
        match self {
            Self::Text => Some(value.to_owned()),
            Self::Flag => one_of(&["true", "false"], value),
            Self::Integer { min, max } => {
                let number: i64 = value.parse().ok()?;
                (*min..=*max).contains(&number).then(|| number.to_string())
            }
            Self::Duration => {
                let milliseconds = parse_duration(value).as_ref().map(Duration::as_millis)?;
                Some(milliseconds.to_string())
            }
            Self::List => Some(list::join(&list::split(value))),
            Self::Path => Some(folder.join(value).to_str()?.to_owned()),
            Self::Url { schemes } => is_url(value, schemes).then(|| value.to_owned()),
            Self::Address => is_address(value).then(|| value.to_owned()),
            Self::Choice(words) => one_of(words, value),
        }
    }

    /// What is allowed, as the object of "write".
    pub fn allowed(&self) -> String {
        match self {
            Self::Text => "any text".into(),
            Self::Flag => "true or false".into(),
            Self::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Self::Duration => "a time such as 5000 (milliseconds), 5s, 10m, 2h or 1d".into(),
            Self::List => "words separated by commas".into(),
            Self::Path => "the path of a file or folder".into(),
            Self::Url { schemes } if schemes.is_empty() => "a URL".into(),
            Self::Url { schemes } => {
                let beginnings: Vec<_> = schemes.iter().map(|name| format!("{name}:")).collect();
                format!("a URL that begins with {}", beginnings.join(" or "))
            }
            Self::Address => "HOST:PORT such as 127.0.0.1:8008 or [::1]:8008".into(),
            Self::Choice(words) => words.join(" or "),
        }
    }
}

fn one_of<T: AsRef<str>>(words: &[T], value: &str) -> Option<String> {
    let mut words = words.iter().map(AsRef::as_ref);
    words
        .find(|word| word.eq_ignore_ascii_case(value))
        .map(str::to_owned)
}

fn is_url(value: &str, schemes: &[String]) -> bool {
    let Ok(url) = Url::parse(value) else {
        return false;
    };
    let known = schemes.is_empty() || schemes.iter().any(|scheme| scheme == url.scheme());
    // SQLite's and files' URLs name no host; any other without one is a slip such as `imap:host`.
    let local = matches!(url.scheme(), "sqlite" | "file");
    known && (local || url.has_host())
}

fn is_address(value: &str) -> bool {
    let Some((host, port)) = value.rsplit_once(':') else {
        return false;
    };
    let bracketed = host.starts_with('[') && host.ends_with(']');
    let plain = !host.is_empty() && !host.contains([':', '[', ']', '/', ' ']);
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    (plain || bracketed && value.parse::<std::net::SocketAddrV6>().is_ok())
        && digits
        && port.parse::<u16>().is_ok()
}
