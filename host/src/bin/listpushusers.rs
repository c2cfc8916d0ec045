//! The users whose new mail is heard of, under the name that operators know.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    belfry_host::ctl::list_push_users(std::env::args_os())
}
