//! Manifests: what is read, and what is refused with which sentence.

use belfry_plugin_api::manifest::{Isolation, MAX_BYTES, Manifest, PluginId, ServiceKind};
use proptest::prelude::*;

const HEAD: &str = r#"
id = "push-hello"
version = "0.1.0"
api = "^0.1"
"#;

const LISTENER: &str = r#"
[[provides]]
kind = "listener"
name = "hello"
"#;

const HTTP: &str = r#"
[[provides]]
kind = "http-routes"
"#;

const ROUTE: &str = r#"
[[route]]
name = "mail"
surface = "internal"
methods = ["POST"]
paths = ["/mail"]
accept = "inbox"
user = "user"
fields = { user = "string" }
"#;

fn parse(parts: &[&str]) -> Result<Manifest, String> {
    Manifest::parse(parts.concat().as_bytes()).map_err(|error| error.to_string())
}

#[test]
fn the_smallest_manifest_has_the_documented_defaults() {
    let manifest = parse(&[HEAD]).unwrap();
    assert_eq!(manifest.id.as_str(), "push-hello");
    assert_eq!(manifest.start_level, 50);
    assert_eq!(manifest.isolation, Isolation::Process);
    assert_eq!(manifest.memory_limit_mib, 512);
    assert_eq!(manifest.window, 1024);
    assert!(!manifest.exclusive);
    assert!(manifest.kinds().is_empty());
}

#[test]
fn kinds_are_told_once_each_in_their_order() {
    let second = LISTENER.replace("hello", "other");
    let manifest = parse(&[HEAD, HTTP, LISTENER, &second]).unwrap();
    assert_eq!(
        manifest.kinds(),
        [ServiceKind::Listener, ServiceKind::HttpRoutes]
    );
}

#[test]
fn what_is_read_can_be_written_and_read_again() {
    let manifest = parse(&[HEAD, LISTENER, ROUTE]).unwrap();
    let written = toml::to_string(&manifest).unwrap();
    assert_eq!(parse(&[&written]).unwrap(), manifest);
}

#[test]
fn each_contradiction_has_its_sentence() {
    let handler = "[[provides]]\nkind = \"event-handler\"\n";
    let transport = "[[provides]]\nkind = \"transport\"\n";
    let backend = "[[provides]]\nkind = \"credential-backend\"\n";
    let topics = "topics = [\"com/openexchange/*\"]\n";
    let asking = ROUTE.replace("accept = \"inbox\"\n", "");
    let no_methods = ROUTE.replace("[\"POST\"]", "[]");
    let no_paths = ROUTE.replace("[\"/mail\"]", "[]");
    let bare_path = ROUTE.replace("\"/mail\"", "\"/mail\", \"mail\"");
    let no_field = ROUTE.replace("{ user = \"string\" }", "{ uid = \"integer\" }");
    let cases: [(&[&str], &str); 13] = [
        (&[HEAD, handler], "an event-handler names no topics"),
        (
            &[HEAD, LISTENER, topics],
            "a listener has topics or a filter",
        ),
        (
            &[HEAD, LISTENER, "filter = \"(kind=new-mail)\"\n"],
            "a listener has topics or a filter",
        ),
        (
            &[HEAD, HTTP, topics],
            "a http-routes has topics or a filter",
        ),
        (
            &[HEAD, "[[provides]]\nkind = \"listener\"\n"],
            "a listener has no name",
        ),
        (&[HEAD, transport], "a transport has no name"),
        (&[HEAD, backend], "a credential-backend has no name"),
        (
            &[HEAD, HTTP, ROUTE],
            "route mail leads to a listener, which it does not offer",
        ),
        (
            &[HEAD, LISTENER, &asking],
            "route mail leads to a http-routes, which it does not offer",
        ),
        (
            &[HEAD, LISTENER, &no_methods],
            "route mail has no methods or no paths",
        ),
        (
            &[HEAD, LISTENER, &no_paths],
            "route mail has no methods or no paths",
        ),
        (
            &[HEAD, LISTENER, &bare_path],
            "route mail has the path \"mail\", which has no leading '/'",
        ),
        (
            &[HEAD, LISTENER, &no_field],
            "route mail takes the user from a field that it does not require",
        ),
    ];
    for (parts, sentence) in cases {
        let told = parse(parts).unwrap_err();
        assert_eq!(told, format!("the manifest is contradictory: {sentence}"));
    }
    assert_eq!(
        parse(&[HEAD, "window = 0\n"]).unwrap_err(),
        "the manifest is contradictory: window is 0: it would never be handed anything"
    );
}

#[test]
fn what_is_not_a_manifest_is_refused_with_its_place() {
    let cases: [(&[&str], &str); 11] = [
        (&["id = "], "line 1"),
        (&[HEAD, "colour = \"red\"\n"], "colour"),
        (&[HEAD, "[[provides]]\nkind = \"bell\"\n"], "bell"),
        (&[HEAD, LISTENER, "colour = \"red\"\n"], "colour"),
        (&[HEAD, "isolation = \"vm\"\n"], "vm"),
        (&[HEAD, "window = -1\n"], "-1"),
        (&["version = \"0.1.0\"\napi = \"^0.1\"\n"], "`id`"),
        (
            &["id = \"a\"\nversion = \"one\"\napi = \"^0.1\"\n"],
            "line 2",
        ),
        (
            &["id = \"a\"\nversion = \"0.1.0\"\napi = \"new\"\n"],
            "line 3",
        ),
        (
            &["id = \"../a\"\nversion = \"0.1.0\"\napi = \"^0.1\"\n"],
            "is not a plugin id",
        ),
        (
            &[
                HEAD,
                "[[provides]]\nkind = \"event-handler\"\ntopics = [\"a b\"]\n",
            ],
            "is not a topic",
        ),
    ];
    for (parts, part) in cases {
        let told = parse(parts).unwrap_err();
        assert!(told.starts_with("the manifest cannot be read: "), "{told}");
        assert!(told.contains(part), "{part} is not in: {told}");
    }
    let told = Manifest::parse(b"id = \"\xff\"").unwrap_err().to_string();
    assert!(told.starts_with("the manifest is not UTF-8"), "{told}");
}

#[test]
fn a_manifest_is_read_up_to_its_limit() {
    let padded = |length: usize| format!("{HEAD}#{}", "x".repeat(length - HEAD.len() - 1));
    assert!(parse(&[&padded(MAX_BYTES)]).is_ok());
    assert_eq!(
        parse(&[&padded(MAX_BYTES + 1)]).unwrap_err(),
        "the manifest has 65537 bytes; 65536 are allowed"
    );
}

#[test]
fn an_id_is_a_package_name() {
    let long = "a".repeat(64);
    for id in ["a", "push-dovecot", "x2-", &long] {
        assert_eq!(id.parse::<PluginId>().map(String::from).as_deref(), Ok(id));
    }
    let longer = "a".repeat(65);
    for id in [
        "", "2a", "-a", "A", "a_b", "a/b", "a.b", "ä", "a b", &longer,
    ] {
        let error = id.parse::<PluginId>().unwrap_err().to_string();
        assert!(error.contains("is not a plugin id"), "{error}");
    }
}

#[test]
fn what_is_wrong_with_its_form_is_told_in_one_line() {
    assert_eq!(
        parse(&[HEAD, "colour = \"red\"\n"]).unwrap_err(),
        "the manifest cannot be read: TOML parse error at line 5, column 1: unknown field `colour`, \
         expected one of `id`, `version`, `api`, `vendor`, `license`, `description`, \
         `start-level`, `isolation`, `exclusive`, `memory-limit-mib`, `window`, `provides`, \
         `requires`, `route`, `config`"
    );
    let told = parse(&["id = \"push-hello\"\nversion"]).unwrap_err();
    assert!(told.contains("line 2, column 8: "), "{told}");
    assert!(!told.contains('\n'), "{told}");
    let told = parse(&["id = \"push-hello\"\n"]).unwrap_err();
    assert!(told.ends_with("missing field `version`"), "{told}");
    assert!(!told.contains('\n'), "{told}");
}

#[test]
fn lists_without_end_are_refused() {
    for deep in ["[", "{a="] {
        let told = parse(&[HEAD, "vendor = ", &deep.repeat(20_000)]).unwrap_err();
        assert!(
            told.starts_with("the manifest cannot be read: "),
            "{told:.200}"
        );
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_a_manifest_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = Manifest::parse(&bytes);
    }

    /// Damage to a real manifest gets further than arbitrary bytes.
    #[test]
    fn a_damaged_manifest_is_a_manifest_or_an_error(
        place in any::<proptest::sample::Index>(),
        patch in "[\\PC\\n]{0,6}",
        length in 0_usize..6,
    ) {
        let mut text = [HEAD, LISTENER, ROUTE].concat();
        let start = place.index(text.len());
        let end = (start + length).min(text.len());
        text.replace_range(start..end, &patch);
        match Manifest::parse(text.as_bytes()) {
            Ok(manifest) => prop_assert!(!manifest.id.as_str().is_empty()),
            Err(error) => prop_assert!(error.to_string().starts_with("the manifest ")),
        }
    }
}
