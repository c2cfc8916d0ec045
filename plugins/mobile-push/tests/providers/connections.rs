//! What an account does with its connections, shown at the double of APNs.

use std::sync::Arc;
use std::time::Duration;

use belfry_sandbox::{Effect, Fault};
use mobile_push::http2::Options;
use mobile_push::outcome::{Outcome, Scope};

use crate::accounts::*;

#[tokio::test]
async fn a_hundred_tasks_at_a_cold_start_open_one_connection() {
    let apple = Apple::start().await;
    for account in [apple.by_token(), apple.by_certificate()] {
        let before = apple.apns.counts().connections;
        let account = Arc::new(account);
        let outcomes = at_once(100, 100, move |number| {
            let account = account.clone();
            async move { account.send(&push(number)).await }
        })
        .await;
        assert_all_delivered(&outcomes);
        assert_eq!(apple.apns.counts().connections - before, 1);
    }
    assert_eq!(apple.apns.counts().delivered, 200);
    assert!(
        apple.apns.violations().is_empty(),
        "{:?}",
        apple.apns.violations()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn goaway_every_hundred_pushes_costs_no_push_and_doubles_none() {
    let apple = Apple::start().await;
    apple
        .apns
        .faults()
        .add(Fault::new(Effect::GoAway { every: 100 }));
    let account = Arc::new(apple.by_token());
    let outcomes = at_once(2000, 64, move |number| {
        let account = account.clone();
        async move { account.send(&push(number)).await }
    })
    .await;
    assert_eq!(outcomes.len(), 2000);
    assert_all_delivered(&outcomes);
    let counts = apple.apns.counts();
    assert_eq!(counts.delivered, 2000, "{counts:?}");
    assert!(counts.goaways >= 19, "{counts:?}");
    assert!(
        apple.apns.violations().is_empty(),
        "{:?}",
        apple.apns.violations()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn goaway_every_ten_pushes_with_more_on_the_way_costs_no_push_either() {
    let apple = Apple::start().await;
    apple
        .apns
        .faults()
        .add(Fault::new(Effect::GoAway { every: 10 }));
    let account = Arc::new(apple.by_certificate());
    let outcomes = at_once(500, 64, move |number| {
        let account = account.clone();
        async move { account.send(&push(number)).await }
    })
    .await;
    assert_all_delivered(&outcomes);
    assert_eq!(apple.apns.counts().delivered, 500);
}

#[tokio::test]
async fn with_a_token_the_first_push_of_a_connection_runs_alone() {
    // As if APNs allowed all streams from the beginning.
    let apple = Apple::start_with(|options| options.one_stream_at_first = false).await;
    let delay = Duration::from_millis(200);
    apple.apns.faults().add(Fault::new(Effect::Slow(delay)));
    let account = Arc::new(apple.by_token());
    let outcomes = at_once(20, 20, move |number| {
        let account = account.clone();
        async move { account.send(&push(number)).await }
    })
    .await;
    assert_all_delivered(&outcomes);
    let arrived: Vec<_> = apple
        .apns
        .pushes()
        .iter()
        .map(|push| push.instant)
        .collect();
    assert!(arrived[1] - arrived[0] >= delay, "{arrived:?}");
    assert!(arrived[19] - arrived[1] < delay, "{arrived:?}");
}

#[tokio::test]
async fn a_server_that_shuts_down_is_left() {
    let apple = Apple::start().await;
    let account = apple.by_certificate();
    apple
        .apns
        .faults()
        .add(Fault::answer(503, "Shutdown").times(1));
    let (after, scope, ..) = wait(account.send(&push(0)).await);
    assert!(after >= Duration::from_secs(900), "{after:?}");
    assert_eq!(scope, Scope::Token);
    assert_eq!(account.send(&push(1)).await, Outcome::Delivered);
    assert_eq!(apple.apns.counts().connections, 2);
}

#[tokio::test]
async fn a_push_that_finds_no_free_stream_was_not_sent() {
    let apple = Apple::start_with(|options| options.streams = 1).await;
    let account = apple.account(
        apple.certificate(&apple.authority.ca),
        Options {
            queue_timeout: Duration::from_millis(300),
            max_connections: 1,
            ..quick()
        },
    );
    apple
        .apns
        .faults()
        .add(Fault::new(Effect::Hang { delivered: false }));
    let (first, second) = (push(0), push(1));
    tokio::select! {
        biased;
        outcome = account.send(&first) => panic!("{outcome:?}"),
        outcome = account.send(&second) => {
            let (_, scope, reason, possibly_delivered) = wait(outcome);
            assert!(reason.contains("no stream was free") && !possibly_delivered, "{reason}");
            assert_eq!(scope, Scope::Token);
        }
    }
    assert_eq!(apple.apns.counts().requests, 1);
}

#[tokio::test]
async fn a_refused_stream_is_sent_again_in_silence() {
    let apple = Apple::start().await;
    let account = apple.by_token();
    assert_eq!(account.send(&push(0)).await, Outcome::Delivered);
    apple
        .apns
        .faults()
        .add(Fault::new(Effect::RefuseStream).times(3));
    assert_eq!(account.send(&push(1)).await, Outcome::Delivered);
    let counts = apple.apns.counts();
    assert_eq!((counts.delivered, counts.connections), (2, 1), "{counts:?}");
}

#[tokio::test]
async fn a_push_without_an_answer_may_have_arrived() {
    let apple = Apple::start().await;
    let account = apple.account(
        apple.certificate(&apple.authority.ca),
        Options {
            request_timeout: Duration::from_millis(300),
            ..quick()
        },
    );
    assert_eq!(account.send(&push(0)).await, Outcome::Delivered);
    apple
        .apns
        .faults()
        .add(Fault::new(Effect::Hang { delivered: true }).times(1));
    let push = push(1);
    let (after, scope, reason, possibly_delivered) = wait(account.send(&push).await);
    assert!(
        after >= Duration::from_secs(10) && scope == Scope::Token,
        "{after:?}"
    );
    assert!(
        possibly_delivered && reason.contains("did not answer"),
        "{reason}"
    );
    // With the same identifiers, the device shows it once.
    assert_eq!(account.send(&push).await, Outcome::Delivered);
    assert_eq!(apple.apns.as_device_sees(&push.token).len(), 1);
    assert_eq!(apple.apns.counts().connections, 1);
}

#[tokio::test]
async fn a_connection_on_which_nothing_is_answered_any_more_is_left() {
    let apple = Apple::start().await;
    let account = apple.account(
        apple.certificate(&apple.authority.ca),
        Options {
            request_timeout: Duration::from_millis(100),
            ..quick()
        },
    );
    assert_eq!(account.send(&push(0)).await, Outcome::Delivered);
    // It answers PINGs as before.
    let mute = Fault::new(Effect::Hang { delivered: false }).times(3);
    apple.apns.faults().add(mute);
    for number in 1..4 {
        wait(account.send(&push(number)).await);
    }
    assert_eq!(account.send(&push(4)).await, Outcome::Delivered);
    let counts = apple.apns.counts();
    assert_eq!((counts.delivered, counts.connections), (2, 2), "{counts:?}");
}

#[tokio::test]
async fn a_lost_connection_leaves_open_whether_a_push_arrived() {
    for effect in [
        Effect::ResetConnection { every: 2 },
        Effect::AbruptGoAway { every: 2 },
        Effect::ResetStream { delivered: true },
    ] {
        let apple = Apple::start().await;
        let account = apple.by_token();
        assert_eq!(account.send(&push(0)).await, Outcome::Delivered);
        let fault = apple.apns.faults().add(Fault::new(effect.clone()).times(1));
        let push = push(1);
        let (after, _, reason, possibly_delivered) = wait(account.send(&push).await);
        assert!(possibly_delivered, "{effect:?}: {reason}");
        assert!(after < Duration::from_secs(2), "{effect:?}: {after:?}");
        apple.apns.faults().remove(fault);
        assert_eq!(account.send(&push).await, Outcome::Delivered);
        assert_eq!(
            apple.apns.as_device_sees(&push.token).len(),
            1,
            "{effect:?}"
        );
    }
}

#[tokio::test]
async fn a_provider_that_is_away_fails_at_once_and_is_found_again() {
    let apple = Apple::start().await;
    let account = Arc::new(apple.by_token());
    apple
        .apns
        .faults()
        .add(Fault::new(Effect::RefuseConnections));
    let sender = account.clone();
    let outcomes = at_once(50, 50, move |number| {
        let account = sender.clone();
        async move { account.send(&push(number)).await }
    })
    .await;
    for outcome in outcomes {
        let (after, scope, reason, possibly_delivered) = wait(outcome);
        assert!(
            after <= Duration::from_secs(1) && scope == Scope::Account,
            "{after:?} {reason}"
        );
        assert!(!possibly_delivered);
    }
    assert_eq!(apple.apns.counts().connections, 1);

    apple.apns.faults().clear();
    let found = async {
        loop {
            match account.send(&push(0)).await {
                Outcome::Delivered => return,
                Outcome::RetryLater { after, .. } => tokio::time::sleep(after).await,
                other => panic!("{other:?}"),
            }
        }
    };
    tokio::time::timeout(DEADLINE, found).await.unwrap();
}

#[tokio::test]
async fn few_streams_are_obeyed_and_a_busy_connection_gets_company() {
    let apple = Apple::start_with(|options| options.streams = 4).await;
    let slow = Effect::Slow(Duration::from_millis(60));
    apple.apns.faults().add(Fault::new(slow));
    let account = Arc::new(apple.by_token());
    let outcomes = at_once(120, 60, move |number| {
        let account = account.clone();
        async move { account.send(&push(number)).await }
    })
    .await;
    assert_all_delivered(&outcomes);
    let counts = apple.apns.counts();
    assert!(counts.max_concurrent_streams <= 4, "{counts:?}");
    assert!((2..=4).contains(&counts.connections), "{counts:?}");
    assert!(
        apple.apns.violations().is_empty(),
        "{:?}",
        apple.apns.violations()
    );
}

#[tokio::test]
async fn a_dropped_account_closes_its_connections() {
    let apple = Apple::start().await;
    let account = apple.by_token();
    assert_eq!(account.send(&push(0)).await, Outcome::Delivered);
    assert_eq!(apple.apns.counts().open_connections, 1);
    drop(account);
    apple
        .apns
        .wait_until_counts("no open connection", DEADLINE, |counts| {
            counts.open_connections == 0
        })
        .await
        .unwrap();
}
