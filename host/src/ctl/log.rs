//! The host's log.

use belfry_plugin_api::frame;
use hyper::Method;

use super::args::{Level, Log};
use super::client::{Client, Target};
use super::failure::Failure;
use super::output::Output;
use crate::http::admin::{Line, SetLevel};
use crate::log::Record;

impl Level {
    /// The level for the host; none for the usual one.
    fn wanted(self) -> Option<frame::Level> {
        match self {
            Self::Error => Some(frame::Level::Error),
            Self::Warn => Some(frame::Level::Warn),
            Self::Info => Some(frame::Level::Info),
            Self::Debug => Some(frame::Level::Debug),
            Self::Trace => Some(frame::Level::Trace),
            Self::Default => None,
        }
    }
}

fn name(level: frame::Level) -> &'static str {
    match level {
        frame::Level::Error => "error",
        frame::Level::Warn => "warn",
        frame::Level::Info => "info",
        frame::Level::Debug => "debug",
        frame::Level::Trace => "trace",
    }
}

pub(super) async fn run(client: &Client, output: &Output, verb: Log) -> Result<(), Failure> {
    match verb {
        Log::Tail { plugin, level } => {
            let target = Target::new(Method::GET, ["log"])
                .with("plugin", plugin)
                .with("level", level.and_then(Level::wanted).map(name));
            let show = |line: Line<Record>| output.line(&line, told);
            client.follow(target, show).await
        }
        Log::Level { id, level } => {
            let set = SetLevel {
                level: level.wanted(),
            };
            let target = Target::new(Method::PUT, ["log", "levels", id.as_str()]);
            let answer: SetLevel = client.ask(target, Some(&set)).await?;
            output.answer(&answer, |SetLevel { level }| match level {
                Some(level) => format!(
                    "{id} is logged from {} on, until the host ends\n",
                    name(*level)
                ),
                None => format!("{id} is logged as at the host's start\n"),
            })
        }
    }
}

fn told(line: &Line<Record>) -> String {
    match line {
        Line::Missed { missed } => format!("({missed} records passed too fast to be shown)"),
        Line::Told(record) => {
            let plugin = record
                .plugin
                .iter()
                .map(|plugin| format!(" plugin={plugin}"));
            let fields = record
                .fields
                .iter()
                .map(|(name, value)| format!(" {name}={value}"));
            let fields: String = plugin.chain(fields).collect();
            format!(
                "{:5} {}: {}{fields}",
                name(record.level).to_uppercase(),
                record.module,
                record.message
            )
        }
    }
}
