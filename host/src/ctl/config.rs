//! The configuration in force.

use super::args::Config;
use super::client::Client;
use super::failure::Failure;
use super::output::{Output, facts, one_line};
use crate::http::admin::Explained;

pub(super) async fn run(client: &Client, output: &Output, verb: Config) -> Result<(), Failure> {
    match verb {
        Config::Get { key } => {
            let explained: Explained = client.get(["config", &key]).await?;
            let Some(value) = &explained.value else {
                let why = format!("{key} is not set and has no default");
                return Err(Failure::Refused(why));
            };
            output.answer(&explained, |_| one_line(value) + "\n")
        }
        Config::Explain { key } => {
            let explained: Explained = client.get(["config", &key]).await?;
            output.answer(&explained, explanation)
        }
    }
}

fn explanation(explained: &Explained) -> String {
    let value = explained.value.as_deref().unwrap_or("(nothing)");
    let mut text = one_line(&format!("{} = {value}", explained.key)) + "\n\n";
    let origin = match explained.origin.as_str() {
        "default" if explained.default.is_some() => "nobody set it: the default holds",
        "default" => "nobody set it, and it has no default",
        origin => origin,
    };
    let known = if explained.known {
        None
    } else {
        Some("nothing reads this key".to_owned())
    };
    text.push_str(&facts([
        ("from", Some(origin.to_owned())),
        ("note", known),
        ("default", explained.default.clone()),
        ("allowed", explained.allowed.clone()),
        (
            "secret",
            explained
                .secret
                .then(|| "yes: its value is never shown".to_owned()),
        ),
        ("what it does", explained.help.clone()),
    ]));
    for (at, set) in explained.settings.iter().enumerate() {
        let covered = if at == 0 { "" } else { ", which is covered" };
        let sets = format!("{} sets it to {}{covered}", set.origin, set.value);
        text.push_str(&one_line(&sets));
        text.push('\n');
    }
    text
}
