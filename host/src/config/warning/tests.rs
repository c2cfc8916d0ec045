use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::config::host_keys;
use crate::config::layer::Setting;

fn warnings(keys: &[&str]) -> Vec<String> {
    let setting = |key: &&str| {
        let setting = Setting {
            value: "hunter2".into(),
            origin: Origin::CommandLine,
        };
        ((*key).to_owned(), setting)
    };
    let mut registry = Registry::new(host_keys(Path::new("/s")));
    let manifest =
        r#"{"name": "com.openxchange.mobilepush.events.apn.ios.enabled", "type": "text"}"#;
    let other = r#"{"name": "acme.beep.loud", "type": "text"}"#;
    let keys_of_plugin = [manifest, other].map(|key| serde_json::from_str(key).unwrap());
    registry
        .add(&"mobile-push".parse().unwrap(), &keys_of_plugin)
        .unwrap();
    let layer: BTreeMap<String, Setting> = keys.iter().map(setting).collect();
    let (snapshot, _) = Snapshot::build(vec![Arc::new(layer)], Arc::new(registry), Path::new("/"));
    unknown_keys(&snapshot)
        .iter()
        .map(ToString::to_string)
        .collect()
}

/// The one warning about this key names the other.
fn suggests(key: &str, nearest: &str) {
    let warnings = warnings(&[key]);
    let [warning] = &warnings[..] else {
        panic!("{key}: {warnings:?}");
    };
    assert!(
        warning.starts_with(&format!("--set: nothing reads {key};")),
        "{warning}"
    );
    assert!(
        warning.ends_with(&format!("(the nearest known name is {nearest})")),
        "{warning}"
    );
    assert!(!warning.contains("hunter2"));
}

#[test]
fn an_unknown_key_under_a_known_prefix_is_named_with_the_nearest_known_one() {
    suggests(
        "com.openexchange.push.allowedClients",
        "com.openexchange.push.allowedClient",
    );
    suggests("belfry.imap.uri", "belfry.imap.url");
    suggests("belfry.database", "belfry.database.url");
    suggests("acme.beep.volume", "acme.beep.loud");
}

#[test]
fn keys_that_stand_for_many_are_suggested_for_the_one_that_was_meant() {
    suggests(
        "belfry.plugin.mobile-push.isolaton",
        "belfry.plugin.mobile-push.isolation",
    );
    suggests("belfry.plugin.enabled", "belfry.plugin.ID.enabled");
}

#[test]
fn the_spelling_of_the_original_is_suggested_to_whoever_corrects_it() {
    suggests(
        "com.openexchange.mobilepush.events.apn.ios.enabled",
        "com.openxchange.mobilepush.events.apn.ios.enabled",
    );
}

#[test]
fn the_originals_other_keys_are_no_concern_of_ours_but_slips_are() {
    let foreign = [
        "com.openexchange.mail.loginSource",
        "com.openexchange.mail.transportServer",
        "com.openexchange.capability.drive",
        "com.openexchange.hazelcast.enabled",
        "NETWORK_LISTENER_PORT",
    ];
    assert_eq!(warnings(&foreign), [""; 0]);
    suggests(
        "com.openexchange.mail.passwordSorce",
        "com.openexchange.mail.passwordSource",
    );
}

#[test]
fn known_keys_are_not_warned_of() {
    let known = [
        "belfry.imap.url",
        "belfry.plugin.x.enabled",
        "acme.beep.loud",
    ];
    assert_eq!(warnings(&known), [""; 0]);
}

#[test]
fn an_endless_name_is_warned_of_without_being_compared() {
    let warnings = warnings(&[&format!("belfry.{}", "x".repeat(100_000))]);
    assert!(warnings[0].ends_with("install the plugin that it is for"));
}
