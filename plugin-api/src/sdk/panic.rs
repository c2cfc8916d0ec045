//! What a panic said, for the operator.

use std::backtrace::Backtrace;
use std::sync::{Mutex, PoisonError};

use crate::frame::Failed;

static LAST: Mutex<Option<Failed>> = Mutex::new(None);

/// Keeps what panics say instead of printing it. Each artifact has its own copy of the standard
/// library's hook, so this touches nobody else.
pub(super) fn install() {
    std::panic::set_hook(Box::new(|info| {
        let said = info
            .payload_as_str()
            .unwrap_or("a panic whose message is no text");
        let place = info.location().map_or_else(String::new, |place| {
            format!(" at {}:{}", place.file(), place.line())
        });
        let failed = Failed {
            reason: format!("panicked{place}: {said}"),
            backtrace: Some(Backtrace::force_capture().to_string()),
        };
        *LAST.lock().unwrap_or_else(PoisonError::into_inner) = Some(failed);
    }));
}

/// What the last panic said.
pub(super) fn last() -> Failed {
    LAST.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take()
        .unwrap_or_else(|| Failed {
            reason: "panicked".into(),
            backtrace: None,
        })
}
