//! Measures Belfry, each figure beside something simpler in the same run.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark prints, and ends where anything is not as it should be"
)]

mod cpu;
mod figures;
mod links;
mod load;
mod notify;
mod raw;

use std::process::ExitCode;

use clap::Parser;

use figures::Figures;

/// Measures Belfry beside something simpler in the same run.
#[derive(Debug, Parser)]
struct Arguments {
    /// Ends with one line of JSON, figure by figure
    #[arg(long)]
    json: bool,

    /// Notifications of the throughput figures
    #[arg(long, default_value_t = 50_000)]
    notifications: u32,

    /// Only figures whose name begins so
    #[arg(long, value_name = "PREFIX")]
    only: Option<String>,
}

fn main() -> ExitCode {
    // The process link starts this very program as a runner.
    if let Some(done) = belfry_host::children::run(std::env::args_os()) {
        return done;
    }
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut figures = Figures::default();
    let wants = |name: &str| {
        arguments
            .only
            .as_ref()
            .is_none_or(|only| name.starts_with(only.as_str()))
    };
    runtime.block_on(async {
        if wants("link") {
            links::measure(&mut figures).await;
        }
        if wants("notify") {
            notify::measure(&mut figures, arguments.notifications).await;
        }
    });
    if arguments.json {
        println!("{}", figures.json());
    }
    ExitCode::SUCCESS
}
