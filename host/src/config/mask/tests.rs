use super::*;

fn spec(kind: Kind, secret: bool) -> KeySpec {
    KeySpec {
        name: "a.b".into(),
        kind,
        default: None,
        secret,
        help: String::new(),
    }
}

#[test]
fn a_secret_is_hidden() {
    assert_eq!(shown(Some(&spec(Kind::Text, true)), "hunter2"), "[hidden]");
    assert_eq!(quoted(Some(&spec(Kind::Text, true)), "hunter2"), "[hidden]");
}

#[test]
fn a_key_that_nobody_declares_may_be_secret() {
    assert_eq!(shown(None, "hunter2"), "[hidden]");
}

#[test]
fn anything_else_is_shown() {
    assert_eq!(shown(Some(&spec(Kind::Flag, false)), "true"), "true");
    assert_eq!(
        quoted(Some(&spec(Kind::Flag, false)), "tr\"ue"),
        "\"tr\\\"ue\""
    );
}

#[test]
fn a_password_inside_a_url_is_hidden_and_the_rest_is_shown() {
    let url = spec(Kind::url(&[]), false);
    let shown = |value| shown(Some(&url), value);
    assert_eq!(
        shown("postgres://b:hunter2@db/b"),
        "postgres://b:hidden@db/b"
    );
    assert_eq!(
        shown("postgres://db/b?sslpassword=hunter2&user=b"),
        "postgres://db/b?sslpassword=hidden&user=b"
    );
    assert_eq!(shown("nats://TOKEN@mq:4222"), "nats://hidden@mq:4222");
    assert_eq!(
        shown("imap://mail:143?starttls=yes"),
        "imap://mail:143?starttls=yes"
    );
    assert_eq!(
        shown("sqlite:/var/lib/belfry/belfry.db"),
        "sqlite:/var/lib/belfry/belfry.db"
    );
}

#[test]
fn of_a_broken_url_nothing_is_shown_that_may_be_a_password() {
    let url = spec(Kind::url(&[]), false);
    assert_eq!(shown(Some(&url), "postgres//b:hunter2@db"), "[hidden]");
    assert_eq!(shown(Some(&url), "imap.example.com"), "imap.example.com");
}

#[test]
fn long_values_are_cut_at_a_character_in_messages() {
    let quoted = quoted(Some(&spec(Kind::Text, false)), &"é".repeat(1000));
    assert_eq!(quoted, format!("\"{}\"…", "é".repeat(LONGEST_SHOWN)));
}
