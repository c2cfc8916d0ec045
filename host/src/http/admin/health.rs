//! What is not well.

use axum::Json;
use axum::extract::State as Given;
use belfry_plugin_api::manifest::ServiceKind;
use serde::{Deserialize, Serialize};

use super::{Admin, now_ms};
use crate::bundle::{State as PluginState, Status};
use crate::delivery::queue::{Count, Side, State};
use crate::delivery::{HeldUp, HoldUp};
use crate::node::Node;
use crate::push::ListenerInfo;

/// What waits for longer is worth a word, in milliseconds.
const LONG_WAIT_MS: i64 = 10 * 60 * 1_000;

/// So many listeners that do not hear are named; there may be one for each user.
const NAMED_LISTENERS: usize = 5;

/// How a host is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Whether nothing is wrong; there may be something worth a word.
    pub ok: bool,
    /// The host's version.
    pub version: String,
    /// Everything that is not well, what is wrong first.
    pub problems: Vec<Problem>,
    /// The plugins.
    pub plugins: PluginCounts,
    /// The listeners.
    pub listeners: ListenerCounts,
    /// How many sessions there are.
    pub sessions: usize,
    /// What waits and what was given up on.
    pub queue: Vec<QueueCount>,
}

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something does not work.
    Fault,
    /// Worth a word.
    Notice,
}

/// Something that is not well.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// What it is about: `plugin mobile-push`, `configuration`, `transport apns`.
    pub about: String,
    /// What, why, and what to do.
    pub what: String,
}

impl Problem {
    fn fault(about: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            severity: Severity::Fault,
            about: about.into(),
            what: what.into(),
        }
    }

    fn notice(about: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            severity: Severity::Notice,
            ..Self::fault(about, what)
        }
    }
}

/// How many plugins there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginCounts {
    /// Installed.
    pub installed: usize,
    /// ACTIVE.
    pub active: usize,
}

/// How many listeners there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerCounts {
    /// Those that hear of new mail.
    pub hearing: usize,
    /// Those that do not.
    pub silent: usize,
}

/// How many rows of the queue there are of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueCount {
    /// Which half.
    pub side: Side,
    /// The plugin or the transport that they are for.
    pub destination: String,
    /// Waiting or dead.
    pub state: State,
    /// How many.
    pub count: u64,
    /// When the first of them came, in milliseconds since the Unix epoch.
    pub oldest_ms: i64,
}

impl From<Count> for QueueCount {
    fn from(count: Count) -> Self {
        Self {
            side: count.side,
            destination: count.destination,
            state: count.state,
            count: count.count,
            oldest_ms: count.oldest,
        }
    }
}

pub(super) async fn health(Given(Admin { node, .. }): Given<Admin>) -> Json<Health> {
    let mut problems = Vec::new();
    if !node.is_ready() {
        problems.push(Problem::fault("host", "it is ending"));
    }
    configuration(&node, &mut problems);
    let plugins = node.bundles().list().await;
    problems.extend(plugins.iter().filter_map(|status| plugin(&node, status)));
    for (file, fault) in node.bundles().refused().await {
        problems.push(Problem::fault(
            format!("file {}", file.display()),
            format!("it was refused: {fault}"),
        ));
    }
    problems.extend(node.delivery().hold_ups().into_iter().map(held_up));
    if let Err(error) = node.push().check_database().await {
        problems.push(Problem::fault("database", error.to_string()));
    }
    let queue = match node.delivery().queue().count().await {
        Ok(counts) => counts.into_iter().map(QueueCount::from).collect(),
        Err(error) => {
            problems.push(Problem::fault("queue", error.to_string()));
            Vec::new()
        }
    };
    for count in &queue {
        problems.extend(queued(&node, &plugins, count));
    }
    let listeners = node.push().listeners();
    let silent: Vec<_> = listeners
        .iter()
        .filter(|listener| !listener.hears())
        .collect();
    problems.extend(silent_listeners(&silent));
    problems.sort();
    let is_fault = |problem: &Problem| problem.severity == Severity::Fault;
    Json(Health {
        ok: !problems.iter().any(is_fault),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        problems,
        plugins: PluginCounts {
            installed: plugins.len(),
            active: plugins
                .iter()
                .filter(|status| status.state == PluginState::Active)
                .count(),
        },
        listeners: ListenerCounts {
            hearing: listeners.len() - silent.len(),
            silent: silent.len(),
        },
        sessions: node.push().session_count(),
        queue,
    })
}

fn configuration(node: &Node, problems: &mut Vec<Problem>) {
    if let Some(error) = node.config().fault() {
        for fault in error.faults() {
            problems.push(Problem::fault(
                "configuration",
                format!("{fault}; until then the last good one is in force"),
            ));
        }
    }
    let warnings = node.config().warnings();
    problems.extend(
        warnings
            .iter()
            .map(|warning| Problem::notice("configuration", warning.to_string())),
    );
}

fn plugin(node: &Node, status: &Status) -> Option<Problem> {
    let about = format!("plugin {}", status.id);
    let reason = status.reason.clone();
    if status.state == PluginState::Active {
        let failed_before = || {
            let last = status.last_failure.as_ref()?;
            let what = format!(
                "it runs, but failed {} times; the last time: {last}",
                status.failures
            );
            Some(Problem::notice(&about, what))
        };
        let fault = reason.map(|reason| Problem::fault(&about, reason));
        return fault.or_else(failed_before);
    }
    let key = format!("belfry.plugin.{}.enabled", status.id);
    let is_enabled = node
        .config()
        .snapshot()
        .read(&key)
        .ok()
        .flatten()
        .unwrap_or(true);
    if !is_enabled {
        return Some(Problem::notice(
            about,
            format!("it does not run, because {key} is false"),
        ));
    }
    if !status.autostart {
        let what = format!(
            "it was stopped by command; `belfryctl plugin start {}` starts it",
            status.id
        );
        return Some(Problem::notice(about, what));
    }
    let reason = reason
        .map(|reason| format!(": {reason}"))
        .unwrap_or_default();
    Some(Problem::fault(
        about,
        format!("it is {}{reason}", status.state),
    ))
}

fn held_up(
    HoldUp {
        who,
        until_ms,
        reason,
    }: HoldUp,
) -> Problem {
    let seconds = (until_ms - now_ms()).max(0) / 1_000;
    match who {
        HeldUp::Transport(name) => Problem::fault(
            format!("transport {name}"),
            format!("it pauses for {seconds} s more: {reason}"),
        ),
        HeldUp::EventHandlers(id) => Problem::fault(
            format!("plugin {id}"),
            format!("its event handlers are deny-listed for {seconds} s more: {reason}"),
        ),
    }
}

fn queued(node: &Node, plugins: &[Status], count: &QueueCount) -> Option<Problem> {
    let QueueCount {
        side,
        destination,
        state,
        count,
        oldest_ms,
    } = count;
    let about = match side {
        Side::Inbox => format!("plugin {destination}"),
        Side::Outbox => format!("transport {destination}"),
    };
    if *state == State::Dead {
        let what = format!(
            "{count} in the {side} were given up on; `belfryctl delivery list --state dead` says why, `belfryctl delivery retry` and `purge` deal with them"
        );
        return Some(Problem::notice(about, what));
    }
    let has_taker = match side {
        Side::Inbox => plugins
            .iter()
            .any(|status| status.id.as_str() == destination),
        Side::Outbox => {
            let transports = node.bundles().services().of_kind(ServiceKind::Transport);
            transports
                .iter()
                .any(|offered| offered.service.name == *destination)
        }
    };
    if !has_taker {
        let whose = match side {
            Side::Inbox => "for this plugin, which is not installed",
            Side::Outbox => "for this transport, which no running plugin offers",
        };
        return Some(Problem::fault(
            about,
            format!("{count} wait {whose}; install or start it, or purge them"),
        ));
    }
    let waited_ms = now_ms() - oldest_ms;
    (waited_ms > LONG_WAIT_MS).then(|| {
        let minutes = waited_ms / 60_000;
        Problem::notice(
            about,
            format!("{count} wait in the {side}, the first for {minutes} min"),
        )
    })
}

fn silent_listeners(silent: &[&ListenerInfo]) -> Option<Problem> {
    if silent.is_empty() {
        return None;
    }
    let named = silent
        .iter()
        .take(NAMED_LISTENERS)
        .map(|listener| format!("{}: {}", listener.user, listener.state));
    let mut what = format!(
        "{} do not hear of new mail; {}",
        silent.len(),
        named.collect::<Vec<_>>().join("; ")
    );
    if silent.len() > NAMED_LISTENERS {
        what.push_str("; `belfryctl listpushusers --json` names all");
    }
    Some(Problem::notice("listeners", what))
}
