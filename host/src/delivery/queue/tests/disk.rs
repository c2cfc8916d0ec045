//! A disk that fails while the queue is at work.

use std::fs;

use super::super::QueueError;
use super::*;

/// The log is emptied behind the queue's back, as by a disk that lost it, and comes back later.
#[tokio::test]
async fn after_a_disk_error_nothing_is_accepted_until_the_log_is_whole() {
    let world = World::new();
    let queue = &world.queue;
    let mut ids = vec![world.accept("push-dovecot", &[7; 50_000]).await];
    // What the queue has in memory hides the loss: it has all that accepting needs, and not the
    // large entry.
    sql(queue, "PRAGMA shrink_memory").await;
    ids.push(world.accept("push-dovecot", &[1]).await);
    let log = world.folder.path().join("queue.db-wal");
    let content = fs::read(&log).expect("readable");
    fs::write(&log, b"").expect("emptied");

    let read = queue.load_inbox("push-dovecot", 0, 10).await;
    let told = read.expect_err("its pages are gone");
    assert!(matches!(told, QueueError::Other { .. }), "{told}");
    assert!(told.to_string().contains("system's log"), "{told}");
    let accepted = queue.accept("push-dovecot", EntryKind::Report, vec![1]);
    let told = accepted
        .await
        .expect_err("it would follow a hole in the log");
    assert!(matches!(told, QueueError::Other { .. }), "{told}");

    fs::write(&log, content).expect("restored");
    ids.push(world.accept("push-dovecot", &[1]).await);
    assert_eq!(world.inbox("push-dovecot").await, ids);
}
