//! What operators ask for reaches the dispatchers that run.

use std::sync::Arc;
use std::time::Duration;

use belfry_plugin_api::Error;
use belfry_plugin_api::event::Event;
use belfry_plugin_api::frame::{
    DeliveryDone, EventDone, Handled, Message, Outcome, Rendition, ReportDone, Scope, ToPlugin,
};
use belfry_plugin_api::manifest::Manifest;
use belfry_plugin_api::user::User;
use futures_util::future::BoxFuture;
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::super::queue::{Filter, Options, Queue, Side, State};
use super::super::{Delivery, Device, HeldUp, Recipients};
use crate::metrics::Metrics;

/// How long something may take that takes no time.
const PATIENCE: Duration = Duration::from_secs(10);

const MANIFEST: &str = r#"
id = "push-test"
version = "1.0.0"
api = "*"
[[provides]]
kind = "listener"
name = "test"
[[provides]]
kind = "event-handler"
topics = ["com/example"]
[[provides]]
kind = "transport"
name = "apns"
"#;

/// Whoever is asked for is registered, and has one device.
struct Everybody;

impl Recipients for Everybody {
    fn registered<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<User>, String>> {
        Box::pin(async move { Ok(name.parse().ok()) })
    }

    fn devices(&self, _: User) -> BoxFuture<'_, Result<Arc<[Device]>, String>> {
        Box::pin(async {
            let device = Device {
                subscription: 1,
                transport: "apns".into(),
                token: "token".into(),
                app: None,
            };
            Ok(Arc::from([device]))
        })
    }

    fn has_device(&self, _user: User, _subscription: i64) -> BoxFuture<'_, Result<bool, String>> {
        Box::pin(async { Ok(true) })
    }

    fn token_dead(&self, _: i64, _: Option<i64>) -> BoxFuture<'_, Result<bool, String>> {
        Box::pin(async { Ok(true) })
    }
}

/// Inbox and outbox, and the plugin's end of its link.
struct World {
    delivery: Delivery,
    manifest: Manifest,
    to_plugin: mpsc::UnboundedReceiver<ToPlugin>,
    _folder: TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let queue = Queue::open(Options::new(folder.path().join("queue.db"))).unwrap();
        let delivery = Delivery::start(queue, Arc::new(Everybody), Arc::new(Metrics::default()));
        let manifest = Manifest::parse(MANIFEST.as_bytes()).unwrap();
        delivery.installed(&manifest).unwrap();
        let (sender, to_plugin) = mpsc::unbounded_channel();
        delivery.active(&manifest, &sender);
        Self {
            delivery,
            manifest,
            to_plugin,
            _folder: folder,
        }
    }

    async fn frame(&mut self) -> ToPlugin {
        tokio::time::timeout(PATIENCE, self.to_plugin.recv())
            .await
            .unwrap()
            .unwrap()
    }

    async fn report(&mut self) -> i64 {
        match self.frame().await {
            ToPlugin::Reports(reports) => reports[0].id,
            other => panic!("{other:?} is no report"),
        }
    }

    async fn event(&mut self) -> u64 {
        match self.frame().await {
            ToPlugin::Events(events) => events[0].id,
            other => panic!("{other:?} is no event"),
        }
    }

    async fn delivery_frame(&mut self) -> i64 {
        match self.frame().await {
            ToPlugin::Deliveries(deliveries) => deliveries[0].id,
            other => panic!("{other:?} is no delivery"),
        }
    }

    async fn count(&self, state: State) -> usize {
        let filter = Filter {
            state: Some(state),
            ..Filter::all(Side::Inbox)
        };
        self.delivery
            .queue()
            .list(filter, 0, 100)
            .await
            .unwrap()
            .len()
    }

    /// Waits until so many entries are dead.
    async fn dead(&self, count: usize) {
        let wait = async {
            while self.count(State::Dead).await != count {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap();
    }
}

#[tokio::test]
async fn a_dead_report_that_is_retried_is_handed_out_at_once() {
    let mut world = World::new();
    let id = &world.manifest.id.clone();
    world
        .delivery
        .accept(id, "mail", Some("249@1".to_owned()), "{}".into())
        .await
        .unwrap();
    let report = world.report().await;
    let refused = ReportDone {
        id: report,
        result: Err(Error::permanent("no")),
    };
    world.delivery.reports_done(id, vec![refused]);
    world.dead(1).await;
    assert_eq!(
        world
            .delivery
            .retry(Filter::all(Side::Inbox))
            .await
            .unwrap(),
        1
    );
    assert_eq!(world.report().await, report);
}

#[tokio::test]
async fn a_retry_leaves_reports_alone_whose_events_are_with_handlers() {
    let mut world = World::new();
    let id = &world.manifest.id.clone();
    for _ in 0..2 {
        world
            .delivery
            .accept(id, "mail", Some("249@1".to_owned()), "{}".into())
            .await
            .unwrap();
    }
    let (open, dead) = match world.frame().await {
        ToPlugin::Reports(reports) if reports.len() == 2 => (reports[0].id, reports[1].id),
        ToPlugin::Reports(reports) => (reports[0].id, world.report().await),
        other => panic!("{other:?} is no report"),
    };
    let event = Event::new("com/example".parse().unwrap());
    let passed_on = ReportDone {
        id: open,
        result: Ok(vec![event]),
    };
    let refused = ReportDone {
        id: dead,
        result: Err(Error::permanent("no")),
    };
    world.delivery.reports_done(id, vec![passed_on, refused]);
    world.event().await;
    world.dead(1).await;
    assert_eq!(
        world
            .delivery
            .retry(Filter::all(Side::Inbox))
            .await
            .unwrap(),
        1
    );
    match world.frame().await {
        ToPlugin::Reports(reports) => {
            assert_eq!(
                reports.iter().map(|report| report.id).collect::<Vec<_>>(),
                [dead]
            );
        }
        other => panic!("{other:?} is no report"),
    }
}

#[tokio::test]
async fn a_dead_event_that_is_retried_is_handed_out_and_then_gone() {
    let mut world = World::new();
    let id = &world.manifest.id.clone();
    let event = Event::new("com/example".parse().unwrap());
    assert_eq!(world.delivery.wanting(&event), std::slice::from_ref(id));
    world.delivery.publish(vec![event]).await.unwrap();
    let number = world.event().await;
    let refused = EventDone {
        id: number,
        result: Err(Error::permanent("no")),
    };
    world.delivery.events_done(id, vec![refused]);
    world.dead(1).await;
    assert_eq!(
        world
            .delivery
            .retry(Filter::all(Side::Inbox))
            .await
            .unwrap(),
        1
    );
    let number = world.event().await;
    let done = EventDone {
        id: number,
        result: Ok(Handled::default()),
    };
    world.delivery.events_done(id, vec![done]);
    let wait = async {
        while world.count(State::Waiting).await + world.count(State::Dead).await != 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap();
}

/// Has the plugin's handler make a message of an event, and takes what the transport is given.
async fn delivery_in_hand(world: &mut World) -> i64 {
    let id = &world.manifest.id.clone();
    let event = Event::new("com/example".parse().unwrap());
    world.delivery.publish(vec![event]).await.unwrap();
    let number = world.event().await;
    let rendition = Rendition {
        payload: "{}".into(),
        collapse_key: None,
        time_to_live_s: 60,
    };
    let message = Message {
        user: "249@1".parse().unwrap(),
        key: "one".to_owned(),
        renditions: [("apns".to_owned(), rendition)].into(),
    };
    let handled = Handled {
        messages: vec![message],
        ..Handled::default()
    };
    let done = EventDone {
        id: number,
        result: Ok(handled),
    };
    world.delivery.events_done(id, vec![done]);
    world.delivery_frame().await
}

#[tokio::test]
async fn a_dead_delivery_that_is_retried_is_handed_out_at_once() {
    let mut world = World::new();
    let id = delivery_in_hand(&mut world).await;
    let outcome = Outcome::Refused {
        reason: "no".to_owned(),
    };
    world
        .delivery
        .deliveries_done(&world.manifest, vec![DeliveryDone { id, outcome }]);
    let dead = Filter {
        state: Some(State::Dead),
        ..Filter::all(Side::Outbox)
    };
    let retried = async {
        while world.delivery.retry(dead.clone()).await.unwrap() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, retried).await.unwrap();
    assert_eq!(world.delivery_frame().await, id);
}

#[tokio::test]
async fn a_transport_that_pauses_is_told_of_until_it_goes_on() {
    let mut world = World::new();
    let id = delivery_in_hand(&mut world).await;
    let outcome = Outcome::Retry {
        after_ms: Some(60_000),
        scope: Scope::Transport,
        reason: "the certificate has expired".to_owned(),
    };
    world
        .delivery
        .deliveries_done(&world.manifest, vec![DeliveryDone { id, outcome }]);
    let until_held_up = async |count: usize| {
        while world.delivery.hold_ups().len() != count {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, until_held_up(1))
        .await
        .unwrap();
    let held_up = world.delivery.hold_ups().remove(0);
    assert_eq!(held_up.who, HeldUp::Transport("apns".into()));
    assert_eq!(held_up.reason, "the certificate has expired");
    world.delivery.resume("apns");
    tokio::time::timeout(PATIENCE, until_held_up(0))
        .await
        .unwrap();
}
