//! What a panic said, for the operator.

use std::backtrace::Backtrace;
use std::panic::PanicHookInfo;
use std::sync::Once;

use super::threads;
use crate::frame::Failed;

/// Keeps what panics of the plugin's threads say instead of printing it. Each artifact has its own
/// copy of the standard library's hook, so this touches nobody else; in a test the hook that was
/// there still prints what the test itself panics with.
pub(super) fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let otherwise = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if threads::current(|own| own.keep_panic(said(info))).is_none() {
                otherwise(info);
            }
        }));
    });
}

/// What the last panic of the calling thread's plugin said.
pub(super) fn last() -> Failed {
    threads::current(threads::Threads::take_panic)
        .flatten()
        .unwrap_or_else(|| Failed {
            reason: "panicked".into(),
            backtrace: None,
        })
}

fn said(info: &PanicHookInfo<'_>) -> Failed {
    let said = info
        .payload_as_str()
        .unwrap_or("a panic whose message is no text");
    let place = info.location().map_or_else(String::new, |place| {
        format!(" at {}:{}", place.file(), place.line())
    });
    Failed {
        reason: format!("panicked{place}: {said}"),
        backtrace: Some(Backtrace::force_capture().to_string()),
    }
}
