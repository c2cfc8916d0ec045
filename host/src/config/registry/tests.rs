use belfry_plugin_api::manifest::KeyType;

use super::*;
use crate::config::Kind;

fn id(id: &str) -> PluginId {
    id.parse().unwrap()
}

fn key(name: &str) -> Key {
    Key {
        name: name.into(),
        kind: KeyType::Text,
        default: None,
        secret: false,
        shared: false,
        help: String::new(),
    }
}

fn shared(name: &str) -> Key {
    Key {
        shared: true,
        ..key(name)
    }
}

fn registry() -> Registry {
    let spec = |name: &str, kind| KeySpec {
        kind,
        ..KeySpec::from(&key(name))
    };
    Registry::new(vec![
        spec("belfry.imap.ca", Kind::Path),
        spec("belfry.plugin.*.enabled", Kind::Flag),
    ])
}

#[test]
fn a_plugins_keys_are_known_until_it_is_removed() {
    let mut registry = registry();
    registry.add(&id("a"), &[key("belfry.a.x")]).unwrap();
    assert!(registry.find("belfry.a.x").is_some());
    registry.remove(&id("a"));
    assert!(registry.find("belfry.a.x").is_none());
    assert!(registry.find("belfry.imap.ca").is_some());
}

#[test]
fn an_updated_plugins_keys_take_the_place_of_its_old_ones() {
    let mut registry = registry();
    registry
        .add(&id("a"), &[key("belfry.a.x"), key("belfry.a.y")])
        .unwrap();
    let secret = Key {
        secret: true,
        ..key("belfry.a.y")
    };
    registry.add(&id("a"), &[secret]).unwrap();
    assert!(registry.find("belfry.a.x").is_none());
    assert!(registry.find("belfry.a.y").unwrap().secret);
}

#[test]
fn a_shared_key_keeps_the_hosts_type() {
    let mut registry = registry();
    registry.add(&id("a"), &[shared("belfry.imap.ca")]).unwrap();
    assert_eq!(registry.find("belfry.imap.ca").unwrap().kind, Kind::Path);
    let read: Vec<_> = registry.read_by(&id("a")).map(|spec| &spec.name).collect();
    assert_eq!(read, ["belfry.imap.ca"]);
}

#[test]
fn a_plugin_can_neither_claim_the_hosts_keys_nor_share_what_the_host_has_not() {
    let mut registry = registry();
    let claimed = registry.add(&id("a"), &[key("belfry.imap.ca")]);
    assert!(matches!(claimed, Err(DeclareError::Claimed { .. })));
    let not_shared = registry.add(&id("a"), &[shared("belfry.a.x")]);
    assert!(matches!(not_shared, Err(DeclareError::NotShared { .. })));
}

#[test]
fn two_plugins_may_declare_a_key_alike_but_not_differently() {
    let mut registry = registry();
    registry.add(&id("a"), &[key("belfry.x.y")]).unwrap();
    registry.add(&id("b"), &[key("belfry.x.y")]).unwrap();
    registry.remove(&id("a"));
    assert!(registry.find("belfry.x.y").is_some());
    let different = Key {
        secret: true,
        ..key("belfry.x.y")
    };
    let error = registry.add(&id("c"), &[different]).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("plugins c and b declare belfry.x.y differently")
    );
}

#[test]
fn keys_that_are_not_taken_change_nothing() {
    let mut registry = registry();
    registry.add(&id("a"), &[key("belfry.a.x")]).unwrap();
    let bad_default = Key {
        kind: KeyType::Flag,
        default: Some("yes".into()),
        ..key("belfry.a.z")
    };
    let error = registry
        .add(&id("a"), &[key("belfry.a.y"), bad_default])
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("belfry.a.z that is not true or false"),
        "{error}"
    );
    assert!(registry.find("belfry.a.x").is_some());
    assert!(registry.find("belfry.a.y").is_none());
}

#[test]
fn names_are_dotted_and_stand_for_one_key_only() {
    for name in [
        "belfry",
        "belfry.",
        ".x",
        "a..b",
        "belfry.*.x",
        "a.b c",
        "a.é",
        "",
    ] {
        let error = registry().add(&id("a"), &[key(name)]).unwrap_err();
        assert!(matches!(error, DeclareError::Name { .. }), "{name:?}");
    }
}

#[test]
fn a_star_in_the_hosts_keys_is_any_one_part() {
    let registry = registry();
    assert!(registry.find("belfry.plugin.mobile-push.enabled").is_some());
    for name in [
        "belfry.plugin.enabled",
        "belfry.plugin..enabled",
        "belfry.plugin.a.b.enabled",
    ] {
        assert!(registry.find(name).is_none(), "{name}");
    }
}
