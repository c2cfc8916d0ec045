use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Vec<(String, String, usize)> {
    let entries = parse_toml(text.as_bytes(), "a.toml").unwrap();
    let read = |entry: Entry| (entry.key, entry.value, entry.place.line());
    entries.into_iter().map(read).collect()
}

fn error(text: &str) -> String {
    parse_toml(text.as_bytes(), "a.toml")
        .unwrap_err()
        .to_string()
}

fn entry(key: &str, value: &str, line: usize) -> (String, String, usize) {
    (key.to_owned(), value.to_owned(), line)
}

#[test]
fn tables_and_dotted_keys_become_dotted_names_with_their_lines() {
    let text = r#"
belfry.log.format = "json"
"com.openexchange.push.allowPermanentPush" = true

[belfry.http]
public.listen = "127.0.0.1:0"
internal = { listen = "127.0.0.1:1" }

[belfry.plugin.mobile-push]
start-level = 0x10
"#;
    assert_eq!(
        read(text),
        [
            entry("belfry.log.format", "json", 2),
            entry("com.openexchange.push.allowPermanentPush", "true", 3),
            entry("belfry.http.public.listen", "127.0.0.1:0", 6),
            entry("belfry.http.internal.listen", "127.0.0.1:1", 7),
            entry("belfry.plugin.mobile-push.start-level", "16", 10),
        ]
    );
}

#[test]
fn arrays_become_comma_lists() {
    assert_eq!(
        read("a.b = [\n  \"x\",\n  \"y, z\",\n  3,\n  true,\n]\nc = []"),
        [entry("a.b", "x, \"y, z\", 3, true", 1), entry("c", "", 7)]
    );
}

#[test]
fn numbers_and_dates_become_their_text() {
    assert_eq!(
        read("a = 1_000\nb = -0.5\nc = 2024-01-02"),
        [
            entry("a", "1000", 1),
            entry("b", "-0.5", 2),
            entry("c", "2024-01-02", 3)
        ]
    );
}

#[test]
fn one_name_written_in_two_ways_comes_twice() {
    let entries = read("a.b = 1\n\"a.b\" = 2");
    assert_eq!(entries, [entry("a.b", "1", 1), entry("a.b", "2", 2)]);
}

#[test]
fn what_no_property_can_hold_is_refused_with_its_line() {
    let error_of_tables = error("a = 1\n[[b.c]]\nd = 1");
    assert!(error_of_tables.starts_with("a.toml:2: [[b.c]] is an array of tables"));
    assert!(error("x = 1\n\na = [[1]]").starts_with("a.toml:3: a holds an array or table"));
    assert!(error("a = [{b = 1}]").starts_with("a.toml:1: a holds an array or table"));
}

#[test]
fn syntax_errors_name_their_line_and_quote_nothing_of_the_file() {
    let error = error("a = 1\npassword = \"hunter2\n");
    assert!(error.starts_with("a.toml:2: this is not TOML: "), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn a_key_set_twice_is_refused_by_toml_itself() {
    assert!(error("a = 1\na = 2").starts_with("a.toml:2: this is not TOML: duplicate key"));
}

#[test]
fn bytes_that_are_not_utf8_are_refused_with_their_line() {
    let error = parse_toml(b"a = 1\nb = \"\xe9\"", "a.toml")
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("a.toml:2: this is not UTF-8"), "{error}");
}

#[test]
fn deep_nesting_is_refused_instead_of_overflowing_the_stack() {
    let dotted = format!("{} = 1", vec!["a"; 100_000].join("."));
    let table = format!("[{}]", vec!["a"; 100_000].join("."));
    let inline = format!("a = {}1{}", "{a = ".repeat(100_000), "}".repeat(100_000));
    let array = format!("a = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    for text in [dotted, table, inline, array] {
        assert!(parse_toml(text.as_bytes(), "a.toml").is_err());
    }
}

proptest! {
    #[test]
    fn texts_come_back_as_they_were_written(value in any::<String>()) {
        let text = format!("\n[a]\nb = {}\n", toml_edit::value(&value));
        prop_assert_eq!(read(&text), [entry("a.b", &value, 3)]);
    }

    #[test]
    fn lists_come_back_as_they_were_written(values in any::<Vec<String>>()) {
        let array: toml_edit::Array = values.iter().collect();
        let entries = read(&format!("a = {}", toml_edit::value(array)));
        prop_assert_eq!(list::split(&entries[0].1), values);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
        let _ = parse_toml(&bytes, "x");
    }

    #[test]
    fn no_arrangement_of_special_characters_makes_it_panic(text in "[ab.=,\"'\\[\\]{}\n# 1-:Té\\\\]{0,40}") {
        let _ = parse_toml(text.as_bytes(), "x");
    }
}
