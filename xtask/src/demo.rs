//! `cargo xtask demo`: builds everything, then becomes the demo.

use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::dist::{self, Profile};
use crate::packages;

/// The package, and program, that plays the demo.
const DEMO: &str = "belfry-demo";

pub(crate) fn run() -> Result<()> {
    let started = Instant::now();
    if let Err(error) = packages::install(&packages::DOVECOT) {
        println!("Dovecot is {error:#}");
    }
    println!("Building; the first time this takes some minutes.");
    let built = dist::lay_out(Profile::Debug)?;
    println!("Built in {:.1} s.", started.elapsed().as_secs_f64());
    let demo = built.into_iter().find(|artifact| artifact.name == DEMO);
    let demo = demo.context("cargo built no demo")?.file;
    // Signals reach the demo itself when there is nothing in between.
    let error = Command::new(&demo)
        .arg("--dist")
        .arg(Profile::Debug.folder())
        .exec();
    Err(error).with_context(|| format!("cannot start {}", demo.display()))
}
