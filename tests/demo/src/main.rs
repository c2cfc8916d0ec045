//! A mail's way to the phones, with everything real but Apple, Google and the phones: `cargo xtask
//! demo` builds what is needed and starts this.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    reason = "this program speaks to whoever sits at the terminal"
)]

mod app;
mod child;
mod host;
mod mail;
mod play;
mod sandbox;
mod show;
mod wait;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

/// The status of a program that an interrupt ended, as shells report it.
const INTERRUPTED: u8 = 130;

#[derive(Debug, Parser)]
#[command(name = "belfry-demo", version, about)]
struct Arguments {
    /// Where `cargo xtask dist --debug` laid programs and plugins out
    #[arg(long, value_name = "DIR")]
    dist: PathBuf,

    /// Send what Dovecot would send instead of starting one
    #[arg(long)]
    stand_in: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // On this thread alone: the kernel ends the processes that a thread started with the thread.
    let outcome = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")
        .and_then(|runtime| runtime.block_on(until_interrupted(&arguments)));
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            println!("\ninterrupted; everything is stopped and removed");
            ExitCode::from(INTERRUPTED)
        }
        Err(error) => {
            println!("\nthe demo failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Plays to the end, or until somebody has had enough: what was started is stopped either way,
/// and the folder with all that it wrote is removed.
async fn until_interrupted(arguments: &Arguments) -> Result<bool> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::select! {
        played = play::play(&arguments.dist, arguments.stand_in) => played.map(|()| true),
        _ = interrupt.recv() => Ok(false),
        _ = terminate.recv() => Ok(false),
        _ = hang_up.recv() => Ok(false),
    }
}
