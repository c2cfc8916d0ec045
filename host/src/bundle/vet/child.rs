//! The vetting child: a process that loads one artifact, says what it found, and ends.
//!
//! Loading runs code of the artifact: its constructors. Whatever that code does, it does to this
//! process: it may crash it, hang it, fill its memory or talk on its standard output, and the
//! parent has a sentence for it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use belfry_plugin_api::describe::Description;
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::Errno;
use rustix::process::{Pid, Resource, Rlimit, Signal};
use serde::{Deserialize, Serialize};

use super::{CHILD_ARGUMENT, Fault};
use crate::bundle::load::LoadedPlugin;

/// How long the child may take to load an artifact and ask it for its description.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long after the child's end its last words may take.
const LAST_WORDS_PATIENCE: Duration = Duration::from_secs(1);

/// Private writable memory that the child may have, in bytes.
const MEMORY_BYTES: u64 = 1024 * 1024 * 1024;

/// The longest verdict or last words that are read, in bytes.
const MAX_SAID_BYTES: u64 = 1024 * 1024;

/// How much of the child's last words is passed on, in characters.
const LAST_WORDS: usize = 200;

/// The artifact, as the child sees it: its standard input.
const ARTIFACT: &str = "/proc/self/fd/0";

/// What the child says.
#[derive(Debug, Serialize, Deserialize)]
enum Verdict {
    Described(Description),
    Refused(String),
}

/// Has a child load these bytes. Blocks until it has ended.
///
/// # Errors
///
/// Why they cannot be loaded, or what became of the child.
pub(super) fn describe(bytes: &[u8]) -> Result<Description, Fault> {
    // A group of its own, so that what the artifact starts meanwhile ends with it.
    let mut child = Command::new("/proc/self/exe")
        .arg(CHILD_ARGUMENT)
        .arg(ARTIFACT)
        .env_clear()
        // A function that is missing is missed here, and not when it is first called.
        .env("LD_BIND_NOW", "1")
        .process_group(0)
        .stdin(Stdio::from(in_memory(bytes)?))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let verdict = read_in_background(child.stdout.take());
    let last_words = read_in_background(child.stderr.take());
    // The end of its output is the end of the child, or of what it had to say.
    let verdict = verdict.recv_timeout(PATIENCE);
    end(&child);
    let status = child.wait()?;
    let Ok(verdict) = verdict else {
        return Err(Fault::Loading(format!(
            "loading it did not end within {} s; such code would hang the host's start",
            PATIENCE.as_secs()
        )));
    };
    match serde_json::from_slice(&verdict) {
        Ok(Verdict::Described(description)) => Ok(description),
        Ok(Verdict::Refused(reason)) => Err(Fault::Loading(reason)),
        Err(_) => Err(Fault::Loading(format!(
            "loading it ended the vetting process ({status}){}; such code would end the host",
            quoted(&last_words)
        ))),
    }
}

/// The last line that the child wrote to standard error, if any.
fn quoted(last_words: &Receiver<Vec<u8>>) -> String {
    let said = last_words.recv_timeout(LAST_WORDS_PATIENCE);
    let said = said.unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    match said.lines().rfind(|line| !line.trim().is_empty()) {
        Some(line) => {
            let line: String = line.chars().take(LAST_WORDS).collect();
            format!(", whose last words were {line:?}")
        }
        None => String::new(),
    }
}

/// What is loaded is what was read, whatever happens to the file meanwhile. A file of memory needs
/// no folder that may be full, or mounted so that nothing in it can be executed.
fn in_memory(bytes: &[u8]) -> std::io::Result<OwnedFd> {
    const NAME: &str = "belfry-vetting";
    let made = match memfd_create(NAME, MemfdFlags::CLOEXEC | MemfdFlags::EXEC) {
        // Linux before 6.3 knows no other files of memory than executable ones.
        Err(Errno::INVAL) => memfd_create(NAME, MemfdFlags::CLOEXEC),
        made => made,
    };
    let mut file = File::from(made?);
    file.write_all(bytes)?;
    Ok(file.into())
}

/// The reader may outlive the child, where the artifact left somebody with the other end.
fn read_in_background<R: Read + Send + 'static>(source: Option<R>) -> Receiver<Vec<u8>> {
    let (tell, told) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(source) = source {
            // What came before an error is all there is.
            let _ = source.take(MAX_SAID_BYTES).read_to_end(&mut bytes);
        }
        // Whoever waited may have lost patience.
        let _ = tell.send(bytes);
    });
    told
}

/// Ends the child and all that it started. It is not waited for yet, so the number is still its.
fn end(child: &Child) {
    // They may have ended by themselves.
    let _ = rustix::process::kill_process_group(Pid::from_child(child), Signal::KILL);
}

/// The child's whole life: loads the artifact and says what it found.
pub fn child(path: PathBuf) -> ExitCode {
    let told = set_up().and_then(|mut verdict| {
        let found = match LoadedPlugin::open(&path).and_then(|plugin| plugin.describe()) {
            Ok(description) => Verdict::Described(description),
            Err(error) => Verdict::Refused(error.to_string()),
        };
        verdict.write_all(&serde_json::to_vec(&found)?)
    });
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The parent reads this as the reason of the child's end.
            let _ = writeln!(
                std::io::stderr(),
                "the vetting process cannot work: {error}"
            );
            ExitCode::FAILURE
        }
    }
}

/// Makes the process one that can do no harm, and returns where the verdict goes: the standard
/// output that the parent reads. What the artifact prints goes to standard error.
fn set_up() -> std::io::Result<File> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let limit = |bytes| Rlimit {
        current: Some(bytes),
        maximum: Some(bytes),
    };
    rustix::process::setrlimit(Resource::Data, limit(MEMORY_BYTES))?;
    // A crash here is an answer, and nothing that anybody debugs.
    rustix::process::setrlimit(Resource::Core, limit(0))?;
    let verdict = rustix::io::fcntl_dupfd_cloexec(std::io::stdout(), 3)?;
    rustix::stdio::dup2_stdout(std::io::stderr())?;
    Ok(File::from(verdict))
}
