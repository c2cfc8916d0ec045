use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::config::Value;

fn canonical(kind: &Kind, value: &str) -> Option<String> {
    kind.canonical(value, Path::new("/etc/belfry"))
}

fn accepts(kind: &Kind, values: &[(&str, &str)]) {
    for (value, expected) in values {
        assert_eq!(
            canonical(kind, value).as_deref(),
            Some(*expected),
            "{value:?}"
        );
    }
}

fn refuses(kind: &Kind, values: &[&str]) {
    for value in values {
        assert_eq!(canonical(kind, value), None, "{value:?}");
    }
}

#[test]
fn flags_are_true_or_false_in_any_letter_case() {
    accepts(
        &Kind::Flag,
        &[("true", "true"), ("FALSE", "false"), ("True", "true")],
    );
    refuses(&Kind::Flag, &["yes", "1", "", "truetrue"]);
}

#[test]
fn integers_keep_to_their_range() {
    let port = Kind::Integer { min: 1, max: 65535 };
    accepts(&port, &[("1", "1"), ("65535", "65535"), ("007", "7")]);
    refuses(
        &port,
        &["0", "65536", "-1", "1.0", "0x10", "99999999999999999999"],
    );
}

#[test]
fn durations_become_milliseconds() {
    accepts(
        &Kind::Duration,
        &[
            ("5000", "5000"),
            ("5ms", "5"),
            ("5 s", "5000"),
            ("2h", "7200000"),
            ("1d", "86400000"),
        ],
    );
    refuses(
        &Kind::Duration,
        &[
            "-1",
            "5 weeks",
            "s",
            "1.5s",
            "9223372036854775808",
            "9999999999999999d",
        ],
    );
}

#[test]
fn relative_paths_lie_in_the_configuration_folder() {
    accepts(
        &Kind::Path,
        &[
            ("ca.pem", "/etc/belfry/ca.pem"),
            ("/srv/ca.pem", "/srv/ca.pem"),
        ],
    );
}

#[test]
fn urls_keep_to_their_schemes_and_name_a_host() {
    let imap = Kind::url(&["imap", "imaps"]);
    accepts(
        &imap,
        &[(
            "imap://mail:143?starttls=yes",
            "imap://mail:143?starttls=yes",
        )],
    );
    refuses(
        &imap,
        &["http://mail", "mail", "mail:143", "imap:mail", "imap://"],
    );
    let database = Kind::url(&["sqlite", "postgres"]);
    accepts(
        &database,
        &[("sqlite:/var/lib/b.db", "sqlite:/var/lib/b.db")],
    );
    refuses(&database, &["mysql://db/b", "postgres:/b"]);
    accepts(
        &Kind::url(&[]),
        &[("https://example.com/", "https://example.com/")],
    );
}

#[test]
fn addresses_are_a_host_and_a_port() {
    for address in ["127.0.0.1:8008", "[::1]:0", "localhost:80", "0.0.0.0:65535"] {
        accepts(&Kind::Address, &[(address, address)]);
    }
    refuses(
        &Kind::Address,
        &[
            "8008",
            ":8008",
            "localhost",
            "localhost:",
            "localhost:+80",
            "h:65536",
            "::1:80",
            "[x]:80",
            "http://h:80",
        ],
    );
}

#[test]
fn choices_are_taken_in_any_letter_case_and_kept_as_declared() {
    let source = Kind::choice(&["session", "global"]);
    accepts(&source, &[("Global", "global"), ("session", "session")]);
    refuses(&source, &["sessions", ""]);
}

#[test]
fn everything_that_is_not_allowed_comes_with_what_is() {
    assert_eq!(
        Kind::url(&["imap", "imaps"]).allowed(),
        "a URL that begins with imap: or imaps:"
    );
    assert_eq!(Kind::choice(&["a", "b"]).allowed(), "a or b");
    assert_eq!(
        Kind::Integer { min: 1, max: 2 }.allowed(),
        "a whole number from 1 to 2"
    );
}

#[test]
fn canonical_values_are_read_as_their_types() {
    let folder = Path::new("/etc/belfry");
    let read = |kind: Kind, value| kind.canonical(value, folder).unwrap();
    assert_eq!(bool::from_text(&read(Kind::Flag, "TRUE")), Some(true));
    assert_eq!(
        Duration::from_text(&read(Kind::Duration, "3m")),
        Some(Duration::from_secs(180))
    );
    assert_eq!(
        PathBuf::from_text(&read(Kind::Path, "a")),
        Some(PathBuf::from("/etc/belfry/a"))
    );
    assert_eq!(
        Vec::<String>::from_text(&read(Kind::List, "a,\"b\"")),
        Some(vec!["a".into(), "b".into()])
    );
    assert_eq!(u16::from_text("65536"), None);
    assert_eq!(u16::from_text("65535"), Some(65535));
}

fn any_kind() -> impl Strategy<Value = Kind> {
    proptest::sample::select(vec![
        Kind::Text,
        Kind::Flag,
        Kind::Integer { min: -5, max: 5000 },
        Kind::Duration,
        Kind::List,
        Kind::Path,
        Kind::url(&[]),
        Kind::Address,
        Kind::choice(&["one", "two"]),
    ])
}

proptest! {
    /// What a plugin is given may go through its own declaration of the same key again.
    #[test]
    fn a_canonical_value_is_its_own_canonical_form(kind in any_kind(), value in "\\PC{1,12}|[a-z0-9:./,\"-]{1,12}") {
        if let Some(once) = canonical(&kind, value.trim()) {
            prop_assert_eq!(canonical(&kind, &once), Some(once));
        }
    }
}
