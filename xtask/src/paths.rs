//! Where things lie in the checkout.

use std::path::{Path, PathBuf};

/// The checkout.
pub(crate) fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// A path in the checkout.
pub(crate) fn at(relative: &str) -> PathBuf {
    root().join(relative)
}

/// A path as it is said to people: relative to the checkout where it lies there.
pub(crate) fn shown(path: &Path) -> std::path::Display<'_> {
    path.strip_prefix(root()).unwrap_or(path).display()
}
