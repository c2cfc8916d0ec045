use proptest::prelude::*;

use super::*;

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    let entries = parse_properties(text, "a.properties").unwrap();
    entries
        .into_iter()
        .map(|entry| (entry.key, entry.value))
        .collect()
}

fn error(text: &str) -> String {
    parse_properties(text.as_bytes(), "a.properties")
        .unwrap_err()
        .to_string()
}

/// What `java.util.Properties.load` of OpenJDK 17 makes of each text.
#[test]
fn every_text_is_read_as_java_reads_it() {
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("a=b", &[("a", "b")]),
        (
            "a:b\na b\na\tb\na\x0cb",
            &[("a", "b"), ("a", "b"), ("a", "b"), ("a", "b")],
        ),
        ("  a \t=\x0c b ", &[("a", "b ")]),
        ("a == b", &[("a", "= b")]),
        ("a : = b", &[("a", "= b")]),
        ("a", &[("a", "")]),
        ("=a", &[("", "a")]),
        (
            "a=1\rb=2\r\nc=3\n\n\r\nd=4",
            &[("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")],
        ),
        ("# a=1\n  ! b=2\nc=#3", &[("c", "#3")]),
        ("# a\\\nb=1", &[("b", "1")]),
        ("# see C:\\users\\name\na=1", &[("a", "1")]),
        ("a=b\\\n   c", &[("a", "bc")]),
        ("a=b\\\r\n\tc\\\r  d", &[("a", "bcd")]),
        ("a=b\\\n#c", &[("a", "b#c")]),
        ("a=b\\\n\nc=d", &[("a", "b"), ("c", "d")]),
        ("\\\n#a\nb=c", &[("b", "c")]),
        ("a=b\\\\\nc=d", &[("a", "b\\"), ("c", "d")]),
        ("a=b\\", &[("a", "b")]),
        ("a=b\\\n", &[("a", "b")]),
        ("a=b\\\n\u{a0}c", &[("a", "b\u{a0}c")]),
        ("a\\ b\\=c\\:d=e", &[("a b=c:d", "e")]),
        ("\\#a=\\!b", &[("#a", "!b")]),
        ("a=\\t\\n\\r\\f\\b\\q\\\\\\\"", &[("a", "\t\n\r\x0cbq\\\"")]),
        ("a=\\u00e9\\u20AC", &[("a", "é€")]),
        ("a=\\uD83D\\uDE00", &[("a", "😀")]),
        ("\\u0061\\u003db=c", &[("a=b", "c")]),
        ("a=\\\\u0041", &[("a", "\\u0041")]),
        ("a=\u{85}\u{2028}b", &[("a", "\u{85}\u{2028}b")]),
        ("", &[]),
    ];
    for (text, expected) in cases {
        let expected: Vec<_> = expected
            .iter()
            .map(|&(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        assert_eq!(pairs(text.as_bytes()), expected, "{text:?}");
    }
}

#[test]
fn bytes_that_are_not_utf8_are_latin1() {
    assert_eq!(pairs(b"a=\xe9\x80"), [("a".into(), "é\u{80}".into())]);
    assert_eq!(pairs("a=é".as_bytes()), [("a".into(), "é".into())]);
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_name() {
    assert_eq!(pairs("\u{feff}a=b".as_bytes()), [("a".into(), "b".into())]);
}

#[test]
fn places_count_natural_lines_whatever_ends_them() {
    let text = "# one\r\na=1\r\rb=2\\\n  more\n\nc=3";
    let entries = parse_properties(text.as_bytes(), "/etc/x.properties").unwrap();
    let places: Vec<String> = entries
        .iter()
        .map(|entry| entry.place.to_string())
        .collect();
    assert_eq!(
        places,
        [
            "/etc/x.properties:2",
            "/etc/x.properties:4",
            "/etc/x.properties:7"
        ]
    );
}

#[test]
fn a_broken_escape_is_reported_on_its_own_line() {
    for escape in ["\\u12", "\\u12G4", "\\u+041", "\\u"] {
        let error = error(&format!("a=1\nb=2\\\n  3\\\n  {escape}\nc=4"));
        assert!(
            error.starts_with("a.properties:4: \\u needs four hexadecimal digits"),
            "{error}"
        );
    }
    assert!(error("\\u00=1").starts_with("a.properties:1: "));
}

#[test]
fn half_of_a_surrogate_pair_is_refused() {
    for escape in [
        "\\uD83D",
        "\\uD83Dx",
        "\\uDE00",
        "\\uD83D\\u0041",
        "\\uD83D\\n",
        "\\uD83D\\uZZ",
    ] {
        let error = error(&format!("a={escape}"));
        assert!(
            error.starts_with("a.properties:1: this is half of a surrogate pair"),
            "{error}"
        );
    }
}

#[test]
fn an_error_quotes_nothing_of_the_file() {
    assert!(!error("password=hunter2\\u00").contains("hunter2"));
}

/// As `java.util.Properties.store` writes it, all that is not plain ASCII escaped.
fn store(key: &str, value: &str) -> String {
    let escape = |text: &str, is_key: bool| {
        let mut out = String::new();
        for (at, character) in text.chars().enumerate() {
            match character {
                ' ' if is_key || at == 0 => out.push_str("\\ "),
                '\t' => out.push_str("\\t"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\x0c' => out.push_str("\\f"),
                '=' | ':' | '#' | '!' | '\\' => out.extend(['\\', character]),
                ' '..='~' => out.push(character),
                _ => {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        out.push_str(&format!("\\u{unit:04X}"));
                    }
                }
            }
        }
        out
    };
    format!("{}={}\n", escape(key, true), escape(value, false))
}

proptest! {
    #[test]
    fn what_java_stores_is_read_back(stored in proptest::collection::vec(("\\PC+", any::<String>()), 0..8)) {
        let text: String = stored.iter().map(|(key, value)| store(key, value)).collect();
        prop_assert_eq!(pairs(text.as_bytes()), stored);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
        let _ = parse_properties(&bytes, "x");
    }

    #[test]
    fn no_arrangement_of_special_characters_makes_it_panic(text in "[ab=: \t\x0c\r\n\\\\#!u0dDé😀]{0,40}") {
        let lines = text.matches(['\r', '\n']).count() + 1;
        match parse_properties(text.as_bytes(), "x") {
            Ok(entries) => for entry in entries {
                prop_assert!((1..=lines).contains(&entry.place.line()));
            },
            Err(error) => prop_assert!((1..=lines).contains(&error.place.line())),
        }
    }
}
