//! APNs and FCM doubles as a program: operators point a host at them and watch pushes come in.
#![forbid(unsafe_code)]

mod args;
mod control;
mod folder;
mod output;
mod run;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::Args;

fn main() -> ExitCode {
    let args = Args::parse();
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Into::into)
        .and_then(|runtime| {
            let outcome = runtime.block_on(run::run(args));
            // A read from standard input cannot be cancelled and must not hold up the end.
            runtime.shutdown_background();
            outcome
        });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&format!("belfry-sandbox: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
