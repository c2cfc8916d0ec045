//! What waits to be delivered, while the world changes around it.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

use std::time::Duration;

use belfry_sandbox::{Effect, Fault, FaultAnswer};
use belfry_tests::app::{App, apns_token, client, fcm_token, notification, notify};
use belfry_tests::crowd::{self, Crowd};
use belfry_tests::host::{Host, signal};
use belfry_tests::providers::{ApnsBy, Providers};
use belfry_tests::wait::{PATIENCE, until};
use reqwest::StatusCode;
use rustix::process::Signal;

async fn world(users: u32) -> (Providers, Host, Crowd) {
    let providers = Providers::start().await;
    let builder = Host::builder().plugin("push-dovecot");
    let host = providers.of(builder, ApnsBy::Certificate).start().await;
    let crowd = Crowd::gather(&host, users).await;
    (providers, host, crowd)
}

async fn mail(host: &Host, user: &str, uid: u32) {
    let answer = notify(&client(), host.internal(), &notification(user, uid)).await;
    assert_eq!(answer, Some(StatusCode::OK));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_waits_does_not_reach_the_devices_next_owner() {
    let (providers, host, crowd) = world(2).await;
    let later = FaultAnswer::new(429, "TooManyRequests").retry_after(Duration::from_secs(2));
    let later = Fault::new(Effect::Answer(later)).for_device(&apns_token(0));
    providers.apns.faults().add(later.times(1));
    mail(&host, &crowd.users[0], 1).await;
    providers.fcm.wait_for_delivered(1, PATIENCE).await.unwrap();
    until("the iPhone's delivery to wait", async || {
        let (_, text) = host.ctl(&["delivery", "list"]).await;
        text.contains("apns").then_some(())
    })
    .await;

    // The phone is given to somebody else, who logs in with the same app.
    let next_owner = App::log_in(&host, "user1@example.com", crowd::PASSWORD).await;
    assert!(
        next_owner
            .subscribe("apns", &apns_token(0))
            .await
            .is_success()
    );
    until("the delivery to be dropped", async || {
        let (_, text) = host.ctl(&["delivery", "list"]).await;
        (!text.contains("apns")).then_some(())
    })
    .await;
    assert_eq!(providers.apns.delivered().len(), 0);

    mail(&host, &crowd.users[1], 7).await;
    providers
        .apns
        .wait_for_delivered(2, PATIENCE)
        .await
        .unwrap();
    let shown = providers.apns.as_device_sees(&apns_token(0));
    let cids: Vec<_> = shown.iter().map(|push| push.cid().unwrap()).collect();
    assert_eq!(cids, ["default0/INBOX:7"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_death_of_another_plugin_sends_nothing_again() {
    let (providers, mut host, crowd) = world(1).await;
    let slow = Effect::Slow(Duration::from_secs(2));
    providers
        .fcm
        .faults()
        .add(Fault::new(slow).for_device(&fcm_token(0)).times(1));
    mail(&host, &crowd.users[0], 1).await;
    providers
        .fcm
        .wait_until_counts("the push to be on its way", PATIENCE, |counts| {
            counts.requests >= 1
        })
        .await
        .unwrap();
    signal(host.plugin_pid("push-dovecot").unwrap(), Signal::KILL);
    until("push-dovecot to be back", async || {
        host.plugin("push-dovecot")
            .await
            .filter(|plugin| plugin["generation"] == 2 && plugin["state"] == "ACTIVE")
    })
    .await;
    providers.fcm.wait_for_delivered(1, PATIENCE).await.unwrap();
    // What is in hand is answered before the host ends.
    assert!(host.end().await);
    assert_eq!(providers.fcm.pushes().len(), 1);
    assert_eq!(providers.apns.pushes().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_is_stopped_leaves_its_mail_waiting_until_it_is_started() {
    let (providers, mut host, crowd) = world(1).await;
    assert_eq!(host.ctl(&["plugin", "stop", "mobile-push"]).await.0, 0);
    for uid in 1..=20 {
        mail(&host, &crowd.users[0], uid).await;
    }
    assert_eq!(host.ctl(&["plugin", "stop", "push-dovecot"]).await.0, 0);
    for uid in 21..=40 {
        mail(&host, &crowd.users[0], uid).await;
    }
    // What was stopped stays stopped over a restart, and the mail waits.
    assert!(host.end().await);
    host.start().await;
    assert_eq!(
        host.plugin("mobile-push").await.unwrap()["state"],
        "RESOLVED"
    );
    assert_eq!(providers.apns.pushes().len(), 0);
    for id in ["push-dovecot", "mobile-push"] {
        assert_eq!(host.ctl(&["plugin", "start", id]).await.0, 0);
    }
    providers
        .apns
        .wait_for_delivered(40, PATIENCE)
        .await
        .unwrap();
    providers
        .fcm
        .wait_for_delivered(40, PATIENCE)
        .await
        .unwrap();
    let shown = providers.apns.as_device_sees(&apns_token(0));
    let cids: Vec<_> = shown
        .iter()
        .map(|push| push.cid().unwrap().to_owned())
        .collect();
    let in_order: Vec<_> = (1..=40)
        .map(|uid| format!("default0/INBOX:{uid}"))
        .collect();
    assert_eq!(cids, in_order);
    providers.assert_no_violations();
}
