//! From a mail server's notification to the push at the double.

use std::time::{Duration, Instant};

use belfry_sandbox::Record;
use belfry_tests::crowd::Crowd;
use belfry_tests::host::Host;
use belfry_tests::providers::{ApnsBy, Providers};

use crate::figures::Figures;
use crate::load::{self, Plan};
use crate::{cpu, raw};

/// Users, each with one iPhone.
const USERS: u32 = 200;

/// Keep-alive connections of the mail server.
const CONNECTIONS: u32 = 64;

/// The rate of the latency figures, in notifications a second.
const STEADY_PER_SECOND: u32 = 2_000;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(300);

pub(crate) async fn measure(figures: &mut Figures, count: u32) {
    let providers = Providers::start_recording(|| Record::CountsOnly).await;
    let builder = Host::builder()
        .plugin("push-dovecot")
        .plugin("mobile-push-restricted");
    let host = providers
        .of(builder, ApnsBy::Certificate)
        .set("belfry.inbox.durability", "power")
        .start()
        .await;
    let crowd = Crowd::gather_iphones(&host, USERS).await;
    let family = cpu::family(host.pid());
    figures.put(
        "notify.idle_memory",
        cpu::resident_mb(&family),
        "MB",
        "host and three plugins, idle (PSS)",
    );

    let raw = raw::push(&providers, count, CONNECTIONS, USERS).await;
    let raw_rate = f64::from(count) / raw.wall.as_secs_f64();
    figures.put(
        "notify.raw_reqwest_rate",
        raw_rate,
        "/s",
        "bare reqwest to the same double, 64 at once",
    );
    let raw_cpu = raw.cpu_with_double / f64::from(count) * 1e6;
    figures.put(
        "notify.raw_reqwest_cpu",
        raw_cpu,
        "µs",
        "CPU a push of client and double together",
    );

    let before = providers.apns.counts().delivered;
    let cpu_before = cpu::seconds(&family);
    let begin = Instant::now();
    let plan = Plan {
        connections: CONNECTIONS,
        count,
        per_second: None,
        first_uid: 1,
    };
    let answers = load::send(host.internal(), &crowd.users, plan).await;
    let answered = begin.elapsed();
    let all = before + u64::from(count);
    providers
        .apns
        .wait_until_counts("every push", PATIENCE, |counts| counts.delivered >= all)
        .await
        .unwrap();
    let delivered = begin.elapsed();
    let cpu = cpu::seconds(&family) - cpu_before;
    let rate = f64::from(count) / delivered.as_secs_f64();
    figures.put(
        "notify.rate",
        rate,
        "/s",
        "notifications, from the first request to the last push, 64 connections",
    );
    figures.put(
        "notify.ratio_to_raw_reqwest",
        rate / raw_rate,
        "",
        "of the bare client's rate",
    );
    figures.put(
        "notify.accept_rate",
        f64::from(count) / answered.as_secs_f64(),
        "/s",
        "answers to the mail server",
    );
    figures.put(
        "notify.cpu",
        cpu / f64::from(count) * 1e6,
        "µs",
        "CPU a notification, all Belfry processes",
    );
    for pid in &family {
        let name = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let name = name
            .split('\0')
            .next()
            .unwrap_or_default()
            .rsplit(['/', ' '])
            .next()
            .unwrap_or_default()
            .to_owned();
        let used = cpu::seconds(&[*pid]);
        println!("    {name:<24} {used:.2} CPU-seconds since its start");
    }
    figures.put(
        "notify.full_load_answer_p50",
        answers.value_at_quantile(0.5) as f64 / 1e3,
        "ms",
        "answer to the mail server at full load",
    );
    figures.put(
        "notify.memory_after_load",
        cpu::resident_mb(&family),
        "MB",
        "host and three plugins (PSS)",
    );

    let plan = Plan {
        connections: CONNECTIONS,
        count: STEADY_PER_SECOND * 5,
        per_second: Some(STEADY_PER_SECOND),
        first_uid: 10_000_000,
    };
    let answers = load::send(host.internal(), &crowd.users, plan).await;
    let quantile = |q: f64| answers.value_at_quantile(q) as f64 / 1e3;
    figures.put(
        "notify.answer_p50",
        quantile(0.5),
        "ms",
        "answer to the mail server, 2,000/s, durability = power",
    );
    figures.put("notify.answer_p99", quantile(0.99), "ms", "likewise");
}
