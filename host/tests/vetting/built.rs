//! Artifacts that are built for these tests.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};

use serde_json::{Value, json};

/// Variants of one package are built one after the other: each overwrites the file of the one
/// before.
static BUILDING: Mutex<()> = Mutex::new(());

/// A plugin as its author builds it.
pub(crate) fn good() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| build(&["build", "--package", "push-hello"]))
}

/// A plugin that was built with `panic = "abort"` in spite of the macro.
pub(crate) fn with_panic_abort() -> Vec<u8> {
    build(&["rustc", "--package", "abort", "--", "-C", "panic=abort"])
}

/// The same one, exported by hand, and good; while it is loaded it prints to standard output.
pub(crate) fn talkative() -> Vec<u8> {
    build(&["build", "--package", "abort", "--features", "talkative"])
}

/// A plugin whose boundary is another one, in one of its variants.
pub(crate) fn with_other_layout(features: &str) -> Vec<u8> {
    let manifest = root().join("tests/fixtures/other-layout/Cargo.toml");
    let target = target().join("fixtures");
    build(&[
        "build",
        "--manifest-path",
        manifest.to_str().unwrap(),
        "--target-dir",
        target.to_str().unwrap(),
        "--features",
        features,
    ])
}

/// Cargo, in the repository.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root());
    cargo
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The folder that everything is built in.
pub(crate) fn target() -> PathBuf {
    let programs = Path::new(env!("CARGO_BIN_EXE_belfryd")).parent().unwrap();
    programs.parent().unwrap().to_owned()
}

/// Runs Cargo and reads the library that it has built.
fn build(arguments: &[&str]) -> Vec<u8> {
    let _alone = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
    let (verb, rest) = arguments.split_first().unwrap();
    let output = cargo()
        .args([verb, "--quiet", "--locked", "--message-format", "json"])
        .args(rest)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {complaint}{said}");
    let messages = said
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let mut files = messages.filter_map(|message: Value| {
        let is_library = message["target"]["crate_types"] == json!(["cdylib"]);
        let file = message["filenames"].get(0)?.as_str()?;
        is_library.then(|| PathBuf::from(file))
    });
    // A plugin depends on no other.
    std::fs::read(files.next().unwrap()).unwrap()
}
