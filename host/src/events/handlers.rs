use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use belfry_plugin_api::event::{Event, TopicPattern};
use belfry_plugin_api::manifest::{Manifest, PluginId, ServiceKind};

use super::filter::{Filter, ParseFilterError};

/// A manifest's event-handler cannot be subscribed.
#[derive(Debug, thiserror::Error)]
#[error("the filter {filter:?} of an event-handler cannot be read: {source}")]
pub struct HandlerError {
    filter: String,
    source: ParseFilterError,
}

struct Subscription {
    topics: Vec<TopicPattern>,
    filter: Option<Filter>,
}

impl Subscription {
    fn wants(&self, event: &Event) -> bool {
        self.topics
            .iter()
            .any(|pattern| pattern.matches(&event.topic))
            && self
                .filter
                .as_ref()
                .is_none_or(|filter| filter.matches(&event.properties))
    }
}

/// The event handlers of all installed plugins.
///
/// A plugin is subscribed from its installation to its removal, whether it runs or not: an event
/// that was accepted waits for a handler that is away.
#[derive(Default)]
pub struct Handlers {
    subscriptions: RwLock<BTreeMap<PluginId, Vec<Subscription>>>,
}

impl Handlers {
    /// Subscribes the event handlers of a manifest, in place of what the plugin had before.
    ///
    /// # Errors
    ///
    /// One of its filters cannot be read; what the plugin had before stays.
    pub fn subscribe(&self, manifest: &Manifest) -> Result<(), HandlerError> {
        let subscriptions = manifest
            .services
            .iter()
            .filter(|service| service.kind == ServiceKind::EventHandler)
            .map(|service| {
                let filter = service.filter.as_deref().map(|text| {
                    text.parse().map_err(|source| HandlerError {
                        filter: text.to_owned(),
                        source,
                    })
                });
                Ok(Subscription {
                    topics: service.topics.clone(),
                    filter: filter.transpose()?,
                })
            })
            .collect::<Result<_, _>>()?;
        self.write().insert(manifest.id.clone(), subscriptions);
        Ok(())
    }

    /// Removes a plugin's event handlers.
    pub fn unsubscribe(&self, id: &PluginId) {
        self.write().remove(id);
    }

    /// The plugins with a handler that wants the event, each once.
    pub fn wanting(&self, event: &Event) -> Vec<PluginId> {
        self.subscriptions
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .filter(|(_, subscriptions)| subscriptions.iter().any(|one| one.wants(event)))
            .map(|(id, _)| id.clone())
            .collect()
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, BTreeMap<PluginId, Vec<Subscription>>> {
        // Each use is one insert or remove, which cannot leave the map half-changed.
        self.subscriptions
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(id: &str, topics: &str, filter: &str) -> Manifest {
        let text = format!(
            "id = \"{id}\"\nversion = \"1.0.0\"\napi = \"*\"\n[[provides]]\nkind = \"event-handler\"\ntopics = [\"{topics}\"]\n{filter}"
        );
        Manifest::parse(text.as_bytes()).unwrap()
    }

    fn event(topic: &str) -> Event {
        Event::new(topic.parse().unwrap())
    }

    #[test]
    fn a_handler_hears_of_its_topics_and_filter_only() {
        let handlers = Handlers::default();
        handlers.subscribe(&manifest("all", "*", "")).unwrap();
        handlers
            .subscribe(&manifest("some", "com/*", "filter = \"(folder=INBOX)\""))
            .unwrap();
        let names = |event: &Event| {
            let wanting = handlers.wanting(event);
            wanting.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(names(&event("org/belfry")), ["all"]);
        assert_eq!(names(&event("com/openexchange/push")), ["all"]);
        let inbox = event("com/openexchange/push").with("folder", "INBOX");
        assert_eq!(names(&inbox), ["all", "some"]);
        handlers.unsubscribe(&"all".parse().unwrap());
        assert_eq!(names(&inbox), ["some"]);
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_named_and_changes_nothing() {
        let handlers = Handlers::default();
        handlers.subscribe(&manifest("one", "com/*", "")).unwrap();
        let bad = manifest("one", "org/*", "filter = \"(folder=\"");
        let error = handlers.subscribe(&bad).unwrap_err().to_string();
        assert!(error.contains("(folder="), "{error}");
        assert_eq!(handlers.wanting(&event("com/a")).len(), 1);
    }
}
