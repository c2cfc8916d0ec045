//! `kill -9`, of the host, of its plugins, of all at once, while mail flows.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use belfry_sandbox::{Double, Push};
use belfry_tests::app::{apns_token, client, fcm_token, notification, notify};
use belfry_tests::crowd::Crowd;
use belfry_tests::host::{Host, signal};
use belfry_tests::providers::{ApnsBy, Providers};
use belfry_tests::wait::{PATIENCE, until};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use reqwest::StatusCode;
use rustix::process::Signal;

const USERS: u32 = 20;
const MAILS: u32 = 2_000;
const KILLS: u32 = 50;

/// Between two tries while the host is away.
const AWAY: Duration = Duration::from_millis(5);

/// Notifies of all mails of the users whose number leaves this rest, again and again until each was
/// answered 200, as no mail server would have the patience to.
async fn mail_server(
    host: String,
    users: Vec<String>,
    lane: u32,
    lanes: u32,
    accepted: Arc<AtomicU32>,
) {
    let http = client();
    for mail in (0..MAILS).filter(|mail| (mail % USERS) % lanes == lane) {
        let user = &users[usize::try_from(mail % USERS).unwrap()];
        let body = notification(user, mail / USERS + 1);
        let sent = async {
            while notify(&http, &host, &body).await != Some(StatusCode::OK) {
                tokio::time::sleep(AWAY).await;
            }
        };
        tokio::time::timeout(PATIENCE, sent)
            .await
            .expect("a notification is accepted in time");
        accepted.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_accepted_is_lost_or_shown_twice() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let providers = Providers::start().await;
    let mut host = providers
        .of(Host::builder().plugin("push-dovecot"), ApnsBy::Key)
        .start()
        .await;
    let crowd = Crowd::gather(&host, USERS).await;

    let accepted = Arc::new(AtomicU32::new(0));
    let lanes = 4;
    let servers: Vec<_> = (0..lanes)
        .map(|lane| {
            let server = mail_server(
                host.internal().to_owned(),
                crowd.users.clone(),
                lane,
                lanes,
                accepted.clone(),
            );
            tokio::spawn(server)
        })
        .collect();
    for kill in 0..KILLS {
        // Somewhere in this kill's share of the mails.
        let share = MAILS / KILLS;
        let at = kill * share + random.random_range(0..share);
        until("mail to flow", async || {
            (accepted.load(Ordering::SeqCst) >= at).then_some(())
        })
        .await;
        let plugin = ["push-dovecot", "mobile-push"][random.random_range(0..2_usize)];
        let victims = random.random_range(0..3_u32);
        if victims != 0
            && let Some(pid) = host.plugin_pid(plugin)
        {
            signal(pid, Signal::KILL);
        }
        if victims != 1 {
            host.kill();
            host.start().await;
        }
    }
    for server in servers {
        server.await.unwrap();
    }

    let everything = usize::try_from(MAILS).unwrap();
    let seen = |double: &Double| {
        let cids: BTreeSet<_> = double
            .delivered()
            .iter()
            .map(|push| (push.token.clone(), push.cid().map(str::to_owned)))
            .collect();
        cids.len()
    };
    until("every mail to be at Apple's", async || {
        (seen(&providers.apns) >= everything).then_some(())
    })
    .await;
    until("every mail to be at Google's", async || {
        (seen(&providers.fcm) >= everything).then_some(())
    })
    .await;
    // What is still on its way is a duplicate, if anything is; the host ends when nothing is in hand.
    assert!(host.end().await);

    // Two of three kills were the host's.
    assert!(host.starts() > KILLS / 4, "{} starts", host.starts());
    for number in 0..USERS {
        shows_each_mail_once(&providers.apns, &apns_token(number));
        shows_each_mail_once(&providers.fcm, &fcm_token(number));
    }
    // A provider that sees a push again can tell that it is the same.
    let mut ids: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for push in providers.apns.pushes() {
        let mail = (push.token.clone(), push.cid().map(str::to_owned));
        ids.entry(mail)
            .or_default()
            .insert((push.apns_id, push.collapse_id));
    }
    assert!(ids.values().all(|ids| ids.len() == 1), "{ids:?}");
    providers.assert_no_violations();
}

fn shows_each_mail_once(double: &Double, token: &str) {
    let mut shown: Vec<_> = double
        .as_device_sees(token)
        .iter()
        .filter_map(Push::cid)
        .map(str::to_owned)
        .collect();
    let mut expected: Vec<_> = (1..=MAILS / USERS)
        .map(|uid| format!("default0/INBOX:{uid}"))
        .collect();
    shown.sort();
    expected.sort();
    assert_eq!(shown, expected);
}
