//! The other end of the process link: what the child process does.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use abi_stable::std_types::{RSlice, RVec};
use belfry_plugin_api::boundary::{HostLink, HostLink_TO};
use rustix::process::{Resource, Rlimit, Signal};

use crate::bundle::load::LoadedPlugin;

/// The hidden first argument that makes one of the programs a runner.
pub const CHILD_ARGUMENT: &str = "run-plugin";

/// The runner's whole life: loads the artifact and runs it over the socket that is its standard
/// input. Its exit status is 0 when the plugin ended in peace; otherwise it has told the host why.
pub fn child(artifact: PathBuf, memory_limit_bytes: u64) -> ExitCode {
    match run(artifact, memory_limit_bytes) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            // The host reads this as the reason of the process's end.
            let _ = writeln!(std::io::stderr(), "{reason}");
            ExitCode::FAILURE
        }
    }
}

fn run(artifact: PathBuf, memory_limit_bytes: u64) -> Result<(), String> {
    // A plugin must not outlive its host: what it had in hand is in the host's queue, and the next
    // host hands it out again.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| format!("the runner cannot bind its life to the host's: {error}"))?;
    let limit = Rlimit {
        current: Some(memory_limit_bytes),
        maximum: Some(memory_limit_bytes),
    };
    rustix::process::setrlimit(Resource::Data, limit)
        .map_err(|error| format!("the runner cannot limit its memory: {error}"))?;
    let socket = std::io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .map(UnixStream::from)
        .map_err(|error| format!("the runner has no socket to its host: {error}"))?;
    let reader = socket
        .try_clone()
        .map_err(|error| format!("the runner cannot use its socket: {error}"))?;
    let plugin = LoadedPlugin::open(&artifact).map_err(|error| error.to_string())?;
    let link = SocketLink {
        reader: Mutex::new(reader),
        writer: Mutex::new(socket),
    };
    plugin.run(HostLink_TO::from_value(
        link,
        abi_stable::sabi_trait::TD_Opaque,
    ))
}

/// Bytes that are read at once at the most.
const READ_BYTES: usize = 64 * 1024;

struct SocketLink {
    reader: Mutex<UnixStream>,
    writer: Mutex<UnixStream>,
}

impl HostLink for SocketLink {
    fn receive(&self) -> RVec<u8> {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = vec![0; READ_BYTES];
        loop {
            match reader.read(&mut bytes) {
                Ok(length) => {
                    bytes.truncate(length);
                    return bytes.into();
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return RVec::new(),
            }
        }
    }

    fn send(&self, frames: RSlice<'_, u8>) -> bool {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.write_all(frames.as_slice()).is_ok()
    }
}
