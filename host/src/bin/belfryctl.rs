//! Operations on a running host.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(done) = belfry_host::children::run(std::env::args_os()) {
        return done;
    }
    belfry_host::ctl::belfryctl(std::env::args_os())
}
