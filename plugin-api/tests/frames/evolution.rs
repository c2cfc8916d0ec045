//! Either side may be older than the other.

use belfry_plugin_api::Error;
use belfry_plugin_api::event::{Event, Topic};
use belfry_plugin_api::frame::*;
use belfry_plugin_api::user::User;
use proptest::prelude::*;
use uuid::Uuid;

use crate::messagepack::{self, Any, map, parts};
use crate::{Frame, samples, without_length};

/// What a newer peer might say in a field that this one has never heard of.
fn later() -> Any {
    map([
        ("text", "new".into()),
        (
            "list",
            [Any::Nil, 1.into(), Any::Bytes(vec![0, 255])].into(),
        ),
    ])
}

/// Adds fields to every struct; returns to how many.
fn add_fields(value: &mut Any) -> usize {
    // How serde writes a variant: a map of one entry, its name and its content.
    const VARIANTS: [&str; 4] = ["Ok", "Err", "answers", "credential"];
    match value {
        Any::List(values) => values.iter_mut().map(add_fields).sum(),
        Any::Map(fields) => {
            let mut count = fields.iter_mut().map(|(_, value)| add_fields(value)).sum();
            let is_data = fields
                .iter()
                .any(|(name, _)| name.starts_with(samples::DATA));
            let is_variant = fields.len() == 1 && VARIANTS.contains(&fields[0].0.as_str());
            if !is_data && !is_variant {
                fields.insert(0, ("added-in-front".into(), later()));
                fields.push(("added-behind".into(), later()));
                count += 1;
            }
            count
        }
        _ => 0,
    }
}

fn skips_what_it_does_not_know<F: Frame>(frames: Vec<F>) {
    // These are a bare number, or nothing.
    const WITHOUT_FIELDS: [&str; 3] = ["ping", "pong", "stopped"];
    for frame in frames {
        let encoded = frame.encoded();
        let (tag, mut body) = parts(without_length(&encoded));
        let structs = add_fields(&mut body);
        assert_eq!(structs == 0, WITHOUT_FIELDS.contains(&tag), "{tag}");
        let newer = messagepack::frame(tag, &body.encoded());
        assert_eq!(F::decoded(&newer).as_ref(), Ok(&frame), "{tag}");
    }
}

#[test]
fn fields_of_a_newer_host_are_skipped() {
    skips_what_it_does_not_know(samples::to_plugin());
}

#[test]
fn fields_of_a_newer_plugin_are_skipped() {
    skips_what_it_does_not_know(samples::to_host());
}

/// An older peer leaves out the optional fields.
fn has_defaults<F: Frame>(cases: impl IntoIterator<Item = (Any, F)>) {
    for (body, expected) in cases {
        let older = messagepack::frame(expected.named(), &body.encoded());
        assert_eq!(F::decoded(&older).as_ref(), Ok(&expected), "{body:?}");
    }
}

const USER: User = User { context: 1, id: 7 };

fn user() -> Any {
    map([("context", 1.into()), ("id", 7.into())])
}

fn bytes(text: &str) -> Any {
    Any::Bytes(text.into())
}

#[test]
fn fields_that_an_older_host_left_out_have_their_defaults() {
    let delivery = map([
        ("id", 1.into()),
        ("transport", "apns".into()),
        ("user", user()),
        ("token", bytes("token")),
        ("message_id", Any::Bytes(vec![0; 16])),
        ("payload", bytes("{}")),
        ("expires_at_s", 3.into()),
    ]);
    let report = map([
        ("id", 1.into()),
        ("route", "mail".into()),
        ("body", bytes("{}")),
    ]);
    let event = map([("id", 1.into()), ("event", map([("topic", "a/b".into())]))]);
    let account = map([("user", user()), ("login", "alice".into())]);
    let listen = map([("account", account), ("begin", Any::Flag(true))]);
    let call = map([
        ("route", "page".into()),
        ("method", "GET".into()),
        ("path", "/page".into()),
    ]);
    let error = map([("Err", map([("message", "no".into())]))]);
    let start = map([
        ("generation", 1.into()),
        ("host_version", "0.1.0".into()),
        ("data_folder", "/tmp".into()),
        ("config", map([("values", map([]))])),
    ]);
    has_defaults([
        (
            start,
            ToPlugin::Start(Start {
                generation: 1,
                host_version: "0.1.0".into(),
                data_folder: "/tmp".into(),
                config: Configure::default(),
                log_level: Level::Debug,
            }),
        ),
        (
            [delivery].into(),
            ToPlugin::Deliveries(vec![Delivery {
                id: 1,
                transport: "apns".into(),
                user: USER,
                token: "token".into(),
                app: None,
                message_id: Uuid::nil(),
                payload: "{}".into(),
                collapse_key: None,
                expires_at_s: 3,
                attempts: 0,
            }]),
        ),
        (
            [report].into(),
            ToPlugin::Reports(vec![Report {
                id: 1,
                route: "mail".into(),
                user: None,
                body: "{}".into(),
                received_at_ms: None,
            }]),
        ),
        (
            [event].into(),
            ToPlugin::Events(vec![EventDelivery {
                id: 1,
                event: Event::new("a/b".parse().unwrap()),
            }]),
        ),
        (
            map([("id", 2.into()), ("body", listen)]),
            ToPlugin::Listen(Numbered {
                id: 2,
                body: Listen {
                    account: Account {
                        user: USER,
                        login: "alice".into(),
                        credentials: None,
                        permanent: false,
                    },
                    begin: true,
                },
            }),
        ),
        (
            map([("id", 2.into()), ("body", call)]),
            ToPlugin::Http(Numbered {
                id: 2,
                body: HttpCall {
                    route: "page".into(),
                    method: "GET".into(),
                    path: "/page".into(),
                    query: String::new(),
                    user: None,
                    body: "".into(),
                },
            }),
        ),
        (
            map([("id", 2.into()), ("result", error)]),
            ToPlugin::Answer(Answer {
                id: 2,
                result: Err(Error::temporary("no")),
            }),
        ),
    ]);
}

#[test]
fn fields_that_an_older_plugin_left_out_have_their_defaults() {
    let ok = |value| map([("Ok", value)]);
    let done = |outcome| [map([("id", 1.into()), ("outcome", outcome)])].into();
    let outcome = |outcome| ToHost::DeliveriesDone(vec![DeliveryDone { id: 1, outcome }]);
    let events_done = |handled| [map([("id", 1.into()), ("result", ok(handled))])].into();
    let handled = |handled| {
        ToHost::EventsDone(vec![EventDone {
            id: 1,
            result: Ok(handled),
        }])
    };
    let rendition = map([("payload", bytes("{}")), ("time_to_live_s", 60.into())]);
    let message = map([
        ("user", user()),
        ("key", "mail".into()),
        ("renditions", map([("apns", rendition)])),
    ]);
    let reason = String::from("why");
    has_defaults([
        (
            map([("reason", "why".into())]),
            ToHost::Failed(Failed {
                reason: reason.clone(),
                backtrace: None,
            }),
        ),
        (
            done(map([("kind", "retry".into()), ("reason", "why".into())])),
            outcome(Outcome::Retry {
                after_ms: None,
                scope: Scope::Device,
                reason: reason.clone(),
            }),
        ),
        (
            done(map([
                ("kind", "token-dead".into()),
                ("reason", "why".into()),
            ])),
            outcome(Outcome::TokenDead {
                since_ms: None,
                reason,
            }),
        ),
        (events_done(map([])), handled(Handled::default())),
        (
            events_done(map([("messages", [message].into())])),
            handled(Handled {
                messages: vec![Message {
                    user: USER,
                    key: "mail".into(),
                    renditions: [(
                        "apns".to_owned(),
                        Rendition {
                            payload: "{}".into(),
                            collapse_key: None,
                            time_to_live_s: 60,
                        },
                    )]
                    .into(),
                }],
                answer: None,
            }),
        ),
        (
            map([
                ("id", 1.into()),
                ("body", ok(map([("status", 204.into())]))),
            ]),
            ToHost::HttpReply(Numbered {
                id: 1,
                body: Ok(HttpReply {
                    status: 204,
                    content_type: String::new(),
                    body: "".into(),
                }),
            }),
        ),
        (
            map([
                ("id", 1.into()),
                ("body", map([("topic", Topic::PUSH.into())])),
            ]),
            ToHost::Request(Numbered {
                id: 1,
                body: Event::new(Topic::push()),
            }),
        ),
        (
            [map([
                ("level", "warn".into()),
                ("target", "hello".into()),
                ("message", "text".into()),
            ])]
            .into(),
            ToHost::Log(vec![LogRecord {
                level: Level::Warn,
                target: "hello".into(),
                message: "text".into(),
                fields: Vec::new(),
            }]),
        ),
    ]);
}

#[test]
fn a_field_that_was_always_there_is_missed_by_name() {
    let frame = messagepack::frame("reports", &Any::from([map([("id", 1.into())])]).encoded());
    let error = ToPlugin::decoded(&frame).unwrap_err();
    assert!(error.contains("\"reports\""), "{error}");
    assert!(error.contains("`route`"), "{error}");
}

proptest! {
    #[test]
    fn a_frame_of_a_newer_peer_is_known_by_its_tag_only(
        tag in "[a-z]{1,12}-later",
        body in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let frame = messagepack::frame(&tag, &body);
        prop_assert_eq!(ToPlugin::decoded(&frame), Ok(ToPlugin::unknown(&tag)));
        prop_assert_eq!(ToHost::decoded(&frame), Ok(ToHost::unknown(&tag)));
    }
}

#[test]
fn a_tag_of_the_other_direction_is_unknown() {
    let pong = messagepack::frame("pong", &Any::from(1).encoded());
    assert_eq!(ToPlugin::decoded(&pong), Ok(ToPlugin::unknown("pong")));
    let ping = messagepack::frame("ping", &Any::from(1).encoded());
    assert_eq!(ToHost::decoded(&ping), Ok(ToHost::unknown("ping")));
}
