use proptest::prelude::*;

use super::*;

fn mail() -> NewMail {
    NewMail {
        folder: "INBOX".to_owned(),
        uid_validity: 1_700_000_000,
        uid: 42,
        sender: Some("Alice Example".to_owned()),
        subject: Some("Lunch?".to_owned()),
        snippet: Some("At noon".to_owned()),
        unread: Some(3),
    }
}

fn apns(mail: &NewMail) -> Value {
    serde_json::from_slice(&apns_payload(mail)).unwrap()
}

#[test]
fn an_apple_device_gets_sender_subject_badge_and_mail() {
    assert_eq!(
        apns(&mail()),
        json!({
            "aps": {
                "alert": {"title": "Alice Example", "body": "Lunch?"},
                "badge": 3,
                "sound": "default",
            },
            "cid": "default0/INBOX:42",
        })
    );
}

#[test]
fn an_android_device_gets_the_same_as_strings() {
    assert_eq!(
        fcm_data(&mail()),
        json!({
            "cid": "default0/INBOX:42",
            "subject": "Lunch?",
            "sender": "Alice Example",
            "unread": "3",
        })
    );
}

#[test]
fn what_a_mail_lacks_is_said_and_a_count_that_is_unknown_is_left_out() {
    for nothing in [None, Some(String::new()), Some("  ".to_owned())] {
        let bare = NewMail {
            sender: nothing.clone(),
            subject: nothing,
            unread: None,
            ..mail()
        };
        let apns = apns(&bare);
        assert_eq!(
            apns["aps"]["alert"],
            json!({"title": "(no sender)", "body": "(no subject)"})
        );
        assert_eq!(apns["aps"].get("badge"), None);
        let fcm = fcm_data(&bare);
        assert_eq!(
            (&fcm["sender"], &fcm["subject"]),
            (&json!("(no sender)"), &json!("(no subject)"))
        );
        assert_eq!(fcm.get("unread"), None);
    }
}

#[test]
fn a_long_subject_is_cut_so_that_the_payload_is_just_within_the_limit() {
    let long = NewMail {
        subject: Some("😀".repeat(25_000)),
        ..mail()
    };
    let size = apns_payload(&long).len();
    assert!(
        (PAYLOAD_LIMIT_BYTES - 3..=PAYLOAD_LIMIT_BYTES).contains(&size),
        "{size}"
    );
    let shown = apns(&long);
    assert_eq!(shown["aps"]["alert"]["title"], "Alice Example");
    assert!(
        shown["aps"]["alert"]["body"]
            .as_str()
            .unwrap()
            .chars()
            .all(|c| c == '😀')
    );
    assert_eq!(shown["cid"], "default0/INBOX:42");
}

#[test]
fn the_sender_is_cut_only_when_the_subject_is_gone() {
    let both = NewMail {
        subject: Some("s".repeat(5000)),
        sender: Some("\"".repeat(5000)),
        ..mail()
    };
    let data = fcm_data(&both);
    assert_eq!(data["subject"], "");
    assert!(data["sender"].as_str().unwrap().len() > 1900);
    assert_eq!(data["cid"], "default0/INBOX:42");
}

#[test]
fn reports_of_one_mail_collapse_and_those_of_two_do_not() {
    let user = User { context: 1, id: 7 };
    let id = collapse_id(user, &mail());
    assert!(id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_graphic()));
    let again = NewMail {
        subject: None,
        unread: Some(4),
        ..mail()
    };
    assert_eq!(collapse_id(user, &again), id);

    for other in [
        NewMail { uid: 43, ..mail() },
        NewMail {
            uid_validity: 1,
            ..mail()
        },
        NewMail {
            folder: "INBOX/x".to_owned(),
            ..mail()
        },
    ] {
        assert_ne!(collapse_id(user, &other), id);
    }
    assert_ne!(collapse_id(User { context: 2, id: 7 }, &mail()), id);
    assert_ne!(collapse_id(User { context: 1, id: 8 }, &mail()), id);
}

fn text() -> impl Strategy<Value = String> {
    let characters = prop_oneof![
        any::<char>(),
        Just('"'),
        Just('\u{1}'),
        Just('😀'),
        Just('\u{2028}'),
    ];
    prop::collection::vec(characters, 0..3000).prop_map(String::from_iter)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_mail_is_json_within_the_limit(
        folder in text(),
        sender in prop::option::of(text()),
        subject in prop::option::of(text()),
        unread in prop::option::of(any::<u32>()),
        uid in any::<u32>(),
    ) {
        let mail = NewMail { folder, uid_validity: 1, uid, sender, subject, snippet: None, unread };
        let payload = apns_payload(&mail);
        prop_assert!(payload.len() <= PAYLOAD_LIMIT_BYTES, "{} bytes", payload.len());
        let payload: Value = serde_json::from_slice(&payload).unwrap();
        let body = payload["aps"]["alert"]["body"].as_str().unwrap();
        if let Some(subject) = mail.subject.as_deref().filter(|subject| !subject.trim().is_empty()) {
            prop_assert!(subject.starts_with(body));
        }
        prop_assert!(fcm_data(&mail).to_string().len() <= PAYLOAD_LIMIT_BYTES);
    }
}
