//! The programs and plugins under test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The packages whose programs and plugins the scenarios run.
const PACKAGES: [&str; 6] = [
    "belfry-host",
    "push-dovecot",
    "mobile-push",
    "mobile-push-restricted",
    "misbehaving",
    "push-hello",
];

/// The folder with the programs and plugins, built from the sources as they are now. Where
/// `BELFRY_ARTIFACTS` names a folder, its contents are taken instead: one that `cargo xtask dist`
/// laid out, or where cargo puts a release build.
///
/// # Panics
///
/// They cannot be built.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| match std::env::var_os("BELFRY_ARTIFACTS") {
        Some(folder) => PathBuf::from(folder),
        None => build(),
    })
}

fn build() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut build = Command::new(env!("CARGO"));
    build
        .current_dir(&root)
        .args(["build", "--quiet", "--locked"]);
    for package in PACKAGES {
        build.args(["--package", package]);
    }
    let status = build.status().expect("cargo starts");
    assert!(
        status.success(),
        "the programs and plugins under test do not build"
    );
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    target.join("debug")
}

/// A program.
pub fn program(name: &str) -> PathBuf {
    first_that_exists([folder().join(name), folder().join("bin").join(name)])
}

/// A plugin's artifact.
pub fn plugin(id: &str) -> PathBuf {
    let library = folder().join(format!("lib{}.so", id.replace('-', "_")));
    let laid_out = |kind: &str| folder().join(kind).join(format!("{id}.so"));
    first_that_exists([library, laid_out("plugins"), laid_out("fixtures")])
}

/// The last one where none does, so that it is named in what fails.
fn first_that_exists<const N: usize>(candidates: [PathBuf; N]) -> PathBuf {
    let exists = candidates.iter().position(|candidate| candidate.is_file());
    candidates[exists.unwrap_or(N - 1)].clone()
}
