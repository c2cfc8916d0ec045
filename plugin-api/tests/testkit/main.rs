//! The test kit, with a plugin that does what its tests tell it to.
#![expect(clippy::panic, reason = "one of the plugin's orders is to panic")]

use belfry_plugin_api::event::{Event, Topic, Value};
use belfry_plugin_api::frame::Handled;
use belfry_plugin_api::testkit::TestHost;
use belfry_plugin_api::{Config, Error, EventHandler, Host, Plugin, Result, export_plugin};

struct Obedient {
    host: Host,
}

impl Plugin for Obedient {
    async fn start(host: Host, config: Config) -> Result<Self> {
        match config.text("obedient.refusal") {
            Some(refusal) => Err(Error::permanent(refusal)),
            None => Ok(Self { host }),
        }
    }

    async fn configure(&self, config: Config) -> Result<()> {
        tracing::info!(refusal = config.text("obedient.refusal"), "configured anew");
        Ok(())
    }
}

impl EventHandler for Obedient {
    async fn handle(&self, event: Event) -> Result<Handled> {
        let what = event.text("what").unwrap_or_default().to_owned();
        match event.text("order") {
            Some("log") => tracing::warn!(order = "log", "{what}"),
            Some("log elsewhere") => {
                tokio::task::spawn_blocking(move || tracing::warn!("{what}")).await?;
            }
            Some("panic") => panic!("{what}"),
            Some("change credential") => self.host.credential_changed(&what).await,
            other => return Err(Error::permanent(format_args!("no such order: {other:?}"))),
        }
        Ok(Handled::default())
    }
}

export_plugin!(Obedient: EventHandler; concat!(env!("CARGO_MANIFEST_DIR"), "/tests/testkit/plugin.toml"));

fn order(order: &str, what: impl Into<Value>) -> Event {
    Event::new(Topic::push())
        .with("order", order)
        .with("what", what)
}

#[tokio::test]
async fn each_of_several_plugins_in_one_process_is_heard_by_its_own_host() {
    let mut first = TestHost::start::<Obedient>(&[]).await.unwrap();
    let mut second = TestHost::start::<Obedient>(&[]).await.unwrap();
    for (host, what) in [(&mut second, "I am second"), (&mut first, "I am first")] {
        for how in ["log", "log elsewhere"] {
            host.handle(order(how, what)).await.unwrap();
        }
        let record = host.logged(|record| record.message == what).await.unwrap();
        assert_eq!(record.fields, [("order".into(), "log".into())]);
    }
    // The first one's end is not the end of the other's log.
    first.stop().await.unwrap();
    second.handle(order("log", "still here")).await.unwrap();
    second
        .logged(|record| record.message == "still here")
        .await
        .unwrap();
    let foreign = |host: &TestHost, text: &str| host.logs().iter().any(|one| one.message == text);
    assert!(!foreign(&second, "I am first"));
    second.stop().await.unwrap();
}

#[tokio::test]
async fn each_of_several_plugins_in_one_process_reports_its_own_panic() {
    let mut panics = tokio::task::JoinSet::new();
    for number in 0..8 {
        let mut host = TestHost::start::<Obedient>(&[]).await.unwrap();
        let what = format!("panic number {number}");
        panics.spawn(async move {
            let error = host.handle(order("panic", what.as_str())).await;
            (error.unwrap_err().to_string(), what)
        });
    }
    for (error, what) in panics.join_all().await {
        assert!(error.ends_with(&what), "{error}");
        assert!(error.contains("testkit/main.rs:"), "{error}");
    }
}

#[tokio::test]
async fn a_start_that_fails_is_told_with_its_reason() {
    let refusal = [("obedient.refusal", "the moon is full")];
    let error = TestHost::start::<Obedient>(&refusal).await.err().unwrap();
    assert_eq!(error.to_string(), "the moon is full");
    let unknown = [("obedient.colour", "red")];
    let error = TestHost::start::<Obedient>(&unknown).await.err().unwrap();
    assert!(error.to_string().contains("obedient.colour"), "{error}");
}

#[tokio::test]
async fn changed_configuration_reaches_the_plugin() {
    let mut host = TestHost::start::<Obedient>(&[]).await.unwrap();
    host.configure(&[("obedient.refusal", "later")]).unwrap();
    let record = host
        .logged(|record| record.message == "configured anew")
        .await
        .unwrap();
    assert_eq!(record.fields, [("refusal".into(), "later".into())]);
    host.stop().await.unwrap();
}

#[tokio::test]
async fn changes_of_credentials_are_told_in_their_order_whenever_the_test_asks() {
    let mut host = TestHost::start::<Obedient>(&[]).await.unwrap();
    for provider in ["apns", "fcm"] {
        let change = order("change credential", provider);
        host.handle(change).await.unwrap();
    }
    assert_eq!(host.credential_changed().await.unwrap(), "apns");
    assert_eq!(host.credential_changed().await.unwrap(), "fcm");
    host.stop().await.unwrap();
}
