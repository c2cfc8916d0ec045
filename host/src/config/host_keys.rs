//! The host's own keys. Plugins bring theirs in their manifests.

use std::path::Path;

use super::key::KeySpec;
use super::kind::Kind;

#[cfg(test)]
mod tests;

/// The keys of the host and of the push framework; `state` is the state folder, in which the
/// database lies by default.
pub fn host_keys(state: &Path) -> Vec<KeySpec> {
    let mut keys = original_keys();
    keys.extend(own_keys(&database_url(state)));
    keys.extend(keys_by_id());
    keys
}

/// Keys of the system that Belfry re-creates, with its names and defaults.
fn original_keys() -> Vec<KeySpec> {
    vec![
        key(
            "com.openexchange.push.allowPermanentPush",
            Kind::Flag,
            Some("true"),
            "Whether users may have listeners that live without a session.",
        ),
        key(
            "com.openexchange.push.allowedClient",
            Kind::List,
            Some("open-xchange-mailapp, open-xchange-mobile-api-facade*"),
            "The clients that may be notified; `*` stands for any characters.",
        ),
        key(
            "com.openexchange.push.credstorage.enabled",
            Kind::Flag,
            Some("false"),
            "Whether users' mail credentials are kept for permanent listeners.",
        ),
        secret(
            "com.openexchange.push.credstorage.passcrypt",
            "The password that encrypts kept credentials, the same on all nodes.",
        ),
        key(
            "com.openexchange.push.credstorage.rdb",
            Kind::Flag,
            Some("false"),
            "Whether credentials are kept in the database instead of the cluster's memory.",
        ),
        key(
            "com.openexchange.mail.passwordSource",
            Kind::choice(&["session", "global"]),
            Some("session"),
            "Whose password opens a mailbox: the user's own, or the master password.",
        ),
        secret(
            "com.openexchange.mail.masterPassword",
            "The mail server's master password, where the password source is global.",
        ),
        key(
            "com.openexchange.rest.services.basic-auth.login",
            Kind::Text,
            None,
            "The login of mail servers at the internal HTTP end-point.",
        ),
        secret(
            "com.openexchange.rest.services.basic-auth.password",
            "The password of mail servers at the internal HTTP end-point.",
        ),
        key(
            "com.openexchange.capability.mobile_mail_app",
            Kind::Flag,
            Some("false"),
            "Whether users may use the mobile mail app.",
        ),
    ]
}

fn own_keys(database_url: &str) -> Vec<KeySpec> {
    vec![
        key(
            "belfry.http.public.listen",
            Kind::Address,
            Some("127.0.0.1:8008"),
            "The address that apps speak to.",
        ),
        key(
            "belfry.http.internal.listen",
            Kind::Address,
            Some("127.0.0.1:8009"),
            "The address that mail servers and monitoring speak to.",
        ),
        key(
            "belfry.admin.listen",
            Kind::Address,
            None,
            "An address for the admin API and console, besides the admin socket.",
        ),
        key(
            "belfry.database.url",
            Kind::url(&["sqlite", "postgres", "mysql"]),
            Some(database_url),
            "The database of registrations, subscriptions and users.",
        ),
        key(
            "belfry.cluster.url",
            Kind::url(&["nats"]),
            None,
            "The NATS server that joins several hosts.",
        ),
        key(
            "belfry.imap.url",
            Kind::url(&["imap", "imaps"]),
            Some("imap://127.0.0.1:143"),
            "The mail server.",
        ),
        key(
            "belfry.imap.ca",
            Kind::Path,
            None,
            "The certificate authority of the mail server, besides the system's.",
        ),
        key(
            "belfry.imap.master-user",
            Kind::Text,
            None,
            "The mail server's master user, where the password source is global.",
        ),
        key(
            "belfry.imap.master-separator",
            Kind::Text,
            Some("*"),
            "What stands between a user's login and the master user's.",
        ),
        key(
            "belfry.user.auto-provision",
            Kind::Flag,
            Some("true"),
            "Whether whoever the mail server lets in is known from the first login on.",
        ),
        key(
            "belfry.user.context",
            Kind::Integer {
                min: 1,
                max: i64::from(u32::MAX),
            },
            Some("1"),
            "The context of users who are known from their first login on.",
        ),
        key(
            "belfry.session.idle-timeout",
            Kind::Duration,
            Some("3600000"),
            "How long a session lives without a request, in milliseconds unless a unit follows.",
        ),
        key(
            "belfry.session.limit",
            Kind::Integer {
                min: 1,
                max: 10_000_000,
            },
            Some("100000"),
            "How many sessions there may be at once.",
        ),
        key(
            "belfry.http.public.trusted-proxies",
            Kind::List,
            Some("127.0.0.1, ::1"),
            "Addresses of proxies whose X-Forwarded-For says where a client is.",
        ),
        key(
            "belfry.inbox.durability",
            Kind::choice(&["power", "process"]),
            Some("power"),
            "What accepted mail survives: loss of power (flushed to disk), or the process's end.",
        ),
        key(
            "belfry.log.format",
            Kind::choice(&["text", "json"]),
            None,
            "How log records are written; unset, as text on a terminal and as JSON elsewhere.",
        ),
    ]
}

/// Keys that stand for many: one for each plugin or provider.
fn keys_by_id() -> Vec<KeySpec> {
    let number = |min, max| Kind::Integer { min, max };
    vec![
        key(
            "belfry.plugin.*.isolation",
            Kind::choice(&["process", "host"]),
            None,
            "Where the plugin runs; unset, where its manifest says.",
        ),
        key(
            "belfry.plugin.*.enabled",
            Kind::Flag,
            None,
            "Whether the plugin starts by itself.",
        ),
        key(
            "belfry.plugin.*.start-level",
            number(0, i64::from(u32::MAX)),
            None,
            "Plugins of lower levels start earlier and stop later.",
        ),
        key(
            "belfry.plugin.*.memory-limit-mib",
            number(1, 1024 * 1024),
            None,
            "Private writable memory that the plugin's process may have, in MiB.",
        ),
        key(
            "belfry.plugin.*.hang-timeout-ms",
            number(100, 24 * 60 * 60 * 1000),
            None,
            "How long the plugin may leave a ping unanswered, in milliseconds; unset, 15000.",
        ),
        key(
            "belfry.plugin.*.events-per-second",
            number(1, 10_000_000),
            None,
            "Events that the plugin may publish each second, on average over 5 s; unset, 5000.",
        ),
        key(
            "belfry.provider.*.name",
            Kind::Text,
            None,
            "The name that apps show for the mail provider.",
        ),
        key(
            "belfry.provider.*.logo",
            Kind::Text,
            None,
            "The mail provider's logo.",
        ),
        key(
            "belfry.provider.*.colour",
            Kind::Text,
            None,
            "The mail provider's colour.",
        ),
        key(
            "belfry.provider.*.server-url",
            Kind::url(&["https", "http"]),
            None,
            "The server that apps of this mail provider speak to.",
        ),
    ]
}

fn key(name: &str, kind: Kind, default: Option<&str>, help: &str) -> KeySpec {
    KeySpec {
        name: name.to_owned(),
        kind,
        default: default.map(str::to_owned),
        secret: false,
        help: help.to_owned(),
    }
}

fn secret(name: &str, help: &str) -> KeySpec {
    KeySpec {
        secret: true,
        ..key(name, Kind::Text, None, help)
    }
}

/// SQLite's URLs escape `%` and end the path at `?`.
fn database_url(state: &Path) -> String {
    let file = state.join("belfry.db").display().to_string();
    format!("sqlite:{}", file.replace('%', "%25").replace('?', "%3F"))
}
