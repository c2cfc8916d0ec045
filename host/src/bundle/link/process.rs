//! A generation in a process of its own.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};

use belfry_plugin_api::frame::Splitter;
use belfry_plugin_api::manifest::PluginId;
use bytes::BytesMut;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{ChildStderr, Command};
use tokio::sync::{mpsc, oneshot};

use super::{BATCH_FRAMES, CHILD_ARGUMENT, Ended, Launch, Link, QUEUE_FRAMES, READ_BYTES};

/// Lines of a plugin's standard error that are kept for the reason of its end.
const KEPT_LINES: usize = 20;

/// What the Rust runtime writes when it gives up.
const LAST_WORDS: [&str; 2] = ["memory allocation of", "has overflowed its stack"];

/// The longest line of standard error that is logged, in bytes.
const MAX_LINE_BYTES: u64 = 8 * 1024;

pub(super) fn launch(launch: &Launch<'_>) -> std::io::Result<Link> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let (mut reader, mut writer) = UnixStream::from_std(ours)?.into_split();
    // The image of this very process: the file may have been replaced by an upgrade.
    let mut child = Command::new("/proc/self/exe")
        .arg0(format!("belfryd: {}", launch.id))
        .arg(CHILD_ARGUMENT)
        .arg(launch.artifact)
        .arg(launch.memory_limit_bytes.to_string())
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let pid = child.id();
    let stderr = child.stderr.take();

    let (to_plugin, mut outgoing) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut batch = Vec::with_capacity(BATCH_FRAMES);
        let mut buffer = BytesMut::new();
        while super::next_batch(&mut outgoing, &mut batch, &mut buffer)
            .await
            .is_some()
        {
            if writer.write_all(&buffer).await.is_err() {
                // The process has ended; its end is reported by whoever waits for it.
                return;
            }
            buffer.clear();
        }
    });

    let (frames, from_plugin) = mpsc::channel(QUEUE_FRAMES);
    let reading = tokio::spawn(async move {
        let mut splitter = Splitter::default();
        loop {
            splitter.buffer().reserve(READ_BYTES);
            match reader.read_buf(splitter.buffer()).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {
                    if !super::pass_on(&mut splitter, &frames).await {
                        return;
                    }
                }
            }
        }
    });

    let (kill, killed) = oneshot::channel::<()>();
    let (tell_ended, ended) = oneshot::channel();
    let last_lines = tokio::spawn(last_lines(launch.id.clone(), stderr));
    tokio::spawn(async move {
        let status = tokio::select! {
            status = child.wait() => status,
            _ = killed => {
                // It may have ended by itself meanwhile.
                let _ = child.start_kill();
                child.wait().await
            }
        };
        // Everything that it said before its end is passed on first.
        let _ = reading.await;
        let lines = last_lines.await.unwrap_or_default();
        let _ = tell_ended.send(how(status, &lines));
    });

    Ok(Link {
        to_plugin,
        from_plugin,
        ended,
        pid,
        kill,
    })
}

/// Logs what the plugin writes to standard error, and returns the last lines when it has ended.
async fn last_lines(id: PluginId, stderr: Option<ChildStderr>) -> VecDeque<String> {
    let mut kept = VecDeque::new();
    let Some(stderr) = stderr else { return kept };
    let mut lines = BufReader::new(stderr);
    loop {
        let mut line = Vec::new();
        match (&mut lines)
            .take(MAX_LINE_BYTES)
            .read_until(b'\n', &mut line)
            .await
        {
            Ok(0) | Err(_) => return kept,
            Ok(_) => {
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                tracing::warn!(plugin = %id, "standard error: {line}");
                if kept.len() == KEPT_LINES {
                    kept.pop_front();
                }
                kept.push_back(line);
            }
        }
    }
}

fn how(status: std::io::Result<ExitStatus>, lines: &VecDeque<String>) -> Ended {
    let status = match status {
        Ok(status) if status.success() => return Ended::Returned,
        Ok(status) => status,
        Err(error) => return Ended::Broke(format!("its end could not be observed: {error}")),
    };
    let what = match (status.signal(), status.code()) {
        (Some(signal), _) => format!(
            "its process was ended by signal {signal}{}",
            signal_name(signal)
        ),
        (None, code) => format!("its process exited with status {}", code.unwrap_or(-1)),
    };
    // The runtime's own last words, which further lines may follow.
    let says_why = |line: &&String| LAST_WORDS.iter().any(|words| line.contains(words));
    let word = lines.iter().find(says_why);
    let word = word.or_else(|| lines.iter().rev().find(|line| !line.is_empty()));
    Ended::Broke(match word {
        Some(line) => format!("{what}: {line}"),
        None => what,
    })
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        4 => " (SIGILL)",
        6 => " (SIGABRT)",
        7 => " (SIGBUS)",
        8 => " (SIGFPE)",
        9 => " (SIGKILL)",
        11 => " (SIGSEGV)",
        15 => " (SIGTERM)",
        24 => " (SIGXCPU)",
        _ => "",
    }
}
