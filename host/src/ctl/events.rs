//! Events: watching them, and publishing one.

use std::str::FromStr;

use belfry_plugin_api::event::{Properties, Value};
use hyper::Method;

use super::args::Event;
use super::client::{Client, Target};
use super::failure::Failure;
use super::output::Output;
use crate::http::admin::{Line, NewEvent, PassingEvent, Sent};

/// One `KEY=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Property {
    name: String,
    value: Value,
}

impl FromStr for Property {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text
            .split_once('=')
            .filter(|(name, _)| !name.is_empty())
            .ok_or("a property is NAME=VALUE")?;
        let value = match (value.parse::<bool>(), value.parse::<i64>()) {
            (Ok(flag), _) => Value::Flag(flag),
            // Numbers with a sign or zeros before them may be anything, telephone numbers among
            // them.
            (_, Ok(number)) if number.to_string() == value => Value::Integer(number),
            _ => Value::Text(value.to_owned()),
        };
        Ok(Self {
            name: name.to_owned(),
            value,
        })
    }
}

pub(super) async fn run(client: &Client, output: &Output, verb: Event) -> Result<(), Failure> {
    match verb {
        Event::Tail { topics } => {
            let topics: Vec<_> = topics.iter().map(ToString::to_string).collect();
            let topics = (!topics.is_empty()).then(|| topics.join(","));
            let target = Target::new(Method::GET, ["events"]).with("topics", topics);
            let show = |line: Line<PassingEvent>| output.line(&line, told);
            client.follow(target, show).await
        }
        Event::Send {
            topic,
            properties,
            user,
        } => {
            let properties = properties.into_iter();
            let event = NewEvent {
                topic,
                user: user.map(|user| user.to_string()),
                properties: properties.map(|one| (one.name, one.value)).collect(),
            };
            let target = Target::new(Method::POST, ["events"]);
            let sent: Sent = client.ask(target, Some(&event)).await?;
            output.answer(&sent, |Sent { handlers }| {
                let names: Vec<_> = handlers.iter().map(ToString::to_string).collect();
                match names.as_slice() {
                    [] => "no installed plugin wants it\n".to_owned(),
                    names => format!("it goes to {}\n", names.join(", ")),
                }
            })
        }
    }
}

fn told(line: &Line<PassingEvent>) -> String {
    match line {
        Line::Missed { missed } => format!("({missed} events passed too fast to be shown)"),
        Line::Told(event) => {
            let user = event.user.iter().map(|user| format!(" user={user}"));
            let properties = said(&event.properties);
            let parts: String = user.chain(properties).collect();
            format!("{}{parts}", event.topic)
        }
    }
}

fn said(properties: &Properties) -> impl Iterator<Item = String> {
    properties.iter().map(|(name, value)| match value {
        Value::Text(text) => format!(" {name}={text:?}"),
        other => format!(" {name}={other}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_and_whole_numbers_are_such_and_the_rest_is_text() {
        let value = |text: &str| text.parse::<Property>().map(|property| property.value);
        assert_eq!(value("a=true"), Ok(Value::Flag(true)));
        assert_eq!(value("a=-7"), Ok(Value::Integer(-7)));
        for text in ["007", "+1", "1.5", "TRUE", "", "b=c"] {
            assert_eq!(
                value(&format!("a={text}")),
                Ok(Value::Text(text.to_owned()))
            );
        }
        assert!(value("a").is_err());
        assert!(value("=a").is_err());
    }
}
