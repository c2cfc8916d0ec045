//! Dovecot's master process: started, watched, and ended for certain.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::packages;

/// How long it may take to end its processes once it was told to.
const STOP_DEADLINE: Duration = Duration::from_secs(10);

/// The master process. Dropping it ends it and all its children.
pub(super) struct Master {
    pid: Pid,
    ended: Receiver<ExitStatus>,
    exit_status: Option<ExitStatus>,
}

impl Master {
    /// Starts Dovecot in the foreground. What it says before it has its log goes to `output`.
    ///
    /// A thread of its own starts it and waits for it. The kernel is told to end Dovecot with that
    /// thread, so that it is gone even where the test's process is killed.
    pub(super) fn start(
        program: &Path,
        configuration: &Path,
        output: &Path,
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(packages::require("setpriv", &["util-linux"])?);
        command
            .args(["--pdeathsig", "TERM", "--"])
            .arg(program)
            .arg("-F")
            .arg("-c")
            .arg(configuration)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(output)?)
            .process_group(0);
        let (started, start) = mpsc::channel();
        let (ending, ended) = mpsc::channel();
        thread::spawn(move || match command.spawn() {
            Ok(mut child) => {
                let _ = started.send(Ok(child.id()));
                if let Ok(status) = child.wait() {
                    let _ = ending.send(status);
                }
            }
            Err(error) => {
                let _ = started.send(Err(error));
            }
        });
        let pid = start.recv().context("Dovecot's thread ended")?;
        let pid = pid.context("cannot start Dovecot")?;
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        Ok(Self {
            pid: pid.ok_or_else(|| anyhow!("the process id of Dovecot is none"))?,
            ended,
            exit_status: None,
        })
    }

    /// How it ended; `None` while it runs.
    pub(super) fn exit_status(&mut self) -> Option<ExitStatus> {
        self.exit_status = self.exit_status.or_else(|| self.ended.try_recv().ok());
        self.exit_status
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        for signal in [Signal::TERM, Signal::KILL] {
            if self.exit_status().is_none() {
                let _ = kill_process(self.pid, signal);
                self.exit_status = self.ended.recv_timeout(STOP_DEADLINE).ok();
            }
        }
        // Children that outlive the master are in its group still; usually there is none.
        let _ = kill_process_group(self.pid, Signal::KILL);
    }
}
