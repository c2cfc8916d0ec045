//! What plugins' lives and frames mean to the rest of the host.

use std::sync::Arc;

use belfry_plugin_api::event::{Event, Topic};
use belfry_plugin_api::frame::{
    Answer, Answered, Configure, CredentialQuestion, Level, Numbered, ToHost, ToPlugin,
};
use belfry_plugin_api::manifest::{Manifest, PluginId, ServiceKind};
use belfry_plugin_api::{Error, Result};
use futures_util::future::BoxFuture;
use tokio::sync::mpsc::UnboundedSender;

use super::calls::Reply;
use super::{Node, logs};
use crate::bundle::{Counterpart, Settings, State, Status};
use crate::metrics::count;

impl Counterpart for Node {
    fn settings(&self, manifest: &Manifest) -> Result<Settings, String> {
        let snapshot = self.config.snapshot();
        let key = |name: &str| format!("belfry.plugin.{}.{name}", manifest.id);
        let text = |error: crate::config::ValueError| error.to_string();
        let isolation = match snapshot.get(&key("isolation")) {
            Some(value) => value.parse()?,
            None => manifest.isolation,
        };
        let mib: u64 = snapshot
            .read(&key("memory-limit-mib"))
            .map_err(text)?
            .unwrap_or(manifest.memory_limit_mib);
        Ok(Settings {
            enabled: snapshot
                .read(&key("enabled"))
                .map_err(text)?
                .unwrap_or(true),
            isolation,
            start_level: snapshot
                .read(&key("start-level"))
                .map_err(text)?
                .unwrap_or(manifest.start_level),
            memory_limit_bytes: mib.saturating_mul(1024 * 1024),
            hang_timeout_ms: snapshot
                .read(&key("hang-timeout-ms"))
                .map_err(text)?
                .unwrap_or(super::HANG_TIMEOUT_MS),
        })
    }

    fn configuration(&self, manifest: &Manifest) -> Configure {
        Configure {
            values: self.config.snapshot().values_for(&manifest.id),
        }
    }

    fn log_level(&self, id: &PluginId) -> Level {
        self.log_levels.of(id)
    }

    fn installed(&self, manifest: &Arc<Manifest>) -> Result<(), String> {
        self.routes.install(manifest)?;
        self.config
            .declare(&manifest.id, &manifest.keys)
            .map_err(|error| error.to_string())?;
        self.delivery()
            .installed(manifest)
            .map_err(|error| error.to_string())?;
        self.manifests()
            .insert(manifest.id.clone(), manifest.clone());
        Ok(())
    }

    fn uninstalled(&self, id: &PluginId) {
        self.manifests().remove(id);
        self.routes.uninstall(id);
        self.delivery().uninstalled(id);
        self.config.withdraw(id);
        self.metrics.plugins.remove(&[("plugin", id.to_string())]);
    }

    fn active(&self, id: &PluginId, to_plugin: UnboundedSender<ToPlugin>) {
        let Some(manifest) = self.manifests().get(id).cloned() else {
            return;
        };
        self.calls.active(id, to_plugin.clone());
        self.delivery().active(&manifest, &to_plugin);
    }

    fn drain(&self, id: &PluginId) -> BoxFuture<'static, ()> {
        self.delivery().drain(id)
    }

    fn away(&self, id: &PluginId) {
        self.calls.away(id);
        self.delivery().away(id);
    }

    fn frame<'a>(
        &'a self,
        id: &'a PluginId,
        to_plugin: &'a UnboundedSender<ToPlugin>,
        frame: ToHost,
    ) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move { self.take(id, to_plugin, frame) })
    }

    fn changed(&self, status: &Status) {
        let is_active = i64::from(status.state == State::Active);
        self.metrics
            .plugins
            .get_or_create(&[("plugin", status.id.to_string())])
            .set(is_active);
        let topic = format!("org/belfry/plugin/{}", status.state);
        if let Ok(topic) = topic.parse::<Topic>() {
            let event = Event::new(topic)
                .with("plugin", status.id.as_str())
                .with("version", status.version.as_str())
                .with("reason", status.reason.as_deref().unwrap_or_default());
            self.tell_handlers(event);
        }
        self.push_of_plugin(status);
        if status.state == State::Active {
            self.offered_credentials(status);
        }
    }
}

impl Node {
    /// Does what a frame asks for; what takes time is done beside.
    fn take(
        &self,
        id: &PluginId,
        to_plugin: &UnboundedSender<ToPlugin>,
        frame: ToHost,
    ) -> Result<(), String> {
        let Some(node) = self.myself.upgrade() else {
            return Ok(());
        };
        let to_plugin = to_plugin.clone();
        let answered = |id: &PluginId, number, reply| {
            if self.calls.answered(id, number, reply) {
                Ok(())
            } else {
                Err(format!("it answered question {number}, which nobody asked"))
            }
        };
        match frame {
            ToHost::ReportsDone(done) => self.delivery().reports_done(id, done),
            ToHost::EventsDone(done) => self.delivery().events_done(id, done),
            ToHost::DeliveriesDone(done) => {
                if let Some(manifest) = self.manifests().get(id) {
                    self.delivery().deliveries_done(manifest, done);
                }
            }
            ToHost::Listened(Numbered { id: number, body }) => {
                answered(id, number, Reply::Listened(body))?
            }
            ToHost::HttpReply(Numbered { id: number, body }) => {
                answered(id, number, Reply::Http(body))?
            }
            ToHost::Credential(Numbered { id: number, body }) => {
                answered(id, number, Reply::Credential(body))?
            }
            ToHost::Publish(Numbered { id: number, body }) => {
                self.within_limits(id, body.events.len())?;
                tokio::spawn(async move {
                    let published = node.delivery().publish(body.events).await;
                    let result = published.map(|()| Answered::Done).map_err(Error::from);
                    answer(&to_plugin, number, result);
                });
            }
            ToHost::Request(Numbered { id: number, body }) => {
                self.within_limits(id, 1)?;
                tokio::spawn(async move {
                    let answers = node.delivery().request(&body).await;
                    answer(&to_plugin, number, Ok(Answered::Answers(answers)));
                });
            }
            ToHost::AskCredential(Numbered { id: number, body }) => {
                tokio::spawn(async move {
                    let result = node.provider_credential(&body.provider).await;
                    answer(&to_plugin, number, result.map(Answered::Credential));
                });
            }
            ToHost::CredentialChanged(which) => self.credential_changed(which),
            ToHost::TransportReady(which) => self.delivery().resume(&which.transport),
            ToHost::Log(records) => {
                for record in records {
                    if record.level <= self.log_levels.of(id) && self.may_log(id) {
                        logs::write(id, &record);
                    }
                }
            }
            // Those that concern a generation's life are dealt with where it is looked after.
            ToHost::Ready(_)
            | ToHost::Failed(_)
            | ToHost::Pong(_)
            | ToHost::Stopped(())
            | ToHost::Unknown(_) => {}
        }
        Ok(())
    }

    /// Refuses a plugin that publishes without end.
    fn within_limits(&self, id: &PluginId, events: usize) -> Result<(), String> {
        let key = format!("belfry.plugin.{id}.events-per-second");
        let per_second = self
            .config
            .snapshot()
            .read(&key)
            .ok()
            .flatten()
            .unwrap_or(super::EVENTS_PER_SECOND);
        if self.buckets(|buckets| {
            buckets
                .entry(id.clone())
                .or_default()
                .events
                .take(events, per_second)
        }) {
            return Ok(());
        }
        count(&self.metrics.floods, "plugin", id.as_str());
        Err(format!(
            "it floods: it publishes more than {per_second} events each second ({key})"
        ))
    }

    fn may_log(&self, id: &PluginId) -> bool {
        self.buckets(|buckets| {
            let bucket = buckets.entry(id.clone()).or_default();
            if bucket.log.take(1, super::RECORDS_PER_SECOND) {
                let dropped = std::mem::take(&mut bucket.dropped_records);
                if dropped > 0 {
                    tracing::warn!(plugin = %id, dropped, "the plugin logs too much; records were dropped");
                }
                return true;
            }
            bucket.dropped_records += 1;
            false
        })
    }

    /// A backend that has come back, or is another one now, may offer another credential.
    fn offered_credentials(&self, status: &Status) {
        for service in &status.services {
            if service.kind == ServiceKind::CredentialBackend {
                self.credential_changed(CredentialQuestion {
                    provider: service.name.clone(),
                });
            }
        }
    }

    /// Tells everybody who may use a provider's credential that it changed.
    fn credential_changed(&self, which: CredentialQuestion) {
        tracing::info!(provider = which.provider, "a provider's credential changed");
        self.calls.tell_all(&ToPlugin::CredentialChanged(which));
    }
}

fn answer(to_plugin: &UnboundedSender<ToPlugin>, id: u64, result: Result<Answered>) {
    // A plugin that has ended meanwhile waits for nothing.
    let _ = to_plugin.send(ToPlugin::Answer(Answer { id, result }));
}
