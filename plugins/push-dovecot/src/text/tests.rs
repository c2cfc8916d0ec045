//! Texts of the requests that were captured from Dovecot, and of senders who mean no good.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::harmless::is_deceptive;
use super::*;

const CAPTURED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/dovecot");

/// Whether a text may be shown as it is.
fn is_fit(text: &str, max_bytes: usize) -> bool {
    !text.chars().any(|c| is_deceptive(c) || c.is_control())
        && !text.contains(['\u{2028}', '\u{2029}'])
        && !text.contains("  ")
        && text.trim() == text
        && !text.is_empty()
        && text.len() <= max_bytes
        && harmless(text, max_bytes).as_deref() == Some(text)
}

/// The first request of each captured file that has one.
fn captured() -> BTreeMap<String, serde_json::Value> {
    let file = |path: &Path| {
        let text = fs::read_to_string(path).unwrap();
        let body = text.lines().find(|line| line.starts_with('{'))?;
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        Some((name, serde_json::from_str(body).unwrap()))
    };
    let all = fs::read_dir(CAPTURED).unwrap();
    all.filter_map(|entry| file(&entry.unwrap().path()))
        .collect()
}

#[test]
fn the_captured_requests_read_as_their_senders_meant_them() {
    let requests = captured();
    let alice = Some("Alice");
    let mut expected = BTreeMap::from([
        ("01-ascii", (alice, Some("Hello"))),
        (
            "02-rfc2047-utf8",
            (Some("Jürgen Müller"), Some("Héllö wörld ß 日本")),
        ),
        (
            "04-raw-latin1-headers",
            (Some("J\u{fffd}rgen"), Some("H\u{fffd}ll\u{fffd}")),
        ),
        ("09-multipart-alternative-html", (alice, Some("HTML"))),
        ("10-html-only", (alice, Some("HTML only"))),
        ("11-multipart-mixed-text+pdf", (alice, Some("with att"))),
        ("12-attachment-only-pdf", (alice, Some("att only"))),
        (
            "13-attachment-only-in-mixed",
            (alice, Some("att only mixed")),
        ),
        ("14-emoji-encoded-and-body", (alice, Some("Party 🎉👩‍👩‍👧"))),
        (
            "16-quotes-backslash-control",
            (
                Some(r#"Q "x" \"#),
                Some(r#"say "hi" \ back slash / [31m end"#),
            ),
        ),
        ("19-two-recipients", (alice, Some("two rcpts"))),
        ("20-same-recipient-twice", (alice, Some("twice"))),
        ("22-detail-INBOX", (alice, Some("to INBOX detail"))),
        (
            "23-detail-inbox-lowercase",
            (alice, Some("to inbox detail")),
        ),
        ("27-no-subject-no-from", (None, None)),
        ("28-empty-subject-empty-body", (Some("a@example.org"), None)),
        ("31-long-body-snippet", (alice, Some("long body"))),
        ("34-pgp-encrypted", (alice, Some("..."))),
        ("35-5MB-body", (alice, Some("big"))),
    ]);
    let word = "word".repeat(15);
    let folded = vec![word; 80].join(" ");
    let folded = folded.get(..MAX_TEXT_BYTES).unwrap();
    let long = "L".repeat(900);
    expected.insert("06-long-subject-one-line-900", (alice, Some(&long)));
    expected.insert("08-long-subject-100k", (alice, Some(folded)));

    let names: Vec<_> = requests.keys().map(String::as_str).collect();
    assert_eq!(names, expected.keys().copied().collect::<Vec<_>>());
    for (name, (from, about)) in expected {
        let text = |key: &str| requests[name].get(key).and_then(serde_json::Value::as_str);
        assert_eq!(text("from").and_then(sender).as_deref(), from, "{name}");
        assert_eq!(
            text("subject").and_then(subject).as_deref(),
            about,
            "{name}"
        );
        if let Some(snippet) = text("snippet").and_then(snippet) {
            assert!(is_fit(&snippet, MAX_TEXT_BYTES), "{name}: {snippet:?}");
        }
    }
}

#[test]
fn subjects_are_decoded_where_they_can_be() {
    for (raw, expected) in [
        ("=?utf-8?Q?J=C3?=\r\n =?utf-8?Q?=BCrgen?=", "Jürgen"),
        ("=?utf-8?B?4pyF?=\n\t=?utf-8?B?4pyF?= ok", "✅✅ ok"),
        (
            "Re: =?iso-8859-1?Q?Gr=FC=DFe?= aus Köln",
            "Re: Grüße aus Köln",
        ),
        ("=?utf-8*de?Q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        ("=?windows-1252?Q?=80_5?=", "€ 5"),
        ("=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本"),
        ("=?gb2312?B?xOO6ww==?=", "你好"),
        ("=?koi8-r?B?8NLJ18XU?=", "Привет"),
        ("=?utf-8?Q?a b c?=", "a b c"),
        ("=?x-unknown?Q?a=C3=BC?=", "aü"),
        ("=?utf-8?Q?=1B[31m=E2=80=AEred=0D=0A.?=", "[31mred ."),
        ("=?utf-8?Q?=3D=3Futf-8=3FQ=3Fx=3F=3D?=", "=?utf-8?Q?x?="),
    ] {
        assert_eq!(subject(raw).as_deref(), Some(expected), "{raw:?}");
    }
}

#[test]
fn what_cannot_be_decoded_is_shown_as_it_came() {
    for raw in [
        "=?utf-8?X?abc?=",
        "=?utf-8?Q?never ends",
        "=?utf-8?B?S$O8?=",
        "=?utf-8?Q?100%=?",
        "1 =? 2 ?= 3",
    ] {
        assert_eq!(subject(raw).as_deref(), Some(raw));
    }
}

#[test]
fn nothing_to_see_is_no_subject() {
    for raw in ["", " \r\n ", "=?utf-8?Q??=", "=?utf-8?B?4oCu?=", "\u{feff}"] {
        assert_eq!(subject(raw), None, "{raw:?}");
    }
}

#[test]
fn the_sender_is_the_name_or_else_the_address() {
    for (from, expected) in [
        ("Alice <alice@example.org>", "Alice"),
        ("alice@example.org", "alice@example.org"),
        ("<alice@example.org>", "alice@example.org"),
        ("\"\" <alice@example.org>", "alice@example.org"),
        (
            "\"\u{202e}\u{200b}\" <alice@example.org>",
            "alice@example.org",
        ),
        ("alice@example.org (Alice)", "Alice"),
        (
            "\"Doe, John\" <john@example.org>, b@example.org",
            "Doe, John",
        ),
        ("=?utf-8?Q?Doe=2C_John?= <john@example.org>", "Doe, John"),
        (
            "=?utf-8?Q?=22Doe=22_=3Cx=40y=3E?= <john@example.org>",
            "\"Doe\" <x@y>",
        ),
        (
            "=?utf-8?Q?J=C3?=\n =?utf-8?Q?=BCrgen?= <j@example.org>",
            "Jürgen",
        ),
        ("\"=?utf-8?Q?M=C3=BC?=\" <m@example.org>", "Mü"),
        (r#""Q \"x\" \\" <q@example.org>"#, r#"Q "x" \"#),
        (
            "Team: =?utf-8?Q?=C3=84nne?= <a@example.org>, b@example.org;",
            "Änne",
        ),
        ("undisclosed-recipients:;", "undisclosed-recipients"),
        ("\"john doe\"@example.org", "\"john doe\"@example.org"),
        ("x@[127.0.0.1]", "x@[127.0.0.1]"),
        (", <>, b@example.org", "b@example.org"),
        ("Jörg\r\n Müller\u{7} <j@example.org>", "Jörg Müller"),
        ("Mailer Daemon", "Mailer Daemon"),
    ] {
        assert_eq!(sender(from).as_deref(), Some(expected), "{from:?}");
    }
    for from in ["", " ", "<>", ";", "\u{202e}", "=?utf-8?Q??= <>"] {
        assert_eq!(sender(from), None, "{from:?}");
    }
}

#[test]
fn a_huge_header_costs_little() {
    let started = Instant::now();
    for piece in [
        "=?utf-8?Q?=C3=BC?= ",
        "=?utf-8?q?",
        "=?",
        "(",
        "\"\\",
        "<@,:;",
        "\u{202e}x ",
    ] {
        let raw = piece.repeat(1_000_000 / piece.len());
        for text in [subject(&raw), snippet(&raw)].into_iter().flatten() {
            assert!(is_fit(&text, MAX_TEXT_BYTES), "{piece:?}");
        }
        if let Some(text) = sender(&raw) {
            assert!(is_fit(&text, MAX_SENDER_BYTES), "{piece:?}");
        }
    }
    // Unbounded work on a megabyte would take far longer, also in a debug build on a busy machine.
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
}

/// Texts made of what has a meaning in a header.
fn header() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "=?utf-8?Q?",
            "=?UTF-8?b?",
            "=?gb2312?B?",
            "=?iso-2022-jp?B?",
            "=?utf-7?Q?",
            "=?utf-16?B?",
            "?=",
            "=?",
            "?",
            "=",
            "=C3",
            "=BC",
            "=E2=80=AE",
            "SMOp",
            "GyRC",
            "4oCu",
            "\"",
            "\\",
            "(",
            ")",
            "<",
            ">",
            ",",
            ":",
            ";",
            "@",
            "\r\n ",
            "\n",
            " ",
            "\t",
            "\0",
            "\u{1b}[31m",
            "\u{202e}",
            "\u{200d}",
            "\u{e0041}",
            "\u{2028}",
            "a",
            "ü",
            "日",
            "\u{fffd}",
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn whatever_is_shown_is_fit_to_be_shown(raw in header()) {
        for text in [subject(&raw), snippet(&raw)].into_iter().flatten() {
            prop_assert!(is_fit(&text, MAX_TEXT_BYTES), "{text:?}");
        }
        if let Some(text) = sender(&raw) {
            prop_assert!(is_fit(&text, MAX_SENDER_BYTES), "{text:?}");
        }
    }

    #[test]
    fn a_plain_subject_is_shown_word_for_word(words in prop::collection::vec("[a-zA-Z0-9äöü日本,.:()-]{1,12}", 1..20)) {
        let plain = words.join(" ");
        prop_assert_eq!(subject(&plain), Some(plain));
    }

    #[test]
    fn a_plain_name_is_shown_word_for_word(words in prop::collection::vec("[a-zA-Zäöü日本]{1,12}", 1..5)) {
        let name = words.join(" ");
        let shown = sender(&format!("{name} <someone@example.org>"));
        prop_assert_eq!(shown, Some(name));
    }
}
