//! The life of one plugin: a task that holds its generations.

use std::sync::Arc;
use std::time::Duration;

use belfry_plugin_api::frame::{Configure, Failed, Start, ToPlugin};
use belfry_plugin_api::manifest::{Isolation, PluginId};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::Shared;
use super::artifacts::Artifact;
use super::generation::{Generation, Outcome};
use super::link::{self, Launch};
use super::status::{State, Status};
use crate::clock::now_ms;

/// The first restart comes this long after a failure; each further one twice as late.
const FIRST_BACK_OFF: Duration = Duration::from_millis(100);

/// No restart comes later than this.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(30);

/// A generation that ran for this long was no failed start: the back-off begins anew.
const STABLE_AFTER: Duration = Duration::from_secs(60);

/// How long a generation may take to finish what it has in hand.
pub(super) const DRAIN_PATIENCE: Duration = Duration::from_secs(10);

/// What a supervisor can be told. Each is answered when it is done.
pub(super) enum Command {
    /// Run.
    Start(oneshot::Sender<Result<(), String>>),
    /// Do not run.
    Stop(oneshot::Sender<Result<(), String>>),
    /// Run this artifact from now on.
    Update(Artifact, oneshot::Sender<Result<(), String>>),
    /// The configuration changed.
    Reconfigure,
    /// Stop for ever; the supervisor ends.
    End(oneshot::Sender<Result<(), String>>),
}

type Reply = oneshot::Sender<Result<(), String>>;

pub(super) struct Supervisor {
    shared: Arc<Shared>,
    id: PluginId,
    artifact: Artifact,
    commands: mpsc::Receiver<Command>,
    status: watch::Sender<Status>,
    wanted: bool,
    running: Option<Running>,
    /// When the next start is due, while it is wanted and not running.
    due: Option<Instant>,
    back_off: Duration,
    /// Who waits for the next start's success or failure.
    waiting: Vec<Reply>,
    /// The configuration that the running generation knows.
    configured: Configure,
}

struct Running {
    generation: Generation,
    since: Instant,
    is_active: bool,
}

impl Supervisor {
    pub(super) fn spawn(
        shared: Arc<Shared>,
        artifact: Artifact,
        status: watch::Sender<Status>,
        wanted: bool,
    ) -> mpsc::Sender<Command> {
        let (to_supervisor, commands) = mpsc::channel(16);
        let supervisor = Self {
            shared,
            id: artifact.manifest.id.clone(),
            artifact,
            commands,
            status,
            wanted,
            running: None,
            due: wanted.then(Instant::now),
            back_off: FIRST_BACK_OFF,
            waiting: Vec::new(),
            configured: Configure::default(),
        };
        tokio::spawn(supervisor.run());
        to_supervisor
    }

    async fn run(mut self) {
        let mut services = self.shared.services.watch();
        if !self.wanted {
            self.enter(State::Resolved, None);
        }
        loop {
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(Command::End(reply)) => {
                        self.stop(State::Resolved).await;
                        let _ = reply.send(Ok(()));
                        return;
                    }
                    Some(command) => self.command(command).await,
                    None => {
                        self.stop(State::Resolved).await;
                        return;
                    }
                },
                step = next_step(&mut self.running) => match step {
                    Step::Ready => self.generation_active(),
                    Step::Ended(outcome) => self.generation_ended(outcome),
                },
                () = until(self.due) => self.launch(),
                // Whoever holds the sender outlives the supervisors.
                Ok(()) = services.changed() => self.services_changed().await,
            }
        }
    }

    async fn command(&mut self, command: Command) {
        match command {
            Command::Start(reply) => {
                self.wanted = true;
                self.back_off = FIRST_BACK_OFF;
                match &self.running {
                    Some(running) if running.is_active => drop(reply.send(Ok(()))),
                    Some(_) => self.waiting.push(reply),
                    None => {
                        self.waiting.push(reply);
                        self.due = Some(Instant::now());
                    }
                }
                self.show(|status| status.autostart = true);
            }
            Command::Stop(reply) => {
                self.wanted = false;
                self.due = None;
                self.show(|status| status.autostart = false);
                self.stop(State::Resolved).await;
                let _ = reply.send(Ok(()));
            }
            Command::Update(artifact, reply) => {
                let result = self.update(artifact).await;
                let _ = reply.send(result);
            }
            Command::Reconfigure => self.reconfigure().await,
            Command::End(_) => {}
        }
    }

    /// Starts a generation, if what it requires is there.
    fn launch(&mut self) {
        self.due = None;
        let missing = self.shared.services.missing(&self.artifact.manifest);
        if let Some(what) = missing {
            let reason = format!("it requires {what}, which is not running");
            self.answer_waiting(Err(reason.clone()));
            self.enter(State::Installed, Some(reason));
            return;
        }
        match self.begin(&self.artifact.clone()) {
            Ok(Some(generation)) => {
                self.enter(State::Starting, None);
                self.show(|status| status.pid = generation.pid);
                self.running = Some(Running {
                    generation,
                    since: Instant::now(),
                    is_active: false,
                });
            }
            Ok(None) => {
                let reason = format!("belfry.plugin.{}.enabled is false", self.id);
                self.answer_waiting(Err(reason.clone()));
                self.enter(State::Resolved, Some(reason));
            }
            Err(reason) => self.failed(Failed {
                reason,
                backtrace: None,
            }),
        }
    }

    /// Launches a generation of an artifact. `None` where the configuration forbids it.
    fn begin(&mut self, artifact: &Artifact) -> Result<Option<Generation>, String> {
        let counterpart = self.shared.counterpart();
        let settings = counterpart.settings(&artifact.manifest)?;
        if !settings.enabled {
            return Ok(None);
        }
        let generation = self.status.borrow().generation + 1;
        self.show(|status| {
            status.generation = generation;
            status.isolation = settings.isolation;
        });
        let cannot = |what: &str, error: std::io::Error| format!("{what}: {error}");
        let path = match settings.isolation {
            Isolation::Process => artifact.path.clone(),
            Isolation::Host => self
                .shared
                .artifacts
                .fresh_copy(artifact, &self.id, generation)
                .map_err(|error| cannot("its copy cannot be written", error))?,
        };
        let data_folder = self.shared.data_folder(&self.id);
        std::fs::create_dir_all(&data_folder)
            .map_err(|error| cannot("its data folder cannot be made", error))?;
        let link = link::launch(&Launch {
            id: &self.id,
            artifact: &path,
            isolation: settings.isolation,
            memory_limit_bytes: settings.memory_limit_bytes,
        })
        .map_err(|error| cannot("it cannot be launched", error))?;
        if settings.isolation == Isolation::Host {
            self.show(|status| status.mapped_generations += 1);
        }
        let configured = counterpart.configuration(&artifact.manifest);
        let start = Start {
            generation,
            host_version: env!("CARGO_PKG_VERSION").to_owned(),
            data_folder: data_folder.display().to_string(),
            config: configured.clone(),
            log_level: counterpart.log_level(&self.id),
        };
        self.configured = configured;
        Ok(Some(Generation::tend(
            artifact.manifest.clone(),
            link,
            start,
            Duration::from_millis(settings.hang_timeout_ms),
            counterpart,
        )))
    }

    fn generation_active(&mut self) {
        let Some(running) = &mut self.running else {
            return;
        };
        running.is_active = true;
        running.generation.ready = None;
        let to_plugin = running.generation.to_plugin.clone();
        self.tell_configuration(&to_plugin);
        self.shared.counterpart().active(&self.id, to_plugin);
        self.shared.services.offer(&self.artifact.manifest);
        self.enter(State::Active, None);
        self.answer_waiting(Ok(()));
    }

    fn generation_ended(&mut self, outcome: Outcome) {
        let Some(running) = self.running.take() else {
            return;
        };
        if running.since.elapsed() > STABLE_AFTER {
            self.back_off = FIRST_BACK_OFF;
        }
        self.gone();
        match outcome {
            Outcome::Failed(failed) => self.failed(failed),
            Outcome::Stopped => self.enter(State::Resolved, None),
        }
    }

    fn gone(&mut self) {
        self.shared.services.withdraw(&self.id);
        self.shared.counterpart().away(&self.id);
        self.show(|status| status.pid = None);
    }

    fn failed(&mut self, failed: Failed) {
        tracing::error!(plugin = %self.id, reason = %failed.reason, "the plugin failed");
        self.answer_waiting(Err(failed.reason.clone()));
        self.show(|status| {
            status.failures += 1;
            status.last_failure = Some(failed.reason.clone());
            status.backtrace = failed.backtrace;
        });
        self.enter(State::Failed, Some(failed.reason));
        if self.wanted {
            self.due = Some(Instant::now() + self.back_off);
            self.back_off = (self.back_off * 2).min(LONGEST_BACK_OFF);
        }
    }

    /// Lets the generation finish what it has in hand, and waits for its end.
    async fn stop(&mut self, then: State) {
        if let Some(mut running) = self.running.take() {
            self.enter(State::Stopping, None);
            self.shared.services.withdraw(&self.id);
            let patience = DRAIN_PATIENCE;
            // What it does not finish in time waits for the next generation.
            let _ = tokio::time::timeout(patience, self.shared.counterpart().drain(&self.id)).await;
            running.generation.stop(patience);
            let _ = (&mut running.generation.ended).await;
            self.gone();
        }
        self.answer_waiting(Err("it was stopped".into()));
        self.enter(then, None);
    }

    /// Starts the new generation beside the old one and switches when it is ready. Where it does
    /// not get ready, the old one goes on.
    async fn update(&mut self, artifact: Artifact) -> Result<(), String> {
        let refuse = |reason: String| {
            format!(
                "version {} was refused: {reason}",
                artifact.manifest.version
            )
        };
        let is_beside = self
            .running
            .as_ref()
            .is_some_and(|running| running.is_active)
            && !artifact.manifest.exclusive
            && !self.artifact.manifest.exclusive;
        if !is_beside {
            let was_running = self.running.is_some();
            if was_running {
                self.stop(State::Resolved).await;
            }
            self.shared
                .counterpart()
                .installed(&artifact.manifest)
                .map_err(refuse)?;
            self.adopt(artifact);
            if self.wanted {
                self.launch();
            }
            return Ok(());
        }
        let Some(mut next) = self.begin(&artifact).map_err(refuse)? else {
            return Err(refuse("it is not enabled".into()));
        };
        let ready = next.ready.take();
        tokio::select! {
            Ok(()) = async { match ready { Some(ready) => ready.await.map_err(|_| ()), None => Err(()) } } => {}
            outcome = &mut next.ended => {
                let reason = match outcome {
                    Ok(Outcome::Failed(failed)) => failed.reason,
                    _ => "it ended before it was ready".into(),
                };
                return Err(refuse(reason));
            }
        }
        if let Err(reason) = self.shared.counterpart().installed(&artifact.manifest) {
            next.stop(Duration::ZERO);
            return Err(refuse(reason));
        }
        // What arrives while the old generation finishes waits for the new one, so that nothing
        // of one user is overtaken.
        let counterpart = self.shared.counterpart();
        let _ = tokio::time::timeout(DRAIN_PATIENCE, counterpart.drain(&self.id)).await;
        if let Some(mut old) = self.running.take() {
            counterpart.away(&self.id);
            old.generation.stop(DRAIN_PATIENCE);
        }
        let to_plugin = next.to_plugin.clone();
        let pid = next.pid;
        self.running = Some(Running {
            generation: next,
            since: Instant::now(),
            is_active: true,
        });
        self.adopt(artifact);
        counterpart.active(&self.id, to_plugin);
        self.shared.services.offer(&self.artifact.manifest);
        self.show(|status| status.pid = pid);
        self.enter(State::Active, None);
        Ok(())
    }

    fn adopt(&mut self, artifact: Artifact) {
        self.show(|status| {
            status.version = artifact.manifest.version.to_string();
            status.built_with = artifact.built_with.to_string();
            status.hash.clone_from(&artifact.hash);
            status.vendor.clone_from(&artifact.manifest.vendor);
            status
                .description
                .clone_from(&artifact.manifest.description);
            status.services.clone_from(&artifact.manifest.services);
        });
        self.artifact = artifact;
    }

    /// Tells the generation of its new configuration; restarts it where that is about how it runs.
    async fn reconfigure(&mut self) {
        let counterpart = self.shared.counterpart();
        let settings = match counterpart.settings(&self.artifact.manifest) {
            Ok(settings) => settings,
            Err(reason) => {
                tracing::error!(plugin = %self.id, reason, "the plugin's settings stay as they were");
                return;
            }
        };
        let isolation = self.status.borrow().isolation;
        match &self.running {
            Some(running) if settings.enabled && settings.isolation == isolation => {
                // One that is starting is told as soon as it can listen.
                let listens = running
                    .is_active
                    .then(|| running.generation.to_plugin.clone());
                if let Some(to_plugin) = listens {
                    self.tell_configuration(&to_plugin);
                }
            }
            Some(_) => {
                self.stop(State::Resolved).await;
                self.launch();
            }
            None if self.wanted && self.due.is_none() => self.launch(),
            None => {}
        }
    }

    /// Tells a generation of the configuration, where it knows another one.
    fn tell_configuration(&mut self, to_plugin: &mpsc::UnboundedSender<ToPlugin>) {
        let configure = self
            .shared
            .counterpart()
            .configuration(&self.artifact.manifest);
        if configure != self.configured {
            self.configured = configure.clone();
            // A link that has broken meanwhile is seen by its end.
            let _ = to_plugin.send(ToPlugin::Configure(configure));
        }
    }

    async fn services_changed(&mut self) {
        let missing = self.shared.services.missing(&self.artifact.manifest);
        match (&self.running, missing) {
            (Some(_), Some(what)) => {
                self.stop(State::Installed).await;
                self.enter(
                    State::Installed,
                    Some(format!("it requires {what}, which went away")),
                );
            }
            (None, None) if self.wanted && self.status.borrow().state == State::Installed => {
                self.due = Some(Instant::now());
            }
            _ => {}
        }
    }

    fn answer_waiting(&mut self, result: Result<(), String>) {
        for waiting in self.waiting.drain(..) {
            let _ = waiting.send(result.clone());
        }
    }

    fn enter(&mut self, state: State, reason: Option<String>) {
        self.show(|status| {
            status.state = state;
            status.reason = reason;
            status.since_ms = now_ms();
        });
        let status = self.status.borrow().clone();
        tracing::info!(plugin = %self.id, version = status.version, state = %state, "plugin");
        self.shared.counterpart().changed(&status);
    }

    fn show(&self, change: impl FnOnce(&mut Status)) {
        self.status.send_modify(change);
    }
}

enum Step {
    Ready,
    Ended(Outcome),
}

/// The next thing that the running generation does by itself.
async fn next_step(running: &mut Option<Running>) -> Step {
    let Some(Running { generation, .. }) = running else {
        return std::future::pending().await;
    };
    let Generation { ready, ended, .. } = generation;
    let is_ready = async {
        match ready {
            // A generation that ends before it is ready is seen by its end.
            Some(ready) => match ready.await {
                Ok(()) => {}
                Err(_) => std::future::pending().await,
            },
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = is_ready => Step::Ready,
        outcome = ended => Step::Ended(outcome.unwrap_or_else(|_| Outcome::Failed(Failed {
            reason: "the task that looked after it ended".into(),
            backtrace: None,
        }))),
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
