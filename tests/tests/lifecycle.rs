//! The life of a plugin, as the plugins folder and the operator's commands have it, in either
//! isolation.
#![allow(clippy::unwrap_used, reason = "a helper that fails, fails its test")]

use std::fs;

use belfry_tests::app::client;
use belfry_tests::artifacts;
use belfry_tests::host::{Host, LOGIN, PASSWORD, signal};
use belfry_tests::wait::until;
use reqwest::StatusCode;
use rustix::process::Signal;
use serde_json::{Value, json};

const ID: &str = "push-hello";

/// A host whose plugins run in one isolation.
async fn host(isolation: &str) -> Host {
    Host::builder()
        .set("belfry.plugin.push-hello.isolation", isolation)
        .set("belfry.plugin.misbehaving.isolation", isolation)
        .start()
        .await
}

/// A host with the plugin.
async fn host_with_plugin(isolation: &str) -> Host {
    let host = host(isolation).await;
    put(&host, "push-hello.so", &artifact(ID));
    let status = host.plugin_becomes(ID, "ACTIVE").await;
    assert_eq!(status["isolation"], isolation);
    host
}

fn artifact(id: &str) -> Vec<u8> {
    fs::read(artifacts::plugin(id)).unwrap()
}

/// The same plugin in other bytes, as another build of it has.
fn rebuilt(id: &str) -> Vec<u8> {
    let mut bytes = artifact(id);
    bytes.extend_from_slice(b"another build");
    bytes
}

/// Puts a file into the plugins folder, as a package manager does.
fn put(host: &Host, name: &str, bytes: &[u8]) {
    let unfinished = host.plugins().join(format!("{name}.dpkg-new"));
    fs::write(&unfinished, bytes).unwrap();
    fs::rename(unfinished, host.plugins().join(name)).unwrap();
}

fn remove(host: &Host, name: &str) {
    fs::remove_file(host.plugins().join(name)).unwrap();
}

/// Why a file in the plugins folder is not installed, as `belfryctl plugin list` says it.
async fn refusal(host: &Host, name: &str) -> Option<String> {
    let (code, text) = host.ctl(&["plugin", "list", "--json"]).await;
    assert_eq!(code, 0, "{text}");
    let list: Value = serde_json::from_str(&text).unwrap();
    let file = json!(host.plugins().join(name));
    let refused = list["refused"].as_array().unwrap().iter();
    let fault = refused
        .filter(|one| one["file"] == file)
        .map(|one| one["fault"].as_str().unwrap());
    fault.map(str::to_owned).next()
}

async fn is_refused(host: &Host, name: &str) -> String {
    until(&format!("{name} to be refused"), async || {
        refusal(host, name).await
    })
    .await
}

/// Waits until the host has looked at the whole folder, with all that was done to it before.
async fn rescan(host: &Host) {
    const MARK: &str = "zzz.so";
    put(host, MARK, b"a mark");
    is_refused(host, MARK).await;
    remove(host, MARK);
    until("the mark to go", async || {
        refusal(host, MARK).await.is_none().then_some(())
    })
    .await;
}

async fn plugin(host: &Host) -> Value {
    host.plugin(ID).await.unwrap()
}

/// Waits until the plugin runs as a generation, counted from 1.
async fn becomes_generation(host: &Host, generation: u64) -> Value {
    until(&format!("generation {generation}"), async || {
        let status = host.plugin(ID).await?;
        (status["generation"] == generation && status["state"] == "ACTIVE").then_some(status)
    })
    .await
}

/// Waits until the plugin runs with other bytes.
async fn is_updated(host: &Host, before: &Value) -> Value {
    until("an update", async || {
        let status = host.plugin(ID).await?;
        (status["hash"] != before["hash"] && status["state"] == "ACTIVE").then_some(status)
    })
    .await
}

async fn ctl(host: &Host, arguments: &[&str]) {
    let (code, text) = host.ctl(arguments).await;
    assert_eq!(code, 0, "{arguments:?}: {text}");
}

/// What the plugin's route answers.
async fn route(host: &Host) -> StatusCode {
    let mail = json!({"user": "1@1", "validity": 1, "uid": 1, "from": "Alice", "about": "Lunch"});
    let request = client().post(format!("{}/hello/mail", host.internal()));
    let request = request.basic_auth(LOGIN, Some(PASSWORD)).json(&mail);
    request.send().await.unwrap().status()
}

async fn what_the_operator_stopped_stays_stopped(isolation: &str) {
    let mut host = host_with_plugin(isolation).await;
    let is_stopped = async |host: &Host| {
        let status = plugin(host).await;
        assert_eq!(
            (&status["state"], &status["autostart"]),
            (&json!("RESOLVED"), &json!(false))
        );
        assert_eq!(status["pid"], Value::Null);
        status
    };
    ctl(&host, &["plugin", "stop", ID]).await;
    is_stopped(&host).await;
    rescan(&host).await;
    let hash = is_stopped(&host).await["hash"].clone();
    // An update does not start it either.
    put(&host, "push-hello.so", &rebuilt(ID));
    rescan(&host).await;
    assert_ne!(is_stopped(&host).await["hash"], hash);
    // Mail servers are answered meanwhile.
    assert_eq!(route(&host).await, StatusCode::OK);

    host.kill();
    host.start().await;
    is_stopped(&host).await;
    assert!(host.end().await);
    host.start().await;
    rescan(&host).await;
    is_stopped(&host).await;

    ctl(&host, &["plugin", "start", ID]).await;
    assert_eq!(plugin(&host).await["state"], "ACTIVE");
    host.kill();
    host.start().await;
    let status = plugin(&host).await;
    assert_eq!(
        (&status["state"], &status["autostart"]),
        (&json!("ACTIVE"), &json!(true))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_stopped_stays_stopped_in_its_own_process() {
    what_the_operator_stopped_stays_stopped("process").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_stopped_stays_stopped_in_the_hosts_process() {
    what_the_operator_stopped_stays_stopped("host").await;
}

async fn a_replaced_file_is_an_update(isolation: &str) {
    let host = host_with_plugin(isolation).await;
    let first = plugin(&host).await;
    put(&host, "push-hello.so", &rebuilt(ID));
    let second = is_updated(&host, &first).await;
    assert_eq!(second["generation"], 2);
    assert_eq!(second["reason"], Value::Null);
    if isolation == "process" {
        assert_ne!(second["pid"], first["pid"]);
        let old = format!("/proc/{}", first["pid"]);
        until("the old process to end", async || {
            (!fs::exists(&old).unwrap()).then_some(())
        })
        .await;
    } else {
        assert_eq!(second["mapped_generations"], 2);
    }

    // A bad file leaves it running, and says why.
    put(&host, "push-hello.so", b"not what it was");
    assert!(
        is_refused(&host, "push-hello.so")
            .await
            .contains("is not an ELF file")
    );
    let (_, text) = host.ctl(&["plugin", "list"]).await;
    assert!(text.contains("is not an ELF file"), "{text}");
    assert!(host.log().contains("is not an ELF file"));
    assert_eq!(plugin(&host).await, second);
    assert_eq!(route(&host).await, StatusCode::OK);

    put(&host, "push-hello.so", &artifact(ID));
    let third = is_updated(&host, &second).await;
    assert_eq!(
        (&third["hash"], &third["generation"]),
        (&first["hash"], &json!(3))
    );
    assert_eq!(refusal(&host, "push-hello.so").await, None);
    assert_eq!(third["failures"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_file_is_an_update_in_its_own_process() {
    a_replaced_file_is_an_update("process").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_file_is_an_update_in_the_hosts_process() {
    a_replaced_file_is_an_update("host").await;
}

async fn one_that_does_not_get_ready_leaves_the_old_one_running(isolation: &str) {
    let host = host(isolation).await;
    put(&host, "misbehaving.so", &artifact("misbehaving"));
    let first = host.plugin_becomes("misbehaving", "ACTIVE").await;
    host.set("misbehaving.at-start", "panic");
    until("the property to be in force", async || {
        let changed = "the configuration changed: misbehaving.at-start";
        host.log().contains(changed).then_some(())
    })
    .await;
    put(&host, "misbehaving.so", &rebuilt("misbehaving"));
    let status = until("the update to be refused", async || {
        let status = host.plugin("misbehaving").await?;
        status["reason"].is_string().then_some(status)
    })
    .await;
    let reason = status["reason"].as_str().unwrap();
    assert!(reason.contains("version 0.1.0 was refused: "), "{reason}");
    assert!(reason.contains("as it was told to"), "{reason}");
    for what in ["state", "hash", "pid"] {
        assert_eq!(status[what], first[what], "{what}");
    }
    // The old file is no update, and nothing is refused any more.
    put(&host, "misbehaving.so", &artifact("misbehaving"));
    until("the reason to go", async || {
        (host.plugin("misbehaving").await?["reason"].is_null()).then_some(())
    })
    .await;
    assert_eq!(
        host.plugin("misbehaving").await.unwrap()["pid"],
        first["pid"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_does_not_get_ready_leaves_the_old_one_running_in_its_own_process() {
    one_that_does_not_get_ready_leaves_the_old_one_running("process").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_does_not_get_ready_leaves_the_old_one_running_in_the_hosts_process() {
    one_that_does_not_get_ready_leaves_the_old_one_running("host").await;
}

async fn a_removed_file_is_uninstalled(isolation: &str) {
    let mut host = host_with_plugin(isolation).await;
    let pid = plugin(&host).await["pid"].clone();
    remove(&host, "push-hello.so");
    until("the plugin to go", async || {
        host.plugin(ID).await.is_none().then_some(())
    })
    .await;
    // It finishes what it has in hand.
    until("the route to go", async || {
        (route(&host).await == StatusCode::NOT_FOUND).then_some(())
    })
    .await;
    if isolation == "process" {
        assert!(!fs::exists(format!("/proc/{pid}")).unwrap());
    }
    // What comes again is new.
    put(&host, "push-hello.so", &artifact(ID));
    becomes_generation(&host, 1).await;
    assert_eq!(route(&host).await, StatusCode::OK);
    // What goes while the host is away is gone, too.
    assert!(host.end().await);
    remove(&host, "push-hello.so");
    host.start().await;
    assert_eq!(host.plugin(ID).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_file_is_uninstalled_in_its_own_process() {
    a_removed_file_is_uninstalled("process").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_file_is_uninstalled_in_the_hosts_process() {
    a_removed_file_is_uninstalled("host").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn temporary_names_are_left_alone() {
    let host = host("process").await;
    const NAMES: [&str; 6] = [
        ".push-hello.so",
        "push-hello.so.dpkg-tmp",
        "push-hello.so;65f1a2b3",
        "push-hello.so.part",
        "push-hello.so~",
        "push-hello",
    ];
    for name in NAMES {
        fs::write(host.plugins().join(name), artifact(ID)).unwrap();
    }
    rescan(&host).await;
    assert_eq!(host.plugin(ID).await, None);
    for name in NAMES {
        assert_eq!(refusal(&host, name).await, None);
    }
    fs::rename(
        host.plugins().join(NAMES[1]),
        host.plugins().join("push-hello.so"),
    )
    .unwrap();
    host.plugin_becomes(ID, "ACTIVE").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_written_in_place_is_installed_when_it_is_whole() {
    let host = host("process").await;
    let bytes = artifact(ID);
    let (begin, rest) = bytes.split_at(bytes.len() / 2);
    let file = host.plugins().join("push-hello.so");
    fs::write(&file, begin).unwrap();
    // So slow a writer is taken for one that has finished; nothing runs by that.
    assert!(
        is_refused(&host, "push-hello.so")
            .await
            .contains("truncated")
    );
    assert_eq!(host.plugin(ID).await, None);
    let mut file = fs::OpenOptions::new().append(true).open(file).unwrap();
    std::io::Write::write_all(&mut file, rest).unwrap();
    drop(file);
    host.plugin_becomes(ID, "ACTIVE").await;
    assert_eq!(refusal(&host, "push-hello.so").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_files_with_one_plugin_the_first_one_counts_until_it_goes() {
    let mut host = host_with_plugin("process").await;
    let hash = plugin(&host).await["hash"].clone();
    put(&host, "another.so", &rebuilt(ID));
    let both = "push-hello.so";
    assert!(is_refused(&host, "another.so").await.contains(both));
    let status = plugin(&host).await;
    assert_eq!((&status["hash"], &status["generation"]), (&hash, &json!(1)));

    // After a restart it is the one whose name comes first.
    host.kill();
    host.start().await;
    assert!(refusal(&host, both).await.unwrap().contains("another.so"));
    let status = plugin(&host).await;
    assert_ne!(status["hash"], hash);

    // When that one goes, the other one takes its place, and nothing is uninstalled.
    remove(&host, "another.so");
    let status = is_updated(&host, &status).await;
    assert_eq!((&status["hash"], &status["generation"]), (&hash, &json!(2)));
    assert_eq!(refusal(&host, both).await, None);

    // A new name for the same plugin is no second file.
    fs::rename(host.plugins().join(both), host.plugins().join("renamed.so")).unwrap();
    rescan(&host).await;
    assert_eq!(refusal(&host, "renamed.so").await, None);
    let status = plugin(&host).await;
    assert_eq!((&status["hash"], &status["generation"]), (&hash, &json!(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_whose_process_was_killed_is_started_again_and_says_why_meanwhile() {
    let host = host_with_plugin("process").await;
    let killed = "its process was ended by signal 9 (SIGKILL)";
    let kill = async |generation| {
        let pid = becomes_generation(&host, generation).await["pid"]
            .as_i64()
            .unwrap();
        signal(i32::try_from(pid).unwrap(), Signal::KILL);
    };
    kill(1).await;
    let status = becomes_generation(&host, 2).await;
    assert_eq!(status["failures"], 1);
    assert!(
        status["last_failure"].as_str().unwrap().contains(killed),
        "{status}"
    );
    assert_eq!(status["reason"], Value::Null);
    assert!(host.log().contains(killed));
    // Each time it waits longer, until somebody sees it.
    for generation in 2.. {
        kill(generation).await;
        let status = until("it to have failed", async || {
            let status = host.plugin(ID).await?;
            (status["failures"] == generation).then_some(status)
        })
        .await;
        if status["state"] == "FAILED" {
            assert!(
                status["reason"].as_str().unwrap().contains(killed),
                "{status}"
            );
            becomes_generation(&host, generation + 1).await;
            break;
        }
    }
    assert_eq!(route(&host).await, StatusCode::OK);
}
