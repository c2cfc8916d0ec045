//! One frame of each kind, with every field set.

use std::collections::BTreeMap;

use belfry_plugin_api::Error;
use belfry_plugin_api::event::{Event, Properties, Topic, Value};
use belfry_plugin_api::frame::*;
use belfry_plugin_api::manifest::ServiceKind;
use belfry_plugin_api::secret::Secret;
use belfry_plugin_api::user::User;
use uuid::Uuid;

use crate::Frame;

/// What the names of data begin with, in contrast to names of fields.
pub(crate) const DATA: &str = "data-";

const USER: User = User { context: 1, id: 7 };

/// The tags of all frames, of either direction.
pub(crate) fn tags() -> Vec<&'static str> {
    let leak = |tag: &str| -> &'static str { tag.to_owned().leak() };
    let mut tags: Vec<_> = to_plugin()
        .iter()
        .map(|frame| leak(frame.named()))
        .collect();
    tags.extend(to_host().iter().map(|frame| leak(frame.named())));
    tags
}

pub(crate) fn to_plugin() -> Vec<ToPlugin> {
    let delivery = Delivery {
        id: 1,
        transport: "apns".into(),
        user: USER,
        token: "token".into(),
        app: Some("app".into()),
        message_id: Uuid::from_u128(5),
        payload: "{}".into(),
        collapse_key: Some("mail".into()),
        expires_at_s: 1_800_000_000,
        attempts: 2,
    };
    let report = Report {
        id: 2,
        route: "mail".into(),
        user: Some(USER),
        body: "{}".into(),
        received_at_ms: Some(1_790_000_000_000),
    };
    let call = HttpCall {
        route: "page".into(),
        method: "GET".into(),
        path: "/page".into(),
        query: "a=b".into(),
        user: Some(USER),
        body: "body".into(),
    };
    let start = Start {
        generation: 1,
        host_version: "0.1.0".into(),
        data_folder: "/tmp".into(),
        config: configure(),
        log_level: Level::Trace,
    };
    let listen = |credentials| {
        let account = Account {
            user: USER,
            login: "alice".into(),
            credentials: Some(credentials),
            permanent: true,
        };
        let begin = true;
        ToPlugin::Listen(numbered(Listen { account, begin }))
    };
    let answer = |result| ToPlugin::Answer(Answer { id: 4, result });
    vec![
        ToPlugin::Start(start),
        ToPlugin::Configure(configure()),
        ToPlugin::Reports(vec![report]),
        ToPlugin::Events(vec![EventDelivery {
            id: 3,
            event: event(),
        }]),
        ToPlugin::Deliveries(vec![delivery]),
        listen(MailCredentials::Password {
            password: "password".into(),
        }),
        listen(MailCredentials::Master {
            master: "master".into(),
            password: "password".into(),
            separator: "*".into(),
        }),
        ToPlugin::Http(numbered(call)),
        ToPlugin::Credential(numbered(question())),
        ToPlugin::CredentialChanged(question()),
        answer(Ok(Answered::Done)),
        answer(Ok(Answered::Answers(vec![properties()]))),
        answer(Ok(Answered::Credential(Some(credential())))),
        answer(Err(Error::permanent("no"))),
        ToPlugin::LogLevel(LogLevel { level: Level::Warn }),
        ToPlugin::Ping(5),
        ToPlugin::Stop(Stop { deadline_ms: 5_000 }),
    ]
}

pub(crate) fn to_host() -> Vec<ToHost> {
    let rendition = Rendition {
        payload: "{}".into(),
        collapse_key: Some("mail".into()),
        time_to_live_s: 60,
    };
    let message = Message {
        user: USER,
        key: "mail/1/2".into(),
        renditions: data(rendition),
    };
    let handled = Handled {
        messages: vec![message],
        answer: Some(properties()),
    };
    let reply = HttpReply {
        status: 200,
        content_type: "text/plain".into(),
        body: "body".into(),
    };
    let record = LogRecord {
        level: Level::Info,
        target: "push_hello".into(),
        message: "hello".into(),
        fields: vec![("name".into(), "value".into())],
    };
    let outcomes = [
        Outcome::Delivered,
        Outcome::Retry {
            after_ms: Some(5),
            scope: Scope::Transport,
            reason: "busy".into(),
        },
        Outcome::TokenDead {
            since_ms: Some(6),
            reason: "gone".into(),
        },
        Outcome::Refused {
            reason: "too long".into(),
        },
    ];
    let deliveries = outcomes.map(|outcome| DeliveryDone { id: 1, outcome });
    vec![
        ToHost::Ready(Ready {
            kinds: vec![ServiceKind::Listener, ServiceKind::HttpRoutes],
            api_version: "0.1.0".into(),
        }),
        ToHost::Failed(Failed {
            reason: "panicked".into(),
            backtrace: Some("frames".into()),
        }),
        ToHost::ReportsDone(vec![ReportDone {
            id: 2,
            result: Ok(vec![event()]),
        }]),
        ToHost::EventsDone(vec![EventDone {
            id: 3,
            result: Ok(handled),
        }]),
        ToHost::DeliveriesDone(deliveries.into()),
        ToHost::Listened(numbered(Err(Error::temporary("away")))),
        ToHost::HttpReply(numbered(Ok(reply))),
        ToHost::Credential(numbered(Ok(Some(credential())))),
        ToHost::CredentialChanged(question()),
        ToHost::Publish(numbered(Publish {
            events: vec![event()],
        })),
        ToHost::Request(numbered(event())),
        ToHost::AskCredential(numbered(question())),
        ToHost::Log(vec![record]),
        ToHost::Pong(5),
        ToHost::Stopped(()),
    ]
}

fn data<T>(value: T) -> BTreeMap<String, T> {
    BTreeMap::from([(format!("{DATA}one"), value)])
}

fn numbered<T>(body: T) -> Numbered<T> {
    Numbered { id: 9, body }
}

fn properties() -> Properties {
    data(Value::List(vec![true.into(), 1_i64.into(), "text".into()]))
}

fn event() -> Event {
    Event {
        topic: Topic::push(),
        user: Some(USER),
        properties: properties(),
    }
}

fn configure() -> Configure {
    Configure {
        values: data("value".into()),
    }
}

fn question() -> CredentialQuestion {
    CredentialQuestion {
        provider: "apns".into(),
    }
}

fn credential() -> ProviderCredential {
    ProviderCredential {
        fields: data(Secret::from("key")),
    }
}
