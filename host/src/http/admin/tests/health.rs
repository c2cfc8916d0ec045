//! What is not well, and what is.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{World, until};
use crate::delivery::queue::{EntryKind, InboxFailure};

fn problems<'a>(health: &'a Value, severity: &str) -> Vec<&'a str> {
    let problems = health["problems"].as_array().unwrap().iter();
    let alike = problems.filter(|problem| problem["severity"] == severity);
    alike
        .map(|problem| problem["what"].as_str().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_without_trouble_is_well() {
    let world = World::new(&[]).await;
    let health = world.get("/health").await;
    assert_eq!(
        (&health["ok"], &health["problems"]),
        (&json!(true), &json!([]))
    );
    assert_eq!(health["plugins"]["installed"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_plugin_is_refused_and_a_fault_where_it_lies_in_the_plugins_folder() {
    let world = World::new(&[]).await;
    let file = world.folder.path().join("plugin.so");
    std::fs::write(&file, "no library").unwrap();
    let (status, answer) = world
        .ask("POST", "/plugins", Some(json!({"file": file})))
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        answer["detail"]
            .as_str()
            .unwrap()
            .contains("not an ELF file"),
        "{answer}"
    );
    // Whoever named it was told.
    assert_eq!(world.get("/health").await["ok"], true);

    let file = world.folder.path().join("plugins/plugin.so");
    std::fs::write(&file, "no library").unwrap();
    let list = until("the file to be refused", async || {
        let list = world.get("/plugins").await;
        (list["refused"] != json!([])).then_some(list)
    })
    .await;
    assert_eq!(list["plugins"], json!([]));
    assert_eq!(list["refused"][0]["file"], json!(file));
    let health = world.get("/health").await;
    assert_eq!(health["ok"], false);
    let [fault] = problems(&health, "fault")[..] else {
        panic!("{health}")
    };
    assert!(fault.contains("not an ELF file"), "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn configuration_that_is_not_in_force_is_a_fault_until_it_is_mended() {
    let world = World::new(&[]).await;
    let file = world.folder.path().join("config/belfry.properties");
    let config = world.node().config().clone();
    let reload = move || {
        let config = config.clone();
        async move {
            tokio::task::spawn_blocking(move || drop(config.reload()))
                .await
                .unwrap()
        }
    };
    std::fs::write(&file, "belfry.user.context = many\n").unwrap();
    reload().await;
    let health = world.get("/health").await;
    let [fault] = problems(&health, "fault")[..] else {
        panic!("{health}")
    };
    assert!(fault.contains("belfry.user.context"), "{fault}");

    std::fs::write(&file, "belfry.user.kontext = 1\n").unwrap();
    reload().await;
    let health = world.get("/health").await;
    assert_eq!(health["ok"], true, "{health}");
    let [notice] = problems(&health, "notice")[..] else {
        panic!("{health}")
    };
    assert!(notice.contains("belfry.user.kontext"), "{notice}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_nobody_is_a_fault_and_what_was_given_up_on_a_notice() {
    let world = World::new(&[]).await;
    let queue = world.node().delivery().queue();
    let dead = queue
        .accept("push-dovecot", EntryKind::Report, vec![1_u8])
        .await
        .unwrap();
    queue
        .fail_inbox(dead.id, "no", InboxFailure::Dead)
        .await
        .unwrap();
    let health = world.get("/health").await;
    assert_eq!(health["ok"], true, "{health}");
    let [notice] = problems(&health, "notice")[..] else {
        panic!("{health}")
    };
    assert!(notice.contains("given up on"), "{notice}");

    queue
        .accept("push-dovecot", EntryKind::Report, vec![1_u8])
        .await
        .unwrap();
    let health = world.get("/health").await;
    assert_eq!(health["ok"], false);
    let [fault] = problems(&health, "fault")[..] else {
        panic!("{health}")
    };
    assert!(fault.contains("not installed"), "{fault}");
    assert_eq!(health["queue"].as_array().unwrap().len(), 2);
}
