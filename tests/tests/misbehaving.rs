//! A plugin that misbehaves fails alone.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

use belfry_tests::app::{client, notification, notify};
use belfry_tests::crowd::Crowd;
use belfry_tests::host::Host;
use belfry_tests::providers::{ApnsBy, Providers};
use belfry_tests::wait::{PATIENCE, until};
use reqwest::StatusCode;

/// A host whose plugins deliver mail, and one that misbehaves when it is told to.
struct World {
    providers: Providers,
    host: Host,
    crowd: Crowd,
    mails: u32,
}

impl World {
    async fn new(isolation: &str) -> Self {
        let providers = Providers::start().await;
        let builder = Host::builder().plugin("push-dovecot").plugin("misbehaving");
        let host = providers
            .of(builder, ApnsBy::Certificate)
            .set("belfry.plugin.misbehaving.isolation", isolation)
            .set("belfry.plugin.misbehaving.hang-timeout-ms", 1_500)
            .set("belfry.plugin.misbehaving.events-per-second", 200)
            .start()
            .await;
        let crowd = Crowd::gather(&host, 1).await;
        host.plugin_becomes("misbehaving", "ACTIVE").await;
        Self {
            providers,
            host,
            crowd,
            mails: 0,
        }
    }

    /// A mail is delivered to both phones.
    async fn delivers(&mut self) {
        self.mails += 1;
        let body = notification(&self.crowd.users[0], self.mails);
        assert_eq!(
            notify(&client(), self.host.internal(), &body).await,
            Some(StatusCode::OK)
        );
        let count = u64::from(self.mails);
        self.providers
            .apns
            .wait_for_delivered(count, PATIENCE)
            .await
            .unwrap();
        self.providers
            .fcm
            .wait_for_delivered(count, PATIENCE)
            .await
            .unwrap();
    }

    async fn misbehave(&self, how: &str) {
        let (status, text) = self
            .host
            .ctl(&[
                "event",
                "send",
                "org/belfry/misbehave",
                &format!("how={how}"),
            ])
            .await;
        assert_eq!(status, 0, "{text}");
    }

    /// Waits until the list says why the plugin failed.
    async fn list_says(&self, why: &str) {
        until(&format!("the list to say {why:?}"), async || {
            let plugin = self.host.plugin("misbehaving").await?;
            let said = format!("{} {}", plugin["last_failure"], plugin["reason"]);
            said.contains(why).then_some(())
        })
        .await;
        // For people, too.
        let (_, text) = self.host.ctl(&["plugin", "list"]).await;
        assert!(text.contains(why), "{text}");
    }
}

async fn fails_alone(isolation: &str, how: &str, why: &str) {
    let mut world = World::new(isolation).await;
    let pid = world.host.pid();
    world.delivers().await;
    world.misbehave(how).await;
    world.delivers().await;
    world.list_says(why).await;
    for _ in 0..5 {
        world.delivers().await;
    }
    for id in ["push-dovecot", "mobile-push"] {
        let plugin = world.host.plugin(id).await.unwrap();
        assert_eq!(plugin["state"], "ACTIVE", "{plugin}");
        assert_eq!(plugin["failures"], 0, "{plugin}");
    }
    assert_eq!(world.host.pid(), pid);
    world.providers.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_reported_with_its_place_and_the_plugin_starts_again() {
    fails_alone("process", "panic", "as it was told to").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_inside_the_hosts_process_is_that_plugins_alone() {
    fails_alone("host", "panic", "as it was told to").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hang_is_found_out_and_ended() {
    fails_alone("process", "hang", "it hangs: a ping was not answered").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hang_inside_the_hosts_process_holds_up_nobody() {
    fails_alone("host", "hang", "it hangs: a ping was not answered").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_never_answers_is_deny_listed() {
    fails_alone("process", "sleep", "deny-listed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_events_is_dammed() {
    fails_alone("process", "flood", "it floods").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_events_inside_the_hosts_process_is_dammed() {
    fails_alone("host", "flood", "it floods").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_without_end_ends_at_the_plugins_limit() {
    fails_alone("process", "allocate", "memory allocation of").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exit_is_that_of_the_plugins_process() {
    fails_alone("process", "exit", "exited with status 7").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segmentation_fault_is_that_of_the_plugins_process() {
    fails_alone("process", "segfault", "SIGSEGV").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_kills_its_handler_every_time_is_set_aside() {
    let world = World::new("process").await;
    world.misbehave("exit").await;
    until("the event to be left to the operator", async || {
        let (_, text) = world.host.ctl(&["delivery", "list", "--json"]).await;
        text.contains("the plugin died each time").then_some(())
    })
    .await;
    let failures = world.host.plugin_becomes("misbehaving", "ACTIVE").await["failures"].clone();
    // It lives on with what does not kill it.
    world.misbehave("not at all").await;
    until("the next event to be handled", async || {
        world
            .host
            .log()
            .contains("this way to misbehave is not known")
            .then_some(())
    })
    .await;
    assert_eq!(
        world.host.plugin("misbehaving").await.unwrap()["failures"],
        failures
    );
}
