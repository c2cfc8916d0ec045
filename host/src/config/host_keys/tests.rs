use super::*;
use crate::config::{Config, Folder, Registry};

#[test]
fn without_files_the_defaults_are_those_of_the_contract() {
    let registry = Registry::new(host_keys(Path::new("/var/lib/belfry")));
    let folder = Folder::usual("/nonexistent/belfry");
    let snapshot = Config::load(folder, vec![], registry).unwrap().snapshot();
    let defaults = [
        ("com.openexchange.push.allowPermanentPush", Some("true")),
        (
            "com.openexchange.push.allowedClient",
            Some("open-xchange-mailapp, open-xchange-mobile-api-facade*"),
        ),
        ("com.openexchange.push.credstorage.enabled", Some("false")),
        ("com.openexchange.push.credstorage.passcrypt", None),
        ("com.openexchange.push.credstorage.rdb", Some("false")),
        ("com.openexchange.mail.passwordSource", Some("session")),
        ("com.openexchange.mail.masterPassword", None),
        ("com.openexchange.rest.services.basic-auth.login", None),
        ("com.openexchange.rest.services.basic-auth.password", None),
        ("com.openexchange.capability.mobile_mail_app", Some("false")),
        ("belfry.http.public.listen", Some("127.0.0.1:8008")),
        ("belfry.http.internal.listen", Some("127.0.0.1:8009")),
        ("belfry.admin.listen", None),
        (
            "belfry.database.url",
            Some("sqlite:/var/lib/belfry/belfry.db"),
        ),
        ("belfry.cluster.url", None),
        ("belfry.imap.url", Some("imap://127.0.0.1:143")),
        ("belfry.imap.ca", None),
        ("belfry.imap.master-user", None),
        ("belfry.imap.master-separator", Some("*")),
        ("belfry.user.auto-provision", Some("true")),
        ("belfry.user.context", Some("1")),
        ("belfry.session.idle-timeout", Some("3600000")),
        ("belfry.session.limit", Some("100000")),
        ("belfry.http.public.trusted-proxies", Some("127.0.0.1, ::1")),
        ("belfry.inbox.durability", Some("power")),
        ("belfry.log.format", None),
    ];
    for (key, expected) in defaults {
        assert!(snapshot.registry().find(key).is_some(), "{key}");
        assert_eq!(snapshot.get(key), expected, "{key}");
    }
    let keys: Vec<&str> = snapshot.keys().collect();
    assert_eq!(keys.len(), defaults.len(), "{keys:?}");
}

#[test]
fn everything_that_opens_a_door_is_secret() {
    for spec in host_keys(Path::new("/s")) {
        let name = spec.name.to_ascii_lowercase();
        let opens = ["password", "passcrypt", "token"]
            .iter()
            .any(|word| name.ends_with(word));
        assert_eq!(spec.secret, opens, "{name}");
    }
}

#[test]
fn every_default_is_allowed_and_every_key_is_explained() {
    for spec in host_keys(Path::new("/var/lib/belfry")) {
        if let Some(default) = &spec.default {
            assert_eq!(
                spec.kind.canonical(default, Path::new("/")).as_ref(),
                Some(default)
            );
        }
        assert!(spec.help.ends_with('.'), "{}", spec.name);
        assert!(
            !(spec.is_pattern() && spec.default.is_some()),
            "{}",
            spec.name
        );
    }
}

#[test]
fn a_state_folder_with_special_characters_is_escaped_in_the_databases_url() {
    assert_eq!(
        database_url(Path::new("/a?b/50%")),
        "sqlite:/a%3Fb/50%25/belfry.db"
    );
}
