//! From which level on a plugin's records reach the host. Plugins in one process share the level,
//! so this has a process of its own.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use belfry_plugin_api::event::{Event, Topic};
use belfry_plugin_api::frame::{Handled, Level};
use belfry_plugin_api::testkit::TestHost;
use belfry_plugin_api::{Config, EventHandler, Host, Plugin, Result, export_plugin};

struct Talker;

impl Plugin for Talker {
    async fn start(_host: Host, _config: Config) -> Result<Self> {
        tracing::debug!("starting");
        tracing::trace!("starting slowly");
        Ok(Self)
    }
}

impl EventHandler for Talker {
    async fn handle(&self, _event: Event) -> Result<Handled> {
        tracing::trace!("trace");
        tracing::debug!("debug");
        tracing::warn!("warn");
        tracing::error!("error");
        Ok(Handled::default())
    }
}

export_plugin!(Talker: EventHandler; concat!(env!("CARGO_MANIFEST_DIR"), "/tests/log_levels/plugin.toml"));

/// What an event makes the plugin say.
async fn said(host: &mut TestHost) -> Vec<String> {
    let before = host.logs().len();
    // An answer overtakes no record that was written before it.
    host.handle(Event::new(Topic::push())).await.unwrap();
    let records = host.logs()[before..].iter();
    records.map(|record| record.message.clone()).collect()
}

#[tokio::test]
async fn a_plugin_makes_the_records_that_are_wanted_and_no_others() {
    let mut host = TestHost::start::<Talker>(&[]).await.unwrap();
    let messages: Vec<_> = host.logs().iter().map(|record| &record.message).collect();
    assert_eq!(messages, ["starting"], "not before the first frame says so");
    assert_eq!(said(&mut host).await, ["debug", "warn", "error"]);
    host.log_from(Level::Error).unwrap();
    assert_eq!(said(&mut host).await, ["error"]);
    host.log_from(Level::Trace).unwrap();
    assert_eq!(said(&mut host).await, ["trace", "debug", "warn", "error"]);
    host.log_from(Level::Info).unwrap();
    assert_eq!(said(&mut host).await, ["warn", "error"]);
    host.stop().await.unwrap();
}
