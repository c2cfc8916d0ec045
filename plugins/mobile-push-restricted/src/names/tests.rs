use super::*;

fn file(name: &str) -> FileName {
    FileName::parse(name).unwrap()
}

#[test]
fn tables_and_dotted_keys_say_the_same() {
    let tables = r#"
        licence = "licence.txt"
        [apns]
        keystore = "push.p12"
        password = "hunter2"
        topic = "org.example.mail"
        production = true
        [fcm]
        service-account = "account.json"
    "#;
    let dotted = r#"
        apns.keystore = "push.p12"
        apns.password = "hunter2"
        apns.topic = "org.example.mail"
        apns.production = true
        fcm.service-account = "account.json"
        licence = "licence.txt"
    "#;
    let names = Names::parse(tables).unwrap();
    assert_eq!(Names::parse(dotted).as_ref(), Ok(&names));
    let files: Vec<_> = names.files().cloned().collect();
    assert_eq!(files, ["push.p12", "account.json", "licence.txt"].map(file));
    assert!(names.has_password());
    assert!(names.unknown.is_empty());
}

#[test]
fn a_key_is_named_with_its_ids() {
    let names = Names::parse("[apns]\nkey = 'a.p8'\nkey-id = 'K'\nteam-id = 'T'").unwrap();
    let apns = names.apns.unwrap().unwrap();
    assert_eq!(
        apns.login,
        ApnsLogin::Token {
            key: file("a.p8"),
            key_id: "K".into(),
            team_id: "T".into()
        }
    );
    assert_eq!(apns.production, None);
}

#[test]
fn an_empty_file_names_nothing() {
    let names = Names::parse("").unwrap();
    assert_eq!(names.apns, Ok(None));
    assert_eq!(names.service_account, Ok(None));
    assert_eq!(names.files().count(), 0);
}

#[test]
fn each_fault_has_its_sentence() {
    let cases = [
        (
            "keystore = 'a'\nkey = 'b'",
            "restricted.toml names both apns.keystore and apns.key: leave one of them out",
        ),
        (
            "topic = 'a'",
            "restricted.toml has apns but names neither apns.keystore nor apns.key",
        ),
        (
            "key = 'a'\nteam-id = 'T'",
            "restricted.toml has no apns.key-id",
        ),
        (
            "key = 'a'\nkey-id = 'K'",
            "restricted.toml has no apns.team-id",
        ),
        (
            "key = 'a'\nkey-id = ''\nteam-id = 'T'",
            "apns.key-id in restricted.toml is not a text with anything in it",
        ),
        (
            "keystore = 1",
            "apns.keystore in restricted.toml is not a text in quotes",
        ),
        (
            "keystore = 'a'\nproduction = 'true'",
            "apns.production in restricted.toml is not true or false, without quotes",
        ),
        (
            "keystore = '/etc/passwd'",
            "apns.keystore in restricted.toml is not the name of a file beside it, without any folder",
        ),
        (
            "key = '../a.p8'\nkey-id = 'K'\nteam-id = 'T'",
            "apns.key in restricted.toml is not the name of a file beside it, without any folder",
        ),
    ];
    for (apns, sentence) in cases {
        let names = Names::parse(&format!("[apns]\n{apns}\n[fcm]\nservice-account = 'f'")).unwrap();
        assert_eq!(names.apns, Err(sentence.into()));
        // A fault in one part leaves the other usable.
        assert_eq!(names.service_account, Ok(Some(file("f"))));
    }
    let names = Names::parse("apns = 'push.p12'\nfcm = {}\nlicence = '../x'").unwrap();
    assert_eq!(
        names.apns,
        Err("apns in restricted.toml is not a table".into())
    );
    assert_eq!(
        names.service_account,
        Err("restricted.toml has no fcm.service-account".into())
    );
    assert!(names.licence.is_err());
}

#[test]
fn what_means_nothing_is_listed() {
    let names = Names::parse("license = 'l'\n[apns]\nkeystroe = 'a'\n[fcm]\nkey = 'k'").unwrap();
    assert_eq!(names.unknown, ["apns.keystroe", "fcm.key", "license"]);
}

#[test]
fn no_error_repeats_a_password() {
    let broken = [
        "[apns]\npassword = \"hunter2",
        "[apns]\npassword = hunter2",
        "[apns]\npassword = 'hunter2\nkeystore = 'a'",
        "[apns]\npassword = \"\\hunter2\"",
        "[apns]\npassword = 'hunter2' hunter2",
        "[apns]\npassword = 'hunter2'\npassword = 'hunter2'",
        "apns.password = 'hunter2'\napns.password.hunter2 = 'hunter2'",
        "[apns]\npassword hunter2",
        "[apns]\npassword = ['hunter2'",
        "[apns]\nkeystore = 'a'\npassword = ['hunter2']",
        "[apns]\nkeystore = 'a'\npassword = {p='hunter2'}",
        "[apns]\nkeystore = 'a/hunter2'",
        "apns = 'hunter2'",
    ];
    for text in broken {
        let said = match Names::parse(text) {
            Ok(names) => names.apns.unwrap_err(),
            Err(error) => {
                assert!(
                    error.starts_with("restricted.toml is not TOML in line "),
                    "{error}"
                );
                error
            }
        };
        assert!(!said.contains("hunter2"), "{said}");
    }
    let error = Names::parse("[apns]\n\npassword = hunter2").unwrap_err();
    assert!(error.contains("in line 3:"), "{error}");
}
