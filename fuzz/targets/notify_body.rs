//! What Dovecot sends, as far as whoever writes a mail can choose it: the host's check of the
//! form, then the plugin's reading and cleaning.
#![no_main]

use std::sync::LazyLock;

use belfry_host::http::internal::check_fields;
use belfry_plugin_api::manifest::{Manifest, Route};
use belfry_plugin_api::user::User;
use libfuzzer_sys::fuzz_target;
use push_dovecot::{notify, text};

static ROUTE: LazyLock<Route> = LazyLock::new(|| {
    let manifest = include_bytes!("../../plugins/push-dovecot/plugin.toml");
    let mut manifest = Manifest::parse(manifest).expect("the plugin's own manifest");
    manifest.routes.remove(0)
});

fuzz_target!(|body: &[u8]| {
    let checked = check_fields(&ROUTE, body);
    let event = notify::event(body, User { context: 1, id: 7 });
    if let Ok(user) = checked {
        assert!(
            user.is_some_and(|user| !user.is_empty()),
            "the route's user is required"
        );
        // The plugin understands all that the host accepted for it, or says why not.
        let _ = event;
    }
    let header = String::from_utf8_lossy(body);
    shown(text::subject(&header), text::MAX_TEXT_BYTES);
    shown(text::snippet(&header), text::MAX_TEXT_BYTES);
    shown(text::sender(&header), text::MAX_SENDER_BYTES);
});

/// What reaches a screen is short, and does nothing to it.
fn shown(text: Option<String>, limit: usize) {
    let Some(text) = text else { return };
    assert!(!text.is_empty(), "nothing is no text");
    assert!(
        text.len() <= limit,
        "{} bytes; {limit} are allowed",
        text.len()
    );
    let is_bidi = |c| matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    let harmful = text.chars().find(|c| c.is_control() || is_bidi(*c));
    assert!(harmful.is_none(), "{harmful:?} is left in {text:?}");
}
