//! Events over each link: to a handler and back, as frames.

use std::time::{Duration, Instant};

use belfry_host::bundle::link::{self, Launch};
use belfry_plugin_api::event::{Event, Topic};
use belfry_plugin_api::frame::{Configure, EventDelivery, Level, Start, ToHost, ToPlugin};
use belfry_plugin_api::manifest::Isolation;
use belfry_plugin_api::user::User;
use belfry_tests::artifacts;

use crate::figures::Figures;

/// Events of one measurement.
const EVENTS: u64 = 500_000;

/// Events of one frame.
const BATCH: u64 = 64;

/// Events that are on their way at once.
const WINDOW: u64 = 2_048;

/// Events that are sent one after the other.
const ROUND_TRIPS: u64 = 5_000;

pub(crate) async fn measure(figures: &mut Figures) {
    let mut rates = Vec::new();
    for (isolation, name) in [(Isolation::Process, "process"), (Isolation::Host, "host")] {
        let (rate, round_trip) = over(isolation).await;
        figures.put(
            &format!("link.{name}.rate"),
            rate,
            "/s",
            "events to a handler and back, in batches of 64",
        );
        figures.put(
            &format!("link.{name}.round_trip_p50"),
            round_trip,
            "µs",
            "one event alone, to a handler and back",
        );
        rates.push(rate);
    }
    figures.put(
        "link.process_to_host_ratio",
        rates[0] / rates[1],
        "",
        "rate over a process of its own to rate over a thread",
    );
}

async fn over(isolation: Isolation) -> (f64, f64) {
    let id = "misbehaving".parse().unwrap();
    let mut link = link::launch(&Launch {
        id: &id,
        artifact: &artifacts::plugin("misbehaving"),
        isolation,
        memory_limit_bytes: 1 << 30,
    })
    .unwrap();
    link.to_plugin.send(ToPlugin::Start(start())).unwrap();
    while !matches!(
        link.from_plugin.recv().await.unwrap().unwrap(),
        ToHost::Ready(_)
    ) {}

    let mut answered = 0;
    let mut sent = 0;
    let begin = Instant::now();
    while answered < EVENTS {
        while sent < EVENTS && sent - answered < WINDOW {
            let batch = (sent..sent + BATCH).map(event).collect();
            link.to_plugin.send(ToPlugin::Events(batch)).unwrap();
            sent += BATCH;
        }
        answered += answers(&mut link).await;
    }
    let rate = EVENTS as f64 / begin.elapsed().as_secs_f64();

    let mut trips: Vec<Duration> = Vec::new();
    for number in 0..ROUND_TRIPS {
        let begin = Instant::now();
        link.to_plugin
            .send(ToPlugin::Events(vec![event(number)]))
            .unwrap();
        while answers(&mut link).await == 0 {}
        trips.push(begin.elapsed());
    }
    trips.sort();
    drop(link.kill);
    (rate, trips[trips.len() / 2].as_nanos() as f64 / 1e3)
}

fn start() -> Start {
    Start {
        generation: 1,
        host_version: env!("CARGO_PKG_VERSION").into(),
        data_folder: String::new(),
        config: Configure::default(),
        log_level: Level::Warn,
    }
}

async fn answers(link: &mut link::Link) -> u64 {
    match link.from_plugin.recv().await.unwrap().unwrap() {
        ToHost::EventsDone(done) => done.len() as u64,
        _ => 0,
    }
}

/// An event of about 512 bytes of text, of one of many users.
fn event(number: u64) -> EventDelivery {
    let mut event = Event::new(Topic::push()).with("text", "x".repeat(480));
    event.user = Some(User {
        context: 1,
        id: u32::try_from(number % 1_000).unwrap(),
    });
    EventDelivery { id: number, event }
}
