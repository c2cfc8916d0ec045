//! What each step of `cargo xtask test` does.

use std::fs;

use anyhow::Result;

use super::secrets;
use crate::dist::{self, Profile};
use crate::process::{cargo, run, run_and_keep};
use crate::{packages, paths, tools};

/// Tells tests where programs and plugins are laid out.
const ARTIFACTS_VARIABLE: &str = "BELFRY_ARTIFACTS";

/// Tells tests where to leave the logs of hosts.
const LOGS_VARIABLE: &str = "BELFRY_TEST_LOGS";

pub(super) fn packages() -> Result<()> {
    let needs: Vec<_> = [&packages::COMPILERS[..], &packages::DOVECOT].concat();
    packages::install(&needs)
}

pub(super) fn format() -> Result<()> {
    run(&mut cargo(&["fmt", "--all", "--check"]))?;
    let fuzz = "fuzz/Cargo.toml";
    run(&mut cargo(&["fmt", "--check", "--manifest-path", fuzz]))
}

pub(super) fn unused() -> Result<()> {
    run(&mut tools::MACHETE.command()?)
}

pub(super) fn deny(advisories: bool) -> Result<()> {
    let mut deny = tools::DENY.command()?;
    deny.args(["check", "bans", "licenses", "sources"]);
    if advisories {
        deny.arg("advisories");
    }
    run(&mut deny)
}

pub(super) fn clippy() -> Result<()> {
    let mut clippy = cargo(&["clippy", "--workspace", "--all-targets", "--locked"]);
    run(clippy.args(["--", "-D", "warnings"]))
}

pub(super) fn build() -> Result<()> {
    dist::lay_out(Profile::Debug).map(drop)
}

pub(super) fn tests() -> Result<()> {
    let logs = paths::at("target/test-logs");
    if logs.exists() {
        fs::remove_dir_all(&logs)?;
    }
    fs::create_dir_all(&logs)?;
    let mut tests = cargo(&["test", "--workspace", "--locked"]);
    tests.env(ARTIFACTS_VARIABLE, Profile::Debug.folder());
    tests.env(LOGS_VARIABLE, &logs);
    run_and_keep(&mut tests, &logs.join("cargo-test.txt"))?;
    secrets::look_for_them(&logs)
}

pub(super) fn docs() -> Result<()> {
    let doc = |what: &[&str], flags: &str| {
        let mut doc = cargo(&["doc", "--no-deps", "--locked"]);
        run(doc.args(what).env("RUSTDOCFLAGS", flags))
    };
    // Who works on the host reads of its inside as well.
    let inside = "-D warnings -A rustdoc::private-intra-doc-links";
    doc(&["--workspace"], inside)?;
    // Authors of plugins cannot.
    doc(&["--package", "belfry-plugin-api"], "-D warnings")
}
