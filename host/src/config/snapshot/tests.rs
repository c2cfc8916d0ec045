use super::*;
use crate::config::Place;
use crate::config::host_keys;

const PERMANENT: &str = "com.openexchange.push.allowPermanentPush";
const MASTER: &str = "com.openexchange.mail.masterPassword";
const CLIENTS: &str = "com.openexchange.push.allowedClient";

fn place(line: usize) -> Origin {
    Origin::File(Place::new(&"/etc/belfry/a.properties".into(), line))
}

fn layer(origin: impl Fn(usize) -> Origin, pairs: &[(&str, &str)]) -> Layer {
    let settings = pairs.iter().zip(1..).map(|(&(key, value), line)| {
        let setting = Setting {
            value: value.into(),
            origin: origin(line),
        };
        (key.to_owned(), setting)
    });
    Arc::new(settings.collect())
}

fn build(set: &[(&str, &str)], files: &[(&str, &str)]) -> (Snapshot, Vec<String>) {
    let layers = vec![layer(|_| Origin::CommandLine, set), layer(place, files)];
    let registry = Registry::new(host_keys(Path::new("/s")));
    let (snapshot, faults) = Snapshot::build(layers, Arc::new(registry), Path::new("/etc/belfry"));
    (snapshot, faults.iter().map(ToString::to_string).collect())
}

fn in_order(set: &[(&str, &str)], files: &[(&str, &str)]) -> Snapshot {
    let (snapshot, faults) = build(set, files);
    assert_eq!(faults, [""; 0]);
    snapshot
}

#[test]
fn the_command_line_is_stronger_than_files_and_files_than_defaults() {
    let snapshot = in_order(
        &[(PERMANENT, "false")],
        &[(PERMANENT, "true"), ("belfry.imap.url", "imap://mail")],
    );
    assert_eq!(snapshot.get(PERMANENT), Some("false"));
    assert_eq!(snapshot.get("belfry.imap.url"), Some("imap://mail"));
    assert_eq!(
        snapshot.get("belfry.http.public.listen"),
        Some("127.0.0.1:8008")
    );
    assert_eq!(snapshot.get("belfry.cluster.url"), None);
}

#[test]
fn an_explanation_says_who_won_over_whom() {
    let snapshot = in_order(&[(PERMANENT, "FALSE")], &[(PERMANENT, "true")]);
    let explanation = snapshot.explain(PERMANENT);
    assert_eq!(explanation.value.as_deref(), Some("false"));
    assert_eq!(explanation.origin, Origin::CommandLine);
    let settings: Vec<String> = explanation
        .settings
        .iter()
        .map(|(origin, value)| format!("{origin} {value}"))
        .collect();
    assert_eq!(settings, ["--set FALSE", "/etc/belfry/a.properties:1 true"]);
    assert_eq!(explanation.spec.unwrap().name, PERMANENT);
    assert_eq!(
        snapshot.explain("belfry.imap.url").origin.to_string(),
        "default"
    );
}

#[test]
fn no_explanation_shows_a_secret() {
    let snapshot = in_order(
        &[(MASTER, "hunter2")],
        &[
            (MASTER, "hunter3"),
            ("belfry.absent.key", "hunter4"),
            ("belfry.cluster.url", "nats://u:hunter5@h"),
        ],
    );
    for key in [MASTER, "belfry.absent.key", "belfry.cluster.url"] {
        let explanation = format!("{:?}", snapshot.explain(key));
        assert!(
            explanation.contains("hidden") && !explanation.contains("hunter"),
            "{explanation}"
        );
    }
    assert!(!format!("{snapshot:?}").contains("hunter"));
}

#[test]
fn a_key_set_to_nothing_has_its_default() {
    let snapshot = in_order(
        &[],
        &[(PERMANENT, ""), (MASTER, "  "), ("belfry.absent", "")],
    );
    assert_eq!(snapshot.get(PERMANENT), Some("true"));
    assert_eq!(snapshot.get(MASTER), None);
    assert_eq!(snapshot.get("belfry.absent"), None);
    assert_eq!(snapshot.explain(PERMANENT).origin, Origin::Default);
}

#[test]
fn a_list_set_to_nothing_is_empty_rather_than_its_default() {
    let snapshot = in_order(&[], &[(CLIENTS, "")]);
    assert_eq!(snapshot.require::<Vec<String>>(CLIENTS), Ok(vec![]));
}

#[test]
fn values_are_trimmed_and_brought_into_one_form() {
    let snapshot = in_order(
        &[],
        &[
            (MASTER, " hunter2 "),
            (CLIENTS, "\"a\",\"b*\""),
            ("belfry.imap.ca", "ca.pem"),
            ("com.openexchange.mail.passwordSource", "GLOBAL"),
        ],
    );
    assert_eq!(
        snapshot.read::<Secret>(MASTER),
        Ok(Some(Secret::from("hunter2")))
    );
    assert_eq!(snapshot.get(CLIENTS), Some("a, b*"));
    assert_eq!(snapshot.get("belfry.imap.ca"), Some("/etc/belfry/ca.pem"));
    assert_eq!(
        snapshot.get("com.openexchange.mail.passwordSource"),
        Some("global")
    );
}

#[test]
fn a_value_that_is_not_allowed_is_named_with_its_place_and_what_is_allowed() {
    let (snapshot, faults) = build(
        &[("belfry.inbox.durability", "tape")],
        &[(PERMANENT, "maybe")],
    );
    assert_eq!(
        faults,
        [
            "--set: belfry.inbox.durability is \"tape\", which it cannot be; write power or \
             process, or remove it to get the default (power)",
            "/etc/belfry/a.properties:1: com.openexchange.push.allowPermanentPush is \"maybe\", \
             which it cannot be; write true or false, or remove it to get the default (true)",
        ]
    );
    assert_eq!(snapshot.get(PERMANENT), Some("true"));
}

#[test]
fn a_value_that_is_covered_by_a_stronger_one_is_checked_too() {
    let (snapshot, faults) = build(&[(PERMANENT, "false")], &[(PERMANENT, "maybe")]);
    assert_eq!(faults.len(), 1);
    assert_eq!(snapshot.get(PERMANENT), Some("false"));
}

#[test]
fn keys_that_stand_for_many_are_checked_for_each() {
    let (snapshot, faults) = build(
        &[],
        &[
            ("belfry.plugin.a.enabled", "FALSE"),
            ("belfry.plugin.b.memory-limit-mib", "0"),
        ],
    );
    assert_eq!(snapshot.get("belfry.plugin.a.enabled"), Some("false"));
    assert_eq!(snapshot.get("belfry.plugin.c.enabled"), None);
    assert!(
        faults[0].contains("write a whole number from 1 to"),
        "{faults:?}"
    );
}

#[test]
fn a_value_is_read_as_a_type_or_refused_in_words() {
    let snapshot = in_order(
        &[],
        &[
            ("belfry.plugin.a.start-level", "70000"),
            (MASTER, "hunter2"),
        ],
    );
    assert_eq!(
        snapshot.require::<u32>("belfry.plugin.a.start-level"),
        Ok(70000)
    );
    let error = snapshot
        .require::<u16>("belfry.plugin.a.start-level")
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "/etc/belfry/a.properties:1: belfry.plugin.a.start-level is \"70000\", which it cannot \
         be; write a whole number from 0 to 65535, or remove it"
    );
    let error = snapshot.read::<bool>(MASTER).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    let error = snapshot
        .require::<String>("belfry.cluster.url")
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("belfry.cluster.url is not set and has no default"),
        "{error}"
    );
    assert!(
        error.ends_with("to a URL that begins with nats:"),
        "{error}"
    );
}

#[test]
fn a_plugin_is_given_the_keys_of_its_manifest_and_no_others() {
    let mut registry = Registry::new(host_keys(Path::new("/s")));
    let plugin: PluginId = "push-dovecot".parse().unwrap();
    let keys = [
        r#"{"name": "belfry.push-dovecot.metadata", "type": "text", "default": "session"}"#,
        r#"{"name": "belfry.push-dovecot.doveadm.key", "type": "text", "secret": true}"#,
        r#"{"name": "belfry.imap.url", "type": "url", "shared": true}"#,
    ];
    registry
        .add(&plugin, &keys.map(|key| serde_json::from_str(key).unwrap()))
        .unwrap();
    let files = layer(
        place,
        &[("belfry.imap.url", "imap://mail"), (MASTER, "hunter2")],
    );
    let (snapshot, _) = Snapshot::build(vec![files], Arc::new(registry), Path::new("/"));
    let expected = [
        ("belfry.imap.url".to_owned(), Secret::from("imap://mail")),
        (
            "belfry.push-dovecot.metadata".to_owned(),
            Secret::from("session"),
        ),
    ];
    assert_eq!(snapshot.values_for(&plugin), BTreeMap::from(expected));
}
