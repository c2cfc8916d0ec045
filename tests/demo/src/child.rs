//! Programs that are started for the demo and end with it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use belfry_tests::packages;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, Signal};
use tokio::process::{ChildStdout, Command};

/// How long a program may take to end in order.
const END_PATIENCE: Timespec = Timespec {
    tv_sec: 10,
    tv_nsec: 0,
};

/// How much of a log is shown when something went wrong.
const SHOWN_LOG_LINES: usize = 20;

/// A running program. Dropping it ends it: in order, or after some time in any case.
#[derive(Debug)]
pub(crate) struct Child {
    name: String,
    process: tokio::process::Child,
    log: PathBuf,
}

impl Child {
    /// Starts a program; what it says on standard error goes to `log`.
    pub(crate) fn start(program: &Path, arguments: &[&str], log: PathBuf) -> Result<Self> {
        let name = program.file_name().unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        if !program.is_file() {
            bail!(
                "{} is not there: run `cargo xtask dist --debug`",
                program.display()
            );
        }
        // So the kernel ends it where this process is killed and cannot.
        let mut command = Command::new(packages::require("setpriv", &["util-linux"])?);
        command
            .args(["--pdeathsig", "TERM", "--"])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            // An interrupt from the keyboard is for the demo, which ends all in their order.
            .process_group(0);
        let process = command.spawn();
        let process = process.with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self { name, process, log })
    }

    /// What it says on standard output; nobody else gets it.
    pub(crate) fn output(&mut self) -> Option<ChildStdout> {
        self.process.stdout.take()
    }

    /// Fails where it has ended by itself.
    pub(crate) fn runs(&mut self) -> Result<()> {
        if let Some(status) = self.process.try_wait()? {
            bail!("{} ended ({status}):\n{}", self.name, self.last_words());
        }
        Ok(())
    }

    /// The end of what it said on standard error.
    pub(crate) fn last_words(&self) -> String {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(SHOWN_LOG_LINES)..].join("\n")
    }

    fn has_ended(&mut self) -> bool {
        // Where it cannot be waited for it is no child any more.
        !matches!(self.process.try_wait(), Ok(None))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let pid = self.process.id().and_then(|pid| i32::try_from(pid).ok());
        if let Some(pid) = pid.and_then(Pid::from_raw).filter(|_| !self.has_ended()) {
            let _ = rustix::process::kill_process(pid, Signal::TERM);
            if !ends(pid, END_PATIENCE) {
                let _ = self.process.start_kill();
                ends(pid, END_PATIENCE);
            }
        }
    }
}

/// Waits until a child ends.
fn ends(pid: Pid, patience: Timespec) -> bool {
    let Ok(process) = rustix::process::pidfd_open(pid, PidfdFlags::empty()) else {
        return true;
    };
    let mut watched = [PollFd::new(&process, PollFlags::IN)];
    matches!(rustix::event::poll(&mut watched, Some(&patience)), Ok(1..))
}
