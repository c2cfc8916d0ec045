//! The host.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use belfry_host::config::{Folder, Override};
use belfry_host::log::{self, Format};
use belfry_host::node::{Running, Startup, check, log_format};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

/// Where configuration lies unless the command line says otherwise.
const CONFIG: &str = "/etc/belfry";

/// Belfry, a host for mail-notification plugins.
#[derive(Debug, Parser)]
#[command(name = "belfryd", version)]
struct Arguments {
    /// The configuration folder [default: /etc/belfry]
    #[arg(long, value_name = "DIR")]
    config: Option<PathBuf>,

    /// The plugins folder
    #[arg(long, value_name = "DIR", default_value = "/usr/lib/belfry/plugins")]
    plugins: PathBuf,

    /// The state folder
    #[arg(long, value_name = "DIR", default_value = "/var/lib/belfry")]
    state: PathBuf,

    /// Sets a key, stronger than any file; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<Override>,

    /// Read all configuration, vet all plugins, start nothing; exit 0, or say every fault
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    if let Some(done) = belfry_host::children::run(std::env::args_os()) {
        return done;
    }
    let arguments = Arguments::parse();
    let startup = Startup {
        config: arguments
            .config
            .map_or_else(|| Folder::usual(CONFIG), Folder::named),
        plugins: absolute(arguments.plugins),
        state: absolute(arguments.state),
        overrides: arguments.set,
    };
    log::install(Format::of(log_format(&startup).as_deref()));
    if arguments.check {
        return say_faults(&check(&startup));
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "the runtime cannot be started");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(serve(&startup))
}

/// Only an empty path has no absolute form, and using it says so.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

#[expect(
    clippy::print_stderr,
    reason = "the answer of --check, for people and scripts"
)]
fn say_faults(faults: &[String]) -> ExitCode {
    for fault in faults {
        eprintln!("{fault}");
    }
    ExitCode::from(u8::from(!faults.is_empty()))
}

async fn serve(startup: &Startup) -> ExitCode {
    // From here on a signal ends the host in order, also while it starts.
    let signals = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
        signal(SignalKind::hangup()),
    );
    let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hang_up)) = signals else {
        tracing::error!("signals cannot be received");
        return ExitCode::FAILURE;
    };
    let running = tokio::select! {
        started = Running::start(startup) => match started {
            Ok(running) => running,
            Err(error) => {
                tracing::error!(%error, "the host does not start");
                return ExitCode::FAILURE;
            }
        },
        _ = terminate.recv() => return ExitCode::SUCCESS,
        _ = interrupt.recv() => return ExitCode::SUCCESS,
    };
    tell_systemd(sd_notify::NotifyState::Ready);
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => {
                let config = running.node().config().clone();
                // What is wrong is logged where it is found.
                let _ = tokio::task::spawn_blocking(move || config.reload()).await;
            }
        }
    }
    tell_systemd(sd_notify::NotifyState::Stopping);
    running.end().await;
    ExitCode::SUCCESS
}

fn tell_systemd(state: sd_notify::NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::debug!(%error, "systemd was not told");
    }
}
