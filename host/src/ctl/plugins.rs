//! Plugins and their services.

use std::path::{Path, PathBuf};

use belfry_plugin_api::manifest::{PluginId, Service};
use hyper::Method;

use super::args::Plugin;
use super::client::{Client, Target};
use super::failure::Failure;
use super::output::{Output, age, facts, one_line};
use super::table::Table;
use crate::bundle::{State, Status};
use crate::http::admin::{Install, PluginList, ServiceList, Uninstalled, Update};

pub(super) async fn run(client: &Client, output: &Output, verb: Plugin) -> Result<(), Failure> {
    match verb {
        Plugin::List => {
            let list: PluginList = client.get(["plugins"]).await?;
            output.answer(&list, table)
        }
        Plugin::Info { id } => {
            let status: Status = client.get(["plugins", id.as_str()]).await?;
            output.answer(&status, info)
        }
        Plugin::Install { file } => {
            let install = Install {
                file: absolute(&file)?,
            };
            let target = Target::new(Method::POST, ["plugins"]);
            let status: Status = client.ask(target, Some(&install)).await?;
            output.answer(&status, line)?;
            runs(&status)
        }
        Plugin::Start { id } => {
            let target = Target::new(Method::POST, ["plugins", id.as_str(), "start"]);
            output.answer(&client.ask::<Status>(target, None::<&()>).await?, line)
        }
        Plugin::Stop { id } => {
            let target = Target::new(Method::POST, ["plugins", id.as_str(), "stop"]);
            output.answer(&client.ask::<Status>(target, None::<&()>).await?, line)
        }
        Plugin::Update { id, file } => update(client, output, &id, file).await,
        Plugin::Uninstall { id } => {
            let target = Target::new(Method::DELETE, ["plugins", id.as_str()]);
            let answer = client.ask::<Uninstalled>(target, None::<&()>).await?;
            output.answer(&answer, uninstalled)
        }
        // It needs no host, and was dealt with before one was looked for.
        Plugin::Vet { file } => super::vet::vet(&file, output),
    }
}

async fn update(
    client: &Client,
    output: &Output,
    id: &PluginId,
    file: Option<PathBuf>,
) -> Result<(), Failure> {
    let file = file.as_deref().map(absolute).transpose()?;
    let target = Target::new(Method::POST, ["plugins", id.as_str(), "update"]);
    let status: Status = client.ask(target, Some(&Update { file })).await?;
    output.answer(&status, line)?;
    runs(&status)
}

/// The host's working directory is another one.
fn absolute(file: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(file)
        .map_err(|error| Failure::Refused(format!("{} is no path: {error}", file.display())))
}

/// What was installed is to run, unless it waits for another plugin.
fn runs(status: &Status) -> Result<(), Failure> {
    if status.state != State::Failed {
        return Ok(());
    }
    let why = status.reason.as_deref().unwrap_or("it does not say why");
    Err(Failure::Refused(format!(
        "plugin {} is installed, but does not run: {why}; `belfryctl plugin info {}` says more",
        status.id, status.id
    )))
}

fn table(list: &PluginList) -> String {
    let mut table = Table::new([
        "ID",
        "VERSION",
        "STATE",
        "ISOLATION",
        "PID",
        "GENERATION",
        "SINCE",
        "REASON",
    ]);
    for status in &list.plugins {
        table.row([
            status.id.to_string(),
            status.version.clone(),
            status.state.to_string(),
            status.isolation.to_string(),
            status.pid.map(|pid| pid.to_string()).unwrap_or_default(),
            status.generation.to_string(),
            age(status.since_ms),
            reason(status).unwrap_or_default(),
        ]);
    }
    let mut text = table.to_string();
    if !list.refused.is_empty() {
        let mut refused = Table::new(["REFUSED FILE", "FAULT"]);
        for file in &list.refused {
            refused.row([file.file.display().to_string(), file.fault.clone()]);
        }
        text.push('\n');
        text.push_str(&refused.to_string());
    }
    text
}

/// Why it is not ACTIVE; or, where it is, what is worth knowing about it.
fn reason(status: &Status) -> Option<String> {
    let is_stopped = !status.autostart && status.state != State::Active;
    let by_command = || is_stopped.then(|| "stopped by command".to_owned());
    let failed_before = || {
        let last = status.last_failure.as_ref()?;
        Some(format!(
            "failed {} times; the last time: {last}",
            status.failures
        ))
    };
    let reason = status.reason.clone();
    reason.or_else(by_command).or_else(failed_before)
}

/// How a plugin is, in one line.
fn line(status: &Status) -> String {
    let mut line = format!("{} {} {}", status.id, status.version, status.state);
    if let Some(pid) = status.pid {
        line.push_str(&format!(", process {pid}"));
    }
    line.push_str(&format!(", generation {}", status.generation));
    if let Some(reason) = reason(status) {
        line.push_str(&format!(": {reason}"));
    }
    one_line(&line) + "\n"
}

fn info(status: &Status) -> String {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let mut info = facts([
        ("id", Some(status.id.to_string())),
        ("version", Some(status.version.clone())),
        ("description", text(&status.description)),
        ("vendor", text(&status.vendor)),
        (
            "state",
            Some(format!("{} for {}", status.state, age(status.since_ms))),
        ),
        ("reason", status.reason.clone()),
        ("last failure", status.last_failure.clone()),
        (
            "starts by itself",
            Some(if status.autostart { "yes" } else { "no" }.to_owned()),
        ),
        ("start level", Some(status.start_level.to_string())),
        ("isolation", Some(status.isolation.to_string())),
        ("process", status.pid.map(|pid| pid.to_string())),
        ("generation", Some(status.generation.to_string())),
        ("failures", Some(status.failures.to_string())),
        (
            "mapped generations",
            (status.mapped_generations > 0).then(|| status.mapped_generations.to_string()),
        ),
        ("file", Some(status.source.display().to_string())),
        ("SHA-256", Some(status.hash.clone())),
        (
            "built with",
            Some(format!("plugin-api {}", status.built_with)),
        ),
    ]);
    info.push('\n');
    info.push_str(&service_table(status.services.iter()));
    if let Some(backtrace) = &status.backtrace {
        info.push_str("\nthe last panic happened at\n");
        for line in backtrace.lines() {
            info.push_str(&one_line(line));
            info.push('\n');
        }
    }
    info
}

/// Services, without whose they are.
pub(super) fn service_table<'a>(services: impl Iterator<Item = &'a Service>) -> String {
    let mut table = Table::new(["SERVICE", "NAME", "RANKING", "DETAILS"]);
    for service in services {
        table.row([
            service.kind.to_string(),
            service.name.clone(),
            service.ranking.to_string(),
            details(service),
        ]);
    }
    table.to_string()
}

fn details(service: &Service) -> String {
    let mut details = Vec::new();
    if service.permanent {
        details.push("permanent".to_owned());
    }
    details.extend(service.topics.iter().map(ToString::to_string));
    details.extend(service.filter.clone());
    details.join(" ")
}

fn uninstalled(
    Uninstalled {
        id,
        file,
        file_remains,
    }: &Uninstalled,
) -> String {
    let mut text = format!("{id} is uninstalled\n");
    if *file_remains {
        let file = one_line(&file.display().to_string());
        text.push_str(&format!(
            "its file is left in place: {file}; in the plugins folder it is installed again when the host starts\n"
        ));
    }
    text
}

pub(super) async fn services(client: &Client, output: &Output) -> Result<(), Failure> {
    let list: ServiceList = client.get(["services"]).await?;
    output.answer(&list, |list| {
        let mut table = Table::new(["KIND", "NAME", "RANKING", "PLUGIN", "DETAILS"]);
        for offered in &list.services {
            table.row([
                offered.service.kind.to_string(),
                offered.service.name.clone(),
                offered.service.ranking.to_string(),
                offered.plugin.to_string(),
                details(&offered.service),
            ]);
        }
        table.to_string()
    })
}
