//! A plugin's life between the first frame and the last.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::lanes::Lanes;
use super::outbound::Outbound;
use super::threads::Threads;
use super::{Config, Host, Services, log, panic};
use crate::boundary::HostLinkObject;
use crate::describe::{API_VERSION, Exported};
use crate::error::{Error, Result};
use crate::frame::{
    DeliveryDone, EventDone, Failed, Numbered, Ready, ReportDone, Splitter, Start, ToHost, ToPlugin,
};

/// Frames that may wait for the main loop before the reader waits, too.
const QUEUE_FRAMES: usize = 1024;

/// What the deadline of a stop leaves for saying so.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Runs a plugin on this thread until the host says stop or goes.
pub(crate) fn run<P: Exported>(link: HostLinkObject) -> Result<()> {
    panic::install();
    let link = Arc::new(link);
    let (outbound, writer) = Outbound::start(link.clone())?;
    log::install(outbound.clone());
    let threads = Threads::new(outbound.clone());
    threads.enter();
    // One worker: what a plugin needs, and a handler that blocks it is noticed by the host,
    // because pings are answered there, too.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name(P::NAME)
        .on_thread_start({
            let threads = threads.clone();
            move || threads.enter()
        })
        .enable_all()
        .build()?;
    let (to_loop, frames) = mpsc::channel(QUEUE_FRAMES);
    std::thread::Builder::new()
        .name("from-host".into())
        .spawn(move || {
            threads.enter();
            read(&link, &to_loop);
        })?;

    let result = runtime.block_on(async {
        let ended = main_loop::<P>(frames, &outbound).await;
        let last = match &ended {
            Ok(()) => ToHost::Stopped(()),
            Err(failed) => ToHost::Failed(failed.clone()),
        };
        outbound.send(last).await;
        ended
    });
    // Tasks that are still there are cut off: their work is the host's to repeat.
    runtime.shutdown_background();
    // The writer ends behind the last frame; a panic of its own leaves nothing to say it with.
    let _ = writer.join();
    result.map_err(|failed| Error::permanent(failed.reason))
}

fn read(link: &HostLinkObject, to_loop: &mpsc::Sender<ToPlugin>) {
    let mut splitter = Splitter::default();
    loop {
        let bytes = link.receive();
        if bytes.is_empty() {
            return;
        }
        splitter.buffer().extend_from_slice(&bytes);
        loop {
            let frame: Bytes = match splitter.next_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(error) => {
                    tracing::error!(%error, "the host's frames cannot be told apart any more");
                    return;
                }
            };
            match ToPlugin::decode(&frame) {
                Ok(frame) => {
                    if to_loop.blocking_send(frame).is_err() {
                        return;
                    }
                }
                Err(error) => tracing::error!(%error, "a frame of the host was skipped"),
            }
        }
    }
}

async fn main_loop<P: Exported>(
    mut frames: mpsc::Receiver<ToPlugin>,
    outbound: &Outbound,
) -> Result<(), Failed> {
    let Some((start, host)) = first_frame(&mut frames, outbound).await? else {
        return Ok(());
    };
    let services = P::services();
    let Some(plugin) = started::<P>(&mut frames, outbound, start, host.clone()).await? else {
        return Ok(());
    };
    outbound
        .send(ToHost::Ready(Ready {
            kinds: services.kinds(),
            api_version: API_VERSION.to_owned(),
        }))
        .await;

    let mut work = Work {
        plugin,
        host,
        services,
        outbound: outbound.clone(),
        lanes: Lanes::start(),
        tasks: JoinSet::new(),
    };
    loop {
        tokio::select! {
            frame = frames.recv() => match frame {
                Some(ToPlugin::Stop(stop)) => {
                    return work.stop(Duration::from_millis(stop.deadline_ms), frames).await;
                }
                Some(frame) => work.begin(frame),
                None => return Ok(()),
            },
            _ = work.lanes.failed() => return Err(panic::last()),
            Some(ended) = work.tasks.join_next() => {
                if ended.is_err() {
                    return Err(panic::last());
                }
            }
        }
    }
}

async fn first_frame(
    frames: &mut mpsc::Receiver<ToPlugin>,
    outbound: &Outbound,
) -> Result<Option<(Start, Host)>, Failed> {
    match frames.recv().await {
        Some(ToPlugin::Start(start)) => {
            log::want(start.log_level);
            let host = Host::new(outbound.clone(), &start);
            Ok(Some((start, host)))
        }
        Some(other) => Err(Failed {
            reason: format!(
                "the host's first frame was {:?} instead of \"start\"",
                other.tag()
            ),
            backtrace: None,
        }),
        None => Ok(None),
    }
}

/// Runs the author's `start`, answering meanwhile what it may ask for. `None` where the host said
/// stop or has gone.
async fn started<P: Exported>(
    frames: &mut mpsc::Receiver<ToPlugin>,
    outbound: &Outbound,
    start: Start,
    host: Host,
) -> Result<Option<Arc<P>>, Failed> {
    let mut starting = tokio::spawn(P::start(host.clone(), Config::from(start.config)));
    loop {
        tokio::select! {
            ended = &mut starting => return match ended {
                Ok(Ok(plugin)) => Ok(Some(Arc::new(plugin))),
                Ok(Err(error)) => Err(Failed { reason: error.to_string(), backtrace: None }),
                Err(_) => Err(panic::last()),
            },
            frame = frames.recv() => match frame {
                Some(ToPlugin::Answer(answer)) => host.answered(answer),
                Some(ToPlugin::Ping(number)) => pong(outbound, number),
                Some(ToPlugin::LogLevel(wanted)) => log::want(wanted.level),
                Some(ToPlugin::Stop(_)) | None => {
                    starting.abort();
                    return Ok(None);
                }
                Some(other) => tracing::warn!(tag = other.tag(), "a frame came before the plugin was ready and was skipped"),
            },
        }
    }
}

/// Answers on the runtime's worker, so that a plugin which blocks it is found out.
fn pong(outbound: &Outbound, number: u64) {
    let outbound = outbound.clone();
    tokio::spawn(async move { outbound.send(ToHost::Pong(number)).await });
}

struct Work<P> {
    plugin: Arc<P>,
    host: Host,
    services: Services<P>,
    outbound: Outbound,
    lanes: Lanes,
    tasks: JoinSet<()>,
}

impl<P: Exported> Work<P> {
    /// Begins what a frame asks for.
    fn begin(&mut self, frame: ToPlugin) {
        match frame {
            ToPlugin::Reports(reports) => {
                for report in reports {
                    let (id, user, call) = (report.id, report.user, self.services.report);
                    let answer = call.map(|call| call(self.plugin.clone(), report));
                    let outbound = self.outbound.clone();
                    self.lanes.run(user, async move {
                        let result = or_not_offered(answer, "a listener").await;
                        outbound
                            .send(ToHost::ReportsDone(vec![ReportDone { id, result }]))
                            .await;
                    });
                }
            }
            ToPlugin::Events(events) => {
                for one in events {
                    let (id, user, call) = (one.id, one.event.user, self.services.handle);
                    let answer = call.map(|call| call(self.plugin.clone(), one.event));
                    let outbound = self.outbound.clone();
                    self.lanes.run(user, async move {
                        let result = or_not_offered(answer, "an event handler").await;
                        outbound
                            .send(ToHost::EventsDone(vec![EventDone { id, result }]))
                            .await;
                    });
                }
            }
            ToPlugin::Deliveries(deliveries) => {
                for delivery in deliveries {
                    let Some(call) = self.services.deliver else {
                        tracing::error!(
                            "the host handed a delivery to a plugin that is no transport"
                        );
                        continue;
                    };
                    let (id, plugin) = (delivery.id, self.plugin.clone());
                    let outbound = self.outbound.clone();
                    self.tasks.spawn(async move {
                        let outcome = call(plugin, delivery).await;
                        outbound
                            .send(ToHost::DeliveriesDone(vec![DeliveryDone { id, outcome }]))
                            .await;
                    });
                }
            }
            ToPlugin::Listen(Numbered { id, body }) => {
                let answer = self
                    .services
                    .listen
                    .map(|call| call(self.plugin.clone(), body));
                self.answer(async move {
                    let body = or_not_offered(answer, "a listener").await;
                    ToHost::Listened(Numbered { id, body })
                });
            }
            ToPlugin::Http(Numbered { id, body }) => {
                let answer = self
                    .services
                    .respond
                    .map(|call| call(self.plugin.clone(), body));
                self.answer(async move {
                    let body = or_not_offered(answer, "answering HTTP requests").await;
                    ToHost::HttpReply(Numbered { id, body })
                });
            }
            ToPlugin::Credential(Numbered { id, body }) => {
                let call = self.services.credential;
                let answer = call.map(|call| call(self.plugin.clone(), body.provider));
                self.answer(async move {
                    let body = or_not_offered(answer, "a credential backend").await;
                    ToHost::Credential(Numbered { id, body })
                });
            }
            ToPlugin::Configure(configure) => {
                let plugin = self.plugin.clone();
                self.tasks.spawn(async move {
                    if let Err(error) = plugin.configure(Config::from(configure)).await {
                        tracing::error!(%error, "the changed configuration is not in force");
                    }
                });
            }
            ToPlugin::CredentialChanged(which) => {
                let plugin = self.plugin.clone();
                self.tasks
                    .spawn(async move { plugin.credential_changed(which.provider).await });
            }
            ToPlugin::Answer(answer) => self.host.answered(answer),
            ToPlugin::LogLevel(wanted) => log::want(wanted.level),
            ToPlugin::Ping(number) => pong(&self.outbound, number),
            ToPlugin::Start(_) | ToPlugin::Stop(_) => {
                tracing::warn!("the host said start or stop twice");
            }
            ToPlugin::Unknown(tag) => {
                tracing::warn!(tag, "a frame of a newer host was skipped");
            }
        }
    }

    fn answer(&mut self, answer: impl Future<Output = ToHost> + Send + 'static) {
        let outbound = self.outbound.clone();
        self.tasks
            .spawn(async move { outbound.send(answer.await).await });
    }

    /// Finishes what is in hand, to a deadline; answers of the host still arrive meanwhile.
    async fn stop(
        self,
        deadline: Duration,
        mut frames: mpsc::Receiver<ToPlugin>,
    ) -> Result<(), Failed> {
        let Self {
            plugin,
            host,
            outbound,
            lanes,
            mut tasks,
            ..
        } = self;
        let finish = async {
            lanes.drain().await?;
            while let Some(ended) = tasks.join_next().await {
                ended?;
            }
            plugin.stop().await;
            Ok::<(), tokio::task::JoinError>(())
        };
        let listen = async {
            while let Some(frame) = frames.recv().await {
                match frame {
                    ToPlugin::Answer(answer) => host.answered(answer),
                    ToPlugin::Ping(number) => pong(&outbound, number),
                    other => tracing::debug!(
                        tag = other.tag(),
                        "a frame came after stop and was skipped"
                    ),
                }
            }
        };
        tokio::select! {
            finished = tokio::time::timeout(deadline.saturating_sub(LAST_WORDS), finish) => match finished {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(panic::last()),
                Err(_) => tracing::warn!("what was in hand did not finish in time"),
            },
            () = listen => {}
        }
        Ok(())
    }
}

async fn or_not_offered<T>(
    answer: Option<impl Future<Output = Result<T>>>,
    what: &str,
) -> Result<T> {
    match answer {
        Some(answer) => answer.await,
        None => Err(Error::permanent(format_args!(
            "the plugin does not offer {what}"
        ))),
    }
}
