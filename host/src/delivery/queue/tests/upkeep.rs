//! What is cleared away, and what stays.

use super::super::complete::MessageOutcome;
use super::super::outbox::Finish;
use super::super::upkeep::SLICE_ROWS;
use super::*;

#[tokio::test]
async fn a_forgotten_message_is_new_again_and_a_younger_one_is_not() {
    let world = World::new();
    world.fan_out(1, "apns", &[10]).await;
    world.fan_out(2, "apns", &[10]).await;

    // `message` gives each key its number as the time.
    assert_eq!(world.queue.forget_seen(2, 100).await, Ok(1));

    let again = |number| message(number, vec![]);
    let done = world.complete(vec![], vec![again(1), again(2)]).await;
    assert_eq!(
        done.messages,
        [MessageOutcome::Fanned(vec![]), MessageOutcome::Duplicate]
    );
}

#[tokio::test]
async fn keys_are_forgotten_in_slices_the_oldest_first() {
    let world = World::new();
    for number in [3, 1, 2] {
        world.fan_out(number, "apns", &[]).await;
    }

    assert_eq!(world.queue.forget_seen(100, 2).await, Ok(2));

    let done = world.complete(vec![], vec![message(3, vec![])]).await;
    assert_eq!(done.messages, [MessageOutcome::Duplicate]);
    assert_eq!(world.queue.forget_seen(100, 2).await, Ok(1));
}

#[tokio::test]
async fn what_has_expired_goes_dead_or_alive_and_the_rest_stays() {
    let world = World::new();
    let expiring = [(10, 100), (11, 200), (12, 201)].map(|(subscription, expires_at)| {
        let mut new = delivery("apns", subscription);
        new.expires_at = expires_at;
        new
    });
    let done = world.complete(vec![], vec![message(1, expiring.to_vec())]);
    let ids = match &done.await.messages[..] {
        [MessageOutcome::Fanned(ids)] => ids.clone(),
        other => panic!("not fanned out: {other:?}"),
    };
    let dead = Finish::Dead {
        reason: "refused".to_owned(),
    };
    world
        .queue
        .finish(vec![(ids[0], dead)])
        .await
        .expect("done");

    assert_eq!(world.queue.expire(200, 1).await, Ok(1));
    assert_eq!(world.queue.expire(200, 10).await, Ok(1));
    assert_eq!(world.queue.expire(200, 10).await, Ok(0));

    assert_eq!(world.outbox("apns", 0).await, [ids[2]]);
}

#[tokio::test]
async fn an_unsubscribed_device_loses_its_deliveries_and_no_other_does() {
    let world = World::with(Durability::Process);
    let many = SLICE_ROWS as usize + 1;
    world.fan_out(1, "apns", &vec![10; many]).await;
    let others = world.fan_out(2, "apns", &[11]).await;

    assert_eq!(world.queue.delete_for_subscription(10).await, Ok(many));

    assert_eq!(world.outbox("apns", 0).await, others);
}
