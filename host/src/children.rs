//! The child processes that the programs start of themselves.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::bundle::{link, vet};

/// Does a child's work where the command line asks for it. Each program calls this before
/// anything else.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut arguments = arguments.into_iter().skip(1);
    let first = arguments.next()?;
    if first == vet::CHILD_ARGUMENT {
        return Some(vet::child(PathBuf::from(arguments.next()?)));
    }
    if first == link::CHILD_ARGUMENT {
        let artifact = PathBuf::from(arguments.next()?);
        let limit = arguments.next()?.to_str()?.parse().ok()?;
        return Some(link::child(artifact, limit));
    }
    None
}
