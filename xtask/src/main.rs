//! The project's own commands: `cargo xtask COMMAND`.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    reason = "this program speaks to whoever sits at the terminal"
)]

mod artifacts;
mod bench;
mod demo;
mod dist;
mod fuzz;
mod packages;
mod paths;
mod process;
mod test;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show a mail's way to the phones: real mail server, host, plugins, doubles of the providers
    Demo,
    /// Check everything: form, lints, tests, docs, dependencies, a short run of the fuzz targets
    Test(test::Arguments),
    /// Measure a release build, each figure beside something simpler in the same run
    Bench(bench::Arguments),
    /// Lay a build out as packages would install it, in target/dist
    Dist(dist::Arguments),
    /// Run fuzz targets; crashing inputs are kept in fuzz/artifacts
    Fuzz(fuzz::Arguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Verb::Demo => demo::run(),
        Verb::Test(arguments) => test::run(&arguments),
        Verb::Bench(arguments) => bench::measure(&arguments),
        Verb::Dist(arguments) => dist::run(&arguments),
        Verb::Fuzz(arguments) => fuzz::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
