//! The doubles of Apple and Google: `belfry-sandbox`, as operators run it.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::ChildStdout;

use crate::child::Child;
use crate::wait::within;

/// Both doubles, in one process.
pub(crate) struct Sandbox {
    _process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// Where it is, as it says it.
    pub(crate) ready: Ready,
    /// Properties that point a host at the doubles.
    pub(crate) properties: PathBuf,
}

/// One line of what it prints.
#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Line {
    Ready(Ready),
    Push(Push),
    #[serde(other)]
    Other,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Ready {
    pub(crate) apns: String,
    pub(crate) fcm: String,
}

/// A push that a double saw.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Push {
    at_ms: u64,
    /// `apns` or `fcm`.
    pub(crate) provider: String,
    pub(crate) token: String,
    pub(crate) outcome: String,
    pub(crate) sender: Option<String>,
    pub(crate) subject: Option<String>,
    pub(crate) unread: Option<Value>,
    pub(crate) cid: Option<String>,
}

impl Push {
    /// How long after `start` it came.
    pub(crate) fn after(&self, start: SystemTime) -> Duration {
        let at = UNIX_EPOCH + Duration::from_millis(self.at_ms);
        at.duration_since(start).unwrap_or_default()
    }
}

impl Sandbox {
    /// Starts both and waits until they listen.
    pub(crate) async fn start(dist: &Path, folder: &Path) -> Result<Self> {
        let own = folder.join("sandbox");
        let directory = own.display().to_string();
        let mut process = Child::start(
            &dist.join("bin/belfry-sandbox"),
            &["--json", "--dir", &directory],
            folder.join("sandbox.log"),
        )?;
        let output = process.output().context("the sandbox has no output")?;
        let mut lines = BufReader::new(output).lines();
        let ready = within("the sandbox to be ready", async {
            loop {
                let line = lines.next_line().await?;
                let line = line.with_context(|| {
                    format!("the sandbox does not start:\n{}", process.last_words())
                })?;
                if let Line::Ready(ready) = serde_json::from_str(&line)? {
                    return Ok(ready);
                }
            }
        });
        let ready = ready.await?;
        Ok(Self {
            _process: process,
            lines,
            ready,
            properties: own.join("sandbox.properties"),
        })
    }

    /// The next push.
    pub(crate) async fn push(&mut self) -> Result<Push> {
        loop {
            let line = self.lines.next_line().await?;
            let line = line.context("the sandbox ended")?;
            if let Line::Push(push) = serde_json::from_str(&line)? {
                return Ok(push);
            }
        }
    }
}
