//! Every frame that there is, with every value that it can have.

use std::collections::BTreeMap;

use belfry_plugin_api::event::{Event, Properties, Value};
use belfry_plugin_api::frame::*;
use belfry_plugin_api::manifest::ServiceKind;
use belfry_plugin_api::secret::Secret;
use belfry_plugin_api::user::User;
use belfry_plugin_api::{Error, Result};
use bytes::Bytes;
use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;

pub(crate) fn to_plugin() -> impl Strategy<Value = ToPlugin> {
    let answered = prop_oneof![
        Just(Answered::Done),
        vec(properties(), 0..3).prop_map(Answered::Answers),
        of(credential()).prop_map(Answered::Credential),
    ];
    prop_oneof![
        start().prop_map(ToPlugin::Start),
        configure().prop_map(ToPlugin::Configure),
        vec(report(), 0..4).prop_map(ToPlugin::Reports),
        vec((any::<u64>(), event()), 0..4).prop_map(|events| {
            let delivery = |(id, event)| EventDelivery { id, event };
            ToPlugin::Events(events.into_iter().map(delivery).collect())
        }),
        vec(delivery(), 0..4).prop_map(ToPlugin::Deliveries),
        numbered((account(), any::<bool>()).prop_map(|(account, begin)| Listen { account, begin }))
            .prop_map(ToPlugin::Listen),
        numbered(call()).prop_map(ToPlugin::Http),
        numbered(question()).prop_map(ToPlugin::Credential),
        question().prop_map(ToPlugin::CredentialChanged),
        (any::<u64>(), result(answered))
            .prop_map(|(id, result)| ToPlugin::Answer(Answer { id, result })),
        level().prop_map(|level| ToPlugin::LogLevel(LogLevel { level })),
        any::<u64>().prop_map(ToPlugin::Ping),
        any::<u64>().prop_map(|deadline_ms| ToPlugin::Stop(Stop { deadline_ms })),
    ]
}

pub(crate) fn to_host() -> impl Strategy<Value = ToHost> {
    let events = vec(event(), 0..3);
    let reports = vec((any::<i64>(), result(events.clone())), 0..4);
    let handled = vec((any::<u64>(), result(handled())), 0..4);
    let deliveries = vec((any::<i64>(), outcome()), 0..4);
    prop_oneof![
        (vec(kind(), 0..5), text())
            .prop_map(|(kinds, api_version)| ToHost::Ready(Ready { kinds, api_version })),
        (text(), of(text()))
            .prop_map(|(reason, backtrace)| ToHost::Failed(Failed { reason, backtrace })),
        reports.prop_map(|done| {
            let done = done.into_iter();
            ToHost::ReportsDone(done.map(|(id, result)| ReportDone { id, result }).collect())
        }),
        handled.prop_map(|done| {
            let done = done.into_iter();
            ToHost::EventsDone(done.map(|(id, result)| EventDone { id, result }).collect())
        }),
        deliveries.prop_map(|done| {
            let done = done.into_iter();
            let one = |(id, outcome)| DeliveryDone { id, outcome };
            ToHost::DeliveriesDone(done.map(one).collect())
        }),
        numbered(result(Just(()))).prop_map(ToHost::Listened),
        numbered(result(reply())).prop_map(ToHost::HttpReply),
        numbered(result(of(credential()))).prop_map(ToHost::Credential),
        question().prop_map(ToHost::CredentialChanged),
        numbered(events.prop_map(|events| Publish { events })).prop_map(ToHost::Publish),
        numbered(event()).prop_map(ToHost::Request),
        numbered(question()).prop_map(ToHost::AskCredential),
        vec(record(), 0..4).prop_map(ToHost::Log),
        any::<u64>().prop_map(ToHost::Pong),
        Just(ToHost::Stopped(())),
    ]
}

fn text() -> impl Strategy<Value = String> + Clone {
    any::<String>()
}

fn bytes() -> impl Strategy<Value = Bytes> + Clone {
    vec(any::<u8>(), 0..64).prop_map(Bytes::from)
}

fn secret() -> impl Strategy<Value = Secret> + Clone {
    vec(any::<u8>(), 0..64).prop_map(Secret::new)
}

fn user() -> impl Strategy<Value = User> + Clone {
    (any::<u32>(), any::<u32>()).prop_map(|(context, id)| User { context, id })
}

fn numbered<T: std::fmt::Debug>(
    body: impl Strategy<Value = T>,
) -> impl Strategy<Value = Numbered<T>> {
    (any::<u64>(), body).prop_map(|(id, body)| Numbered { id, body })
}

fn result<T: std::fmt::Debug>(good: impl Strategy<Value = T>) -> impl Strategy<Value = Result<T>> {
    let error = (any::<bool>(), text()).prop_map(|(permanent, message)| {
        if permanent {
            Error::permanent(message)
        } else {
            Error::temporary(message)
        }
    });
    prop_oneof![good.prop_map(Ok), error.prop_map(Err)]
}

fn value() -> impl Strategy<Value = Value> + Clone {
    let single = prop_oneof![
        any::<bool>().prop_map(Value::Flag),
        any::<i64>().prop_map(Value::Integer),
        text().prop_map(Value::Text),
    ];
    single.prop_recursive(4, 16, 4, |inner| vec(inner, 0..4).prop_map(Value::List))
}

fn properties() -> impl Strategy<Value = Properties> + Clone {
    btree_map(text(), value(), 0..4)
}

fn event() -> impl Strategy<Value = Event> + Clone {
    let topic = "[a-zA-Z0-9_-]{1,8}(/[a-zA-Z0-9_-]{1,8}){0,3}";
    (topic, of(user()), properties()).prop_map(|(topic, user, properties)| Event {
        topic: topic.parse().unwrap(),
        user,
        properties,
    })
}

fn level() -> impl Strategy<Value = Level> {
    select(vec![
        Level::Error,
        Level::Warn,
        Level::Info,
        Level::Debug,
        Level::Trace,
    ])
}

fn configure() -> impl Strategy<Value = Configure> {
    btree_map(text(), secret(), 0..4).prop_map(|values| Configure { values })
}

fn start() -> impl Strategy<Value = Start> {
    (any::<u64>(), text(), text(), configure(), level()).prop_map(
        |(generation, host_version, data_folder, config, log_level)| Start {
            generation,
            host_version,
            data_folder,
            config,
            log_level,
        },
    )
}

fn report() -> impl Strategy<Value = Report> {
    (any::<i64>(), text(), of(user()), bytes(), of(any::<i64>())).prop_map(
        |(id, route, user, body, received_at_ms)| Report {
            id,
            route,
            user,
            body,
            received_at_ms,
        },
    )
}

fn delivery() -> impl Strategy<Value = Delivery> {
    let address = (text(), user(), secret(), of(text()));
    let content = (
        any::<u128>(),
        bytes(),
        of(text()),
        any::<i64>(),
        any::<u32>(),
    );
    (any::<i64>(), address, content).prop_map(|(id, address, content)| {
        let (transport, user, token, app) = address;
        let (message_id, payload, collapse_key, expires_at_s, attempts) = content;
        Delivery {
            id,
            transport,
            user,
            token,
            app,
            message_id: Uuid::from_u128(message_id),
            payload,
            collapse_key,
            expires_at_s,
            attempts,
        }
    })
}

fn account() -> impl Strategy<Value = Account> {
    let credentials = prop_oneof![
        secret().prop_map(|password| MailCredentials::Password { password }),
        (text(), secret(), text()).prop_map(|(master, password, separator)| {
            MailCredentials::Master {
                master,
                password,
                separator,
            }
        }),
    ];
    (user(), text(), of(credentials), any::<bool>()).prop_map(
        |(user, login, credentials, permanent)| Account {
            user,
            login,
            credentials,
            permanent,
        },
    )
}

fn call() -> impl Strategy<Value = HttpCall> {
    (text(), text(), text(), text(), of(user()), bytes()).prop_map(
        |(route, method, path, query, user, body)| HttpCall {
            route,
            method,
            path,
            query,
            user,
            body,
        },
    )
}

fn reply() -> impl Strategy<Value = HttpReply> {
    (any::<u16>(), text(), bytes()).prop_map(|(status, content_type, body)| HttpReply {
        status,
        content_type,
        body,
    })
}

fn question() -> impl Strategy<Value = CredentialQuestion> {
    text().prop_map(|provider| CredentialQuestion { provider })
}

fn credential() -> impl Strategy<Value = ProviderCredential> {
    btree_map(text(), secret(), 0..4).prop_map(|fields| ProviderCredential { fields })
}

fn handled() -> impl Strategy<Value = Handled> {
    let rendition =
        (bytes(), of(text()), any::<u32>()).prop_map(|(payload, collapse_key, time_to_live_s)| {
            Rendition {
                payload,
                collapse_key,
                time_to_live_s,
            }
        });
    let renditions = btree_map(text(), rendition, 0..3);
    let message =
        (user(), text(), renditions).prop_map(|(user, key, renditions): (_, _, BTreeMap<_, _>)| {
            Message {
                user,
                key,
                renditions,
            }
        });
    (vec(message, 0..3), of(properties()))
        .prop_map(|(messages, answer)| Handled { messages, answer })
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let scope = select(vec![Scope::Device, Scope::Transport]);
    prop_oneof![
        Just(Outcome::Delivered),
        (of(any::<u64>()), scope, text()).prop_map(|(after_ms, scope, reason)| Outcome::Retry {
            after_ms,
            scope,
            reason
        }),
        (of(any::<i64>()), text())
            .prop_map(|(since_ms, reason)| Outcome::TokenDead { since_ms, reason }),
        text().prop_map(|reason| Outcome::Refused { reason }),
    ]
}

fn kind() -> impl Strategy<Value = ServiceKind> {
    select(vec![
        ServiceKind::Listener,
        ServiceKind::Transport,
        ServiceKind::CredentialBackend,
        ServiceKind::EventHandler,
        ServiceKind::HttpRoutes,
    ])
}

fn record() -> impl Strategy<Value = LogRecord> {
    (level(), text(), text(), vec((text(), text()), 0..4)).prop_map(
        |(level, target, message, fields)| LogRecord {
            level,
            target,
            message,
            fields,
        },
    )
}
