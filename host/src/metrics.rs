//! What the host counts, for `/metrics` and `belfryctl health`.

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// A label and its value.
type Labels = [(&'static str, String); 1];

/// Counters by one label.
pub type Counters = Family<Labels, Counter>;

/// Everything that the host counts.
pub struct Metrics {
    registry: Registry,
    /// Notifications that mail servers sent, by answer (`accepted`, `malformed`, …).
    pub notifications: Counters,
    /// Reports about users whom nobody registered.
    pub unregistered: Counter,
    /// Reports that a listener could make nothing of.
    pub failed_reports: Counter,
    /// Events handed to handlers, by plugin.
    pub events: Counters,
    /// Events that no installed handler wanted.
    pub unwanted_events: Counter,
    /// Events put aside on disk for a handler that is slow or away, by plugin.
    pub parked_events: Counters,
    /// Handlers that were deny-listed, by plugin.
    pub denied_handlers: Counters,
    /// Messages that were told before.
    pub duplicates: Counter,
    /// Deliveries that a provider took, by transport.
    pub delivered: Counters,
    /// Deliveries to be tried again, by transport.
    pub retried: Counters,
    /// Deliveries that a provider will never take, by transport.
    pub refused: Counters,
    /// Deliveries that were of no use any more, by transport.
    pub expired: Counters,
    /// Tokens that a provider called dead, by transport.
    pub dead_tokens: Counters,
    /// Events that plugins published over their limit, by plugin.
    pub floods: Counters,
    /// Whether a plugin is ACTIVE.
    pub plugins: Family<Labels, Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("belfry");
        let mut family = |name: &str, help: &str| {
            let family = Counters::default();
            registry.register(name, help, family.clone());
            family
        };
        let notifications = family("notifications", "Requests of mail servers, by answer");
        let events = family("events", "Events handed to handlers");
        let parked_events = family("parked_events", "Events put aside for a handler");
        let denied_handlers = family("denied_handlers", "Handlers that were deny-listed");
        let delivered = family("delivered", "Deliveries that a provider took");
        let retried = family("retried", "Deliveries to be tried again");
        let refused = family("refused", "Deliveries that a provider will never take");
        let expired = family("expired", "Deliveries that were of no use any more");
        let dead_tokens = family("dead_tokens", "Tokens that a provider called dead");
        let floods = family("floods", "Times that a plugin published over its limit");
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let unregistered = counter("unregistered", "Reports about users whom nobody registered");
        let failed_reports = counter("failed_reports", "Reports that a listener could not use");
        let unwanted_events = counter("unwanted_events", "Events that no handler wanted");
        let duplicates = counter("duplicates", "Messages that were told before");
        let plugins = Family::<Labels, Gauge>::default();
        registry.register(
            "plugin_active",
            "Whether a plugin is ACTIVE",
            plugins.clone(),
        );
        Self {
            registry,
            notifications,
            unregistered,
            failed_reports,
            events,
            unwanted_events,
            parked_events,
            denied_handlers,
            duplicates,
            delivered,
            retried,
            refused,
            expired,
            dead_tokens,
            floods,
            plugins,
        }
    }
}

impl Metrics {
    /// The exposition in Prometheus' text format.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// One label's counter.
pub fn count(counters: &Counters, label: &'static str, value: &str) {
    counters.get_or_create(&[(label, value.to_owned())]).inc();
}
