//! Any sequence of operations does to the file what it does to the reference in memory.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::super::complete::{CompleteInbox, NewInboxEvent};
use super::super::filter::{Filter, Side};
use super::super::inbox::InboxFailure;
use super::super::model::State;
use super::super::outbox::Finish;
use super::reference::Reference;
use super::*;

#[derive(Debug, Clone)]
enum Step {
    Accept(String, Vec<u8>),
    Complete(CompleteInbox),
    FailInbox(i64, InboxFailure),
    Finish(Vec<(i64, Finish)>),
    Purge(Filter),
    Retry(Filter),
    ForgetSeen(i64, u32),
    Expire(i64, u32),
    DeleteForSubscription(i64),
    Reopen,
}

fn target() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("push-dovecot".to_owned()),
        Just("mobile-push".to_owned())
    ]
}

fn transport() -> impl Strategy<Value = String> {
    prop_oneof![Just("apns".to_owned()), Just("fcm".to_owned())]
}

/// Few enough that most of them exist at some time.
fn id() -> impl Strategy<Value = i64> {
    1..30_i64
}

fn time() -> impl Strategy<Value = i64> {
    0..40_i64
}

fn fan_out() -> impl Strategy<Value = Fanout> {
    let deliveries = vec((transport(), 0..4_i64, time()), 0..4);
    (0..12_u8, time(), deliveries).prop_map(|(number, at, deliveries)| Fanout {
        key: key(number),
        at,
        deliveries: deliveries
            .into_iter()
            .map(|(transport, subscription, expires_at)| NewDelivery {
                expires_at,
                ..delivery(&transport, subscription)
            })
            .collect(),
    })
}

fn completion() -> impl Strategy<Value = CompleteInbox> {
    let park = (target(), time()).prop_map(|(target, at)| NewInboxEvent {
        target: target.into(),
        payload: Payload::from(&b"event"[..]),
        at,
    });
    (vec(id(), 0..4), vec(fan_out(), 0..4), vec(park, 0..2)).prop_map(|(close, messages, park)| {
        CompleteInbox {
            close,
            messages,
            park,
        }
    })
}

fn finish() -> impl Strategy<Value = Finish> {
    prop_oneof![
        2 => Just(Finish::Delivered),
        1 => Just(Finish::Dropped),
        2 => (time(), 0..9_u32, option::of(Just("busy".to_owned()))).prop_map(
            |(not_before, attempts, reason)| Finish::Retry { not_before, attempts, reason }
        ),
        2 => Just(Finish::Dead { reason: "refused".to_owned() }),
    ]
}

fn filter() -> impl Strategy<Value = Filter> {
    let side = prop_oneof![
        (Just(Side::Inbox), target()),
        (Just(Side::Outbox), transport())
    ];
    let state = prop_oneof![Just(State::Waiting), Just(State::Dead)];
    (
        side,
        any::<bool>(),
        option::of(state),
        option::of(vec(id(), 0..6)),
        option::of(time()),
    )
        .prop_map(
            |((side, destination), narrow, state, ids, created_before)| Filter {
                side,
                destination: narrow.then_some(destination),
                state,
                ids,
                created_before,
            },
        )
}

fn step() -> impl Strategy<Value = Step> {
    let failure = prop_oneof![
        time().prop_map(|not_before| InboxFailure::Retry { not_before }),
        Just(InboxFailure::Dead),
    ];
    prop_oneof![
        6 => (target(), vec(any::<u8>(), 0..6)).prop_map(|(target, payload)| {
            Step::Accept(target, payload)
        }),
        6 => completion().prop_map(Step::Complete),
        3 => (id(), failure).prop_map(|(id, failure)| Step::FailInbox(id, failure)),
        4 => vec((id(), finish()), 0..6).prop_map(Step::Finish),
        1 => filter().prop_map(Step::Purge),
        2 => filter().prop_map(Step::Retry),
        1 => (time(), 0..4_u32).prop_map(|(before, limit)| Step::ForgetSeen(before, limit)),
        1 => (time(), 0..4_u32).prop_map(|(now, limit)| Step::Expire(now, limit)),
        1 => (0..4_i64).prop_map(Step::DeleteForSubscription),
        1 => Just(Step::Reopen),
    ]
}

async fn take(step: Step, now: i64, world: &mut World, reference: &mut Reference) {
    world.clock.set(now);
    let queue = &world.queue;
    match step {
        Step::Accept(target, payload) => {
            let expected = reference.accept(&target, now, &payload);
            assert_eq!(world.accept(&target, &payload).await, expected);
        }
        Step::Complete(what) => {
            let expected = reference.complete(&what);
            assert_eq!(queue.complete(what).await, Ok(expected));
        }
        Step::FailInbox(id, failure) => {
            let expected = reference.fail_inbox(id, "failed", failure);
            let found = queue.fail_inbox(id, "failed", failure).await;
            assert_eq!(found, Ok(expected));
        }
        Step::Finish(deliveries) => {
            let expected = reference.finish(&deliveries);
            assert_eq!(queue.finish(deliveries).await, Ok(expected));
        }
        Step::Purge(filter) => {
            let expected = reference.purge(&filter);
            assert_eq!(queue.purge(filter).await, Ok(expected));
        }
        Step::Retry(filter) => {
            let expected = reference.retry(&filter);
            assert_eq!(queue.retry(filter).await, Ok(expected));
        }
        Step::ForgetSeen(before, limit) => {
            let expected = reference.forget_seen(before, limit);
            assert_eq!(queue.forget_seen(before, limit).await, Ok(expected));
        }
        Step::Expire(now, limit) => {
            let expected = reference.expire(now, limit);
            assert_eq!(queue.expire(now, limit).await, Ok(expected));
        }
        Step::DeleteForSubscription(subscription) => {
            let expected = reference.delete_for_subscription(subscription);
            let deleted = queue.delete_for_subscription(subscription).await;
            assert_eq!(deleted, Ok(expected));
        }
        Step::Reopen => world.reopen().await,
    }
}

/// Everything that can be seen of the queue is as in the reference.
async fn compare(world: &World, reference: &Reference, filter: &Filter, now: i64) {
    let queue = &world.queue;
    assert_eq!(queue.count().await, Ok(reference.count()));
    for target in ["push-dovecot", "mobile-push"] {
        let page = queue.load_inbox(target, now, 3).await.expect("loaded");
        let mut expected = reference.inbox.waiting(target, now);
        let more = expected.len() >= 3;
        expected.truncate(3);
        let ids: Vec<_> = page.entries.iter().map(|entry| entry.id).collect();
        assert_eq!((&ids, page.next.is_some()), (&expected, more));
        for entry in page.entries {
            let row = &reference.inbox.rows[&entry.id];
            assert_eq!(*entry.payload, *row.payload);
            assert_eq!(entry.not_before, row.not_before);
        }
    }
    for transport in ["apns", "fcm"] {
        let page = queue.load_outbox(transport, 0, 10_000, now).await;
        let page = page.expect("loaded");
        let (later, ready): (Vec<_>, Vec<_>) = reference
            .outbox
            .waiting(transport, 0)
            .into_iter()
            .partition(|id| reference.outbox.rows[id].not_before > now);
        assert_eq!(page.ready.iter().map(|it| it.id).collect::<Vec<_>>(), ready);
        assert_eq!(page.later.iter().map(|it| it.id).collect::<Vec<_>>(), later);
    }
    for side in [Side::Inbox, Side::Outbox] {
        let filter = Filter {
            side,
            ..filter.clone()
        };
        let listed = queue.list(filter.clone(), 0, 10_000).await.expect("listed");
        let ids: Vec<_> = listed.iter().map(|it| it.id).collect();
        assert_eq!(ids, reference.matching(&filter));
        for found in listed {
            let row = &reference.side(side).rows[&found.id];
            assert_eq!((found.state, found.attempts), (row.state, row.attempts));
            assert_eq!(found.reason, row.reason);
            assert_eq!(found.created_at, row.created_at);
        }
    }
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..Default::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_queue_does_what_the_reference_does(
        steps in vec(step(), 1..60),
        filter in filter(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let mut world = World::with(Durability::Process);
            let mut reference = Reference::default();
            for (now, step) in (0..).zip(steps) {
                take(step, now, &mut world, &mut reference).await;
                compare(&world, &reference, &filter, now).await;
            }
        });
    }
}
