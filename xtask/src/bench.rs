//! `cargo xtask bench`: builds for release, then measures.

use std::process::Command;

use anyhow::{Context as _, Result};

use crate::dist::{self, Profile};
use crate::packages;
use crate::process::run;

/// The package, and program, that measures.
const BENCH: &str = "belfry-bench";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// End with one line of JSON, figure by figure
    #[arg(long)]
    json: bool,

    /// Notifications of the throughput figures
    #[arg(long)]
    notifications: Option<u32>,

    /// Only figures whose name begins so
    #[arg(long, value_name = "PREFIX")]
    only: Option<String>,
}

pub(crate) fn measure(arguments: &Arguments) -> Result<()> {
    packages::install(&packages::DOVECOT)?;
    let built = dist::lay_out(Profile::Bench)?;
    let bench = built.into_iter().find(|artifact| artifact.name == BENCH);
    let mut bench = Command::new(bench.context("cargo built no benchmark")?.file);
    // Where a benchmark starts programs and plugins, it starts those of the release build.
    bench.env("BELFRY_ARTIFACTS", Profile::Bench.folder());
    if arguments.json {
        bench.arg("--json");
    }
    if let Some(count) = arguments.notifications {
        bench.args(["--notifications", &count.to_string()]);
    }
    if let Some(only) = &arguments.only {
        bench.args(["--only", only]);
    }
    run(&mut bench)
}
