//! One generation of a plugin, from its launch to its end.

use std::sync::Arc;
use std::time::Duration;

use belfry_plugin_api::frame::{Failed, Start, Stop, ToHost, ToPlugin};
use belfry_plugin_api::manifest::{Manifest, PluginId, ServiceKind};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior};

use super::counterpart::Counterpart;
use super::link::{Ended, Link};

/// How long a plugin may take from its launch until it is ready.
const START_PATIENCE: Duration = Duration::from_secs(60);

/// How long a generation's end is waited for after it was told to end at once.
const KILL_PATIENCE: Duration = Duration::from_secs(5);

/// How a generation went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It ended because it was told to.
    Stopped,
    /// It broke.
    Failed(Failed),
}

/// A running generation, as its supervisor sees it.
pub(super) struct Generation {
    pub(super) to_plugin: UnboundedSender<ToPlugin>,
    pub(super) pid: Option<u32>,
    /// Resolves when it is ready for work; dropped when it ends before.
    pub(super) ready: Option<oneshot::Receiver<()>>,
    /// How it went.
    pub(super) ended: oneshot::Receiver<Outcome>,
    stop: Option<oneshot::Sender<Duration>>,
}

impl Generation {
    /// Tells it to end, within a time. Its end comes by [`Generation::ended`].
    pub(super) fn stop(&mut self, within: Duration) {
        if let Some(stop) = self.stop.take() {
            // It may have ended already.
            let _ = stop.send(within);
        }
    }

    /// Looks after a launched generation.
    pub(super) fn tend(
        manifest: Arc<Manifest>,
        link: Link,
        start: Start,
        hang_timeout: Duration,
        counterpart: Arc<dyn Counterpart>,
    ) -> Self {
        let to_plugin = link.to_plugin.clone();
        let pid = link.pid;
        let (tell_ready, ready) = oneshot::channel();
        let (tell_ended, ended) = oneshot::channel();
        let (stop, stopped) = oneshot::channel();
        // The link is fresh: it takes the first frame.
        let _ = to_plugin.send(ToPlugin::Start(start));
        let tender = Tender {
            manifest,
            counterpart,
            hang_timeout,
            ready: Some(tell_ready),
            failed: None,
            last_pong: Instant::now(),
        };
        tokio::spawn(async move {
            let outcome = tender.tend(link, stopped).await;
            let _ = tell_ended.send(outcome);
        });
        Self {
            to_plugin,
            pid,
            ready: Some(ready),
            ended,
            stop: Some(stop),
        }
    }
}

struct Tender {
    manifest: Arc<Manifest>,
    counterpart: Arc<dyn Counterpart>,
    hang_timeout: Duration,
    ready: Option<oneshot::Sender<()>>,
    failed: Option<Failed>,
    last_pong: Instant,
}

impl Tender {
    fn id(&self) -> &PluginId {
        &self.manifest.id
    }

    async fn tend(mut self, link: Link, stopped: oneshot::Receiver<Duration>) -> Outcome {
        let Link {
            to_plugin,
            mut from_plugin,
            ended,
            kill,
            ..
        } = link;
        let mut stopped = Some(stopped);
        let mut kill_at = None::<Instant>;
        let mut pings =
            tokio::time::interval((self.hang_timeout / 3).max(Duration::from_millis(10)));
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut number = 0;
        let started = Instant::now();
        let broken = loop {
            tokio::select! {
                frame = from_plugin.recv() => match frame {
                    Some(Ok(frame)) => {
                        // Nothing follows it. The link itself is not closed yet: in this process
                        // a thread of the plugin waits at its other end.
                        let is_last = matches!(frame, ToHost::Stopped(()) | ToHost::Failed(_));
                        if let Err(reason) = self.frame(&to_plugin, frame).await {
                            break Some(reason);
                        }
                        if is_last {
                            break None;
                        }
                    }
                    Some(Err(reason)) => break Some(reason),
                    None => break None,
                },
                within = wait_for_stop(&mut stopped) => {
                    let deadline_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
                    // Its end is what is waited for, not this frame's arrival.
                    let _ = to_plugin.send(ToPlugin::Stop(Stop { deadline_ms }));
                    kill_at = Some(Instant::now() + within);
                    stopped = None;
                }
                _ = pings.tick() => {
                    if self.last_pong.elapsed() > self.hang_timeout {
                        break Some(format!(
                            "it hangs: a ping was not answered for {} ms",
                            self.hang_timeout.as_millis()
                        ));
                    }
                    if self.ready.is_some() && started.elapsed() > START_PATIENCE {
                        break Some(format!("it was not ready within {} s", START_PATIENCE.as_secs()));
                    }
                    number += 1;
                    let _ = to_plugin.send(ToPlugin::Ping(number));
                }
                () = until(kill_at) => break None,
            }
        };
        let was_told = stopped.is_none();
        drop((to_plugin, from_plugin));
        if broken.is_some() || kill_at.is_some_and(|at| at <= Instant::now()) {
            drop(kill);
        } else {
            // It is ending by itself; the last moments of its process belong to it.
            tokio::spawn(async move {
                tokio::time::sleep(KILL_PATIENCE).await;
                drop(kill);
            });
        }
        let how = tokio::time::timeout(2 * KILL_PATIENCE, ended).await;
        self.outcome(broken, was_told, how.ok().and_then(Result::ok))
    }

    async fn frame(
        &mut self,
        to_plugin: &UnboundedSender<ToPlugin>,
        frame: ToHost,
    ) -> Result<(), String> {
        match frame {
            ToHost::Ready(ready) => {
                self.believe(&ready.kinds)?;
                if let Some(tell) = self.ready.take() {
                    let _ = tell.send(());
                }
                Ok(())
            }
            ToHost::Pong(_) => {
                self.last_pong = Instant::now();
                Ok(())
            }
            ToHost::Failed(failed) => {
                self.failed = Some(failed);
                Ok(())
            }
            ToHost::Stopped(()) => Ok(()),
            ToHost::Unknown(tag) => {
                tracing::warn!(plugin = %self.id(), tag, "a frame of a newer plugin was skipped");
                Ok(())
            }
            other => {
                let counterpart = self.counterpart.clone();
                counterpart.frame(self.id(), to_plugin, other).await
            }
        }
    }

    fn believe(&self, kinds: &[ServiceKind]) -> Result<(), String> {
        if self.manifest.kinds() == kinds {
            Ok(())
        } else {
            Err("it offers other services than its manifest says".into())
        }
    }

    fn outcome(&self, broken: Option<String>, was_told: bool, how: Option<Ended>) -> Outcome {
        let failed = |reason: String| {
            Outcome::Failed(Failed {
                reason,
                backtrace: None,
            })
        };
        // The plugin's own words say more than what the operating system saw of its end.
        if let Some(own) = &self.failed {
            return Outcome::Failed(own.clone());
        }
        match (broken, how) {
            (Some(reason), _) => failed(reason),
            (None, _) if was_told => Outcome::Stopped,
            (None, Some(Ended::Broke(reason))) => failed(reason),
            (None, Some(Ended::Returned)) => failed("it ended without being asked".into()),
            (None, None) => failed("it closed its link and did not end".into()),
        }
    }
}

async fn wait_for_stop(stopped: &mut Option<oneshot::Receiver<Duration>>) -> Duration {
    match stopped {
        Some(receiver) => match receiver.await {
            Ok(within) => within,
            // The supervisor is gone: the host is ending.
            Err(_) => Duration::ZERO,
        },
        None => std::future::pending().await,
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
