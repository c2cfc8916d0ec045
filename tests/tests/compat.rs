//! A plugin that was built with the first version of plugin-api, in a host of today.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use belfry_tests::app::client;
use belfry_tests::host::{Host, LOGIN, PASSWORD};
use belfry_tests::wait::until;
use reqwest::StatusCode;
use serde_json::json;

/// The artifact, built from sources and dependencies that never change.
fn elder() -> &'static Path {
    static ARTIFACT: OnceLock<PathBuf> = OnceLock::new();
    ARTIFACT.get_or_init(|| {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
        let target = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| tests.join("../target"), PathBuf::from);
        let target = target.join("compat");
        let mut build = Command::new(env!("CARGO"));
        build.current_dir(tests.join("compat"));
        build
            .args(["build", "--quiet", "--locked", "--target-dir"])
            .arg(&target);
        assert!(
            build.status().unwrap().success(),
            "the elder does not build"
        );
        target.join("debug/libelder.so")
    })
}

async fn tell(host: &Host, text: &str) {
    let request = client()
        .post(format!("{}/elder/tell", host.internal()))
        .basic_auth(LOGIN, Some(PASSWORD))
        .json(&json!({"text": text}));
    assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
}

/// Waits until the plugin has written a line into its data folder; returns all lines.
async fn has_written(host: &Host, line: &str) -> Vec<String> {
    let diary = host.state().join("plugins/elder/diary");
    until(&format!("the elder to write {line:?}"), async || {
        let text = std::fs::read_to_string(&diary).ok()?;
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.iter().any(|other| other == line).then_some(lines)
    })
    .await
}

async fn lives_as_it_did(isolation: &str) {
    let mut host = Host::builder()
        .set("belfry.plugin.elder.isolation", isolation)
        .start()
        .await;
    host.put_plugin("elder", elder());
    let status = host.plugin_becomes("elder", "ACTIVE").await;
    assert_eq!(status["built_with"], "0.1.0");
    assert_eq!(status["isolation"], isolation);

    // A report with a field that it does not know: it publishes, and hears its own event.
    tell(&host, "one").await;
    has_written(&host, "told: one").await;
    let metrics = client()
        .get(format!("{}/metrics", host.internal()))
        .send()
        .await
        .unwrap();
    let metrics = metrics.text().await.unwrap();
    assert!(
        metrics.contains("belfry_events_total{plugin=\"elder\"} 1\n"),
        "{metrics}"
    );

    // A frame that it does not know: it says so, and goes on.
    let (code, text) = host.ctl(&["log", "level", "elder", "debug"]).await;
    assert_eq!(code, 0, "{text}");
    until("the elder to skip the frame", async || {
        let log = host.log();
        let line = log
            .lines()
            .find(|line| line.contains("a frame of a newer host was skipped"))?;
        assert!(line.contains("log-level"), "{line}");
        Some(())
    })
    .await;
    tell(&host, "two").await;
    has_written(&host, "told: two").await;
    // Its debug records always came; now they are written.
    until("a debug record", async || {
        host.log().contains("written down").then_some(())
    })
    .await;

    // It ends in order, and begins again with what has come meanwhile.
    let (code, text) = host.ctl(&["plugin", "stop", "elder"]).await;
    assert_eq!(code, 0, "{text}");
    let lines = has_written(&host, "stopped").await;
    assert_eq!(lines, ["told: one", "told: two", "stopped"]);
    assert_eq!(host.plugin("elder").await.unwrap()["state"], "RESOLVED");
    tell(&host, "three").await;
    let (code, text) = host.ctl(&["plugin", "start", "elder"]).await;
    assert_eq!(code, 0, "{text}");
    has_written(&host, "told: three").await;
    let status = host.plugin("elder").await.unwrap();
    assert_eq!(
        (&status["generation"], &status["failures"]),
        (&json!(2), &json!(0))
    );

    assert!(host.end().await);
    let lines = has_written(&host, "stopped").await;
    assert_eq!(lines.last().map(String::as_str), Some("stopped"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_of_the_first_version_lives_in_its_own_process() {
    lives_as_it_did("process").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_of_the_first_version_lives_in_the_hosts_process() {
    lives_as_it_did("host").await;
}

/// The artifact as if its manifest had named other versions of plugin-api.
fn elder_for(api: &str) -> Vec<u8> {
    let old = "api = \"^0.1\"\nvendor = \"Belfry\"";
    let vendor = format!("{:.*}", "Belfry".len() + "^0.1".len() - api.len(), "Belfry");
    let new = format!("api = \"{api}\"\nvendor = \"{vendor}\"");
    assert_eq!(old.len(), new.len());
    let mut bytes = std::fs::read(elder()).unwrap();
    let windows = bytes.windows(old.len()).enumerate();
    let found = windows.filter(|(_, window)| *window == old.as_bytes());
    let places: Vec<_> = found.map(|(place, _)| place).collect();
    for place in &places {
        bytes[*place..place + new.len()].copy_from_slice(new.as_bytes());
    }
    assert_eq!(places.len(), 2, "in the section and in the code");
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn vetting_says_what_it_was_built_with_and_whether_its_manifest_fits_that() {
    let host = Host::builder().start().await;
    let file = host.state().join("elder.so");
    let vet = async |bytes: &[u8]| {
        std::fs::write(&file, bytes).unwrap();
        host.ctl(&["plugin", "vet", file.to_str().unwrap()]).await
    };
    let (code, text) = vet(&std::fs::read(elder()).unwrap()).await;
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("plugin-api 0.1.0"), "{text}");
    for (api, sentence) in [
        (
            "=0.1.0",
            "it needs plugin-api =0.1.0, and this host has 0.1.",
        ),
        (
            ">0.1.0",
            "it says that it runs with plugin-api >0.1.0, and the code is built with 0.1.0",
        ),
    ] {
        let (code, text) = vet(&elder_for(api)).await;
        assert_eq!(code, 1, "{text}");
        assert!(text.contains(sentence), "{text}");
    }
}
