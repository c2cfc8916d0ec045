//! Which services run, and who waits for one.

use std::collections::BTreeMap;
use std::sync::Arc;

use belfry_plugin_api::manifest::{Manifest, PluginId, Requirement, ServiceKind};
use tokio::sync::watch;

/// The services of all ACTIVE plugins.
pub struct Services {
    active: watch::Sender<BTreeMap<PluginId, Arc<Manifest>>>,
}

/// A service that runs.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Offered {
    /// Whose it is.
    pub plugin: PluginId,
    /// What it is.
    pub service: belfry_plugin_api::manifest::Service,
}

impl Default for Services {
    fn default() -> Self {
        Self {
            active: watch::Sender::new(BTreeMap::new()),
        }
    }
}

impl Services {
    /// A plugin is ACTIVE.
    pub(super) fn offer(&self, manifest: &Arc<Manifest>) {
        self.active.send_modify(|active| {
            active.insert(manifest.id.clone(), manifest.clone());
        });
    }

    /// A plugin is ACTIVE no longer.
    pub(super) fn withdraw(&self, id: &PluginId) {
        self.active
            .send_if_modified(|active| active.remove(id).is_some());
    }

    /// Tells of each change.
    pub fn watch(&self) -> watch::Receiver<BTreeMap<PluginId, Arc<Manifest>>> {
        self.active.subscribe()
    }

    /// The first service that a manifest requires and nobody offers.
    pub(super) fn missing(&self, manifest: &Manifest) -> Option<String> {
        let active = self.active.borrow();
        let is_offered = |requirement: &Requirement| {
            active
                .values()
                .filter(|other| other.id != manifest.id)
                .any(|other| {
                    other.services.iter().any(|service| {
                        let is_named = requirement
                            .name
                            .as_ref()
                            .is_none_or(|name| *name == service.name);
                        service.kind == requirement.kind && is_named
                    })
                })
        };
        manifest
            .requirements
            .iter()
            .filter(|requirement| !requirement.optional)
            .find(|requirement| !is_offered(requirement))
            .map(|requirement| match &requirement.name {
                Some(name) => format!("the {} {name}", requirement.kind),
                None => format!("a {}", requirement.kind),
            })
    }

    /// All running services of a kind; of those with one name the highest ranking comes first.
    pub fn of_kind(&self, kind: ServiceKind) -> Vec<Offered> {
        let mut offered: Vec<_> = self
            .active
            .borrow()
            .values()
            .flat_map(|manifest| {
                manifest.services.iter().map(|service| Offered {
                    plugin: manifest.id.clone(),
                    service: service.clone(),
                })
            })
            .filter(|offered| offered.service.kind == kind)
            .collect();
        offered.sort_by(|a, b| {
            (&a.service.name, b.service.ranking).cmp(&(&b.service.name, a.service.ranking))
        });
        offered
    }

    /// All running services.
    pub fn all(&self) -> Vec<Offered> {
        let kinds = [
            ServiceKind::Listener,
            ServiceKind::Transport,
            ServiceKind::CredentialBackend,
            ServiceKind::EventHandler,
            ServiceKind::HttpRoutes,
        ];
        kinds
            .into_iter()
            .flat_map(|kind| self.of_kind(kind))
            .collect()
    }
}
