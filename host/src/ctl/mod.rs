//! The command-line client: `belfryctl`, and `listpushusers` by its old name.
//!
//! It speaks to the [admin API](crate::http::admin) over the host's socket. `args` is what can
//! be typed; each group of verbs has a file of its own.

mod args;
mod client;
mod config;
mod deliveries;
mod events;
mod failure;
mod health;
mod log;
mod output;
mod plugins;
mod table;
mod users;
mod vet;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, Command, ListPushUsers};
use client::Client;
use failure::Failure;
use output::Output;

/// `belfryctl`.
pub fn belfryctl(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    match Arguments::try_parse_from(arguments) {
        Ok(arguments) => ended("belfryctl", run(arguments)),
        Err(error) => misunderstood(&error),
    }
}

/// `listpushusers`: the same as `belfryctl listpushusers`.
pub fn list_push_users(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match ListPushUsers::try_parse_from(arguments) {
        Ok(ListPushUsers { common }) => Arguments {
            common,
            command: Command::Listpushusers,
        },
        Err(error) => return misunderstood(&error),
    };
    ended("listpushusers", run(arguments))
}

/// Wrong usage is 2; asking for help is no mistake.
fn misunderstood(error: &clap::Error) -> ExitCode {
    // There is nobody to tell where standard error is closed.
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

#[expect(clippy::print_stderr, reason = "where a program says why it failed")]
fn ended(program: &str, result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) | Err(Failure::NobodyReads) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{program}: {}", output::one_line(&failure.to_string()));
            ExitCode::from(failure.exit_code())
        }
    }
}

fn run(Arguments { common, command }: Arguments) -> Result<(), Failure> {
    let output = Output::new(common.json);
    if let Command::Plugin(args::Plugin::Vet { file }) = &command {
        return vet::vet(file, &output);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime
        .map_err(|error| Failure::Refused(format!("the runtime cannot be started: {error}")))?;
    let client = Client::new(common.socket);
    runtime.block_on(async {
        match command {
            Command::Plugin(verb) => plugins::run(&client, &output, verb).await,
            Command::Service(args::Service::List) => plugins::services(&client, &output).await,
            Command::Event(verb) => events::run(&client, &output, verb).await,
            Command::Listpushusers => users::listeners(&client, &output).await,
            Command::Registration(verb) => users::registration(&client, &output, verb).await,
            Command::Subscription(verb) => users::subscription(&client, &output, verb).await,
            Command::Config(verb) => config::run(&client, &output, verb).await,
            Command::User(verb) => users::user(&client, &output, verb).await,
            Command::Delivery(verb) => deliveries::run(&client, &output, verb).await,
            Command::Log(verb) => log::run(&client, &output, verb).await,
            Command::Health => health::health(&client, &output).await,
        }
    })
}
