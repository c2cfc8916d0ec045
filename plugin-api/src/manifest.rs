//! The manifest: what a plugin says of itself, readable without running anything.
//!
//! An author writes it as `plugin.toml` beside `Cargo.toml`;
//! [`export_plugin!`](crate::export_plugin) puts it, byte for byte, into the ELF section
//! [`SECTION`] of the artifact.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};

use crate::event::TopicPattern;

/// The ELF section that holds the manifest.
pub const SECTION: &str = ".belfry.manifest";

/// The largest manifest that is read, in bytes.
pub const MAX_BYTES: usize = 64 * 1024;

/// The id of a plugin: letters, digits and `-`, as in a package's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PluginId(String);

/// What was given is not a plugin's id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a plugin id: 1 to 64 lower-case letters, digits and '-', a letter first")]
pub struct ParsePluginIdError(String);

impl PluginId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PluginId {
    type Err = ParsePluginIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let starts_well = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
        if starts_well && text.len() <= 64 && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParsePluginIdError(text.to_owned()))
        }
    }
}

impl TryFrom<String> for PluginId {
    type Error = ParsePluginIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<PluginId> for String {
    fn from(id: PluginId) -> Self {
        id.0
    }
}

impl fmt::Display for PluginId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a plugin runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// In a process of its own: a crash, a hang, a leak is that plugin's alone.
    #[default]
    Process,
    /// In the host's process, on a thread of its own.
    Host,
}

impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Process => "process",
            Self::Host => "host",
        })
    }
}

impl FromStr for Isolation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "process" => Ok(Self::Process),
            "host" => Ok(Self::Host),
            other => Err(format!("{other:?} is no isolation: process or host")),
        }
    }
}

/// The kinds of service that a plugin can offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceKind {
    /// Hears of new mail from one kind of mail backend.
    Listener,
    /// Hands messages to one kind of push provider.
    Transport,
    /// Keeps users' mail credentials, or offers provider certificates and keys.
    CredentialBackend,
    /// Is subscribed to topics.
    EventHandler,
    /// Answers HTTP requests.
    HttpRoutes,
}

impl fmt::Display for ServiceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Listener => "listener",
            Self::Transport => "transport",
            Self::CredentialBackend => "credential-backend",
            Self::EventHandler => "event-handler",
            Self::HttpRoutes => "http-routes",
        })
    }
}

/// One service that the plugin offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Service {
    /// Its kind.
    pub kind: ServiceKind,
    /// Its name among those of its kind: `dovecot`, `apns`. Event handlers need none.
    #[serde(default)]
    pub name: String,
    /// Of two services of one kind and name the higher one serves.
    #[serde(default)]
    pub ranking: i32,
    /// Listeners: whether it can listen for a user who has no session.
    #[serde(default)]
    pub permanent: bool,
    /// Event handlers: the topics.
    #[serde(default)]
    pub topics: Vec<TopicPattern>,
    /// Event handlers: an LDAP filter (RFC 4515) over the event's properties.
    #[serde(default)]
    pub filter: Option<String>,
}

/// A service that the plugin needs before it can start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Requirement {
    /// The kind of service.
    pub kind: ServiceKind,
    /// Its name; any where there is none.
    #[serde(default)]
    pub name: Option<String>,
    /// Whether the plugin starts without it, too.
    #[serde(default)]
    pub optional: bool,
}

/// The listening address that a route belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Surface {
    /// Mail servers, behind Basic authentication.
    Internal,
    /// Apps, behind a session.
    Public,
}

/// What the host does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Accept {
    /// It writes it to the inbox, answers `200 {"success":true}`, and hands it to the plugin's
    /// listener as a report. The answer does not wait for the plugin, nor need it be running.
    Inbox,
    /// It asks the plugin and passes on its answer.
    #[default]
    Plugin,
}

/// The type of a JSON field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldType {
    /// A string.
    String,
    /// A whole number from 0 to 4,294,967,295.
    Integer,
    /// A string or a whole number.
    Any,
}

/// A route of the host's HTTP that leads to the plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Route {
    /// Its name, which the plugin sees.
    pub name: String,
    /// The address that it is on.
    pub surface: Surface,
    /// Methods, upper case.
    pub methods: Vec<String>,
    /// Paths, each beginning with `/`.
    pub paths: Vec<String>,
    /// What the host does with a request.
    #[serde(default)]
    pub accept: Accept,
    /// The JSON field that names the user, as `USER@CONTEXT` or a mail login. The host looks the
    /// user up; a request about a user whom nobody registered is counted and goes no further.
    #[serde(default)]
    pub user: Option<String>,
    /// JSON fields that must be there, with their types.
    #[serde(default)]
    pub fields: BTreeMap<String, FieldType>,
}

/// The type of a configuration key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyType {
    /// Any text.
    Text,
    /// `true` or `false`.
    Flag,
    /// A whole number, not negative.
    Integer,
    /// Texts separated by commas.
    List,
    /// A file or folder.
    Path,
    /// A URL.
    Url,
}

/// A configuration key that the plugin reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Key {
    /// Its full name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: KeyType,
    /// Its value where nobody set it.
    #[serde(default)]
    pub default: Option<String>,
    /// Whether its value is never shown.
    #[serde(default)]
    pub secret: bool,
    /// Whether it is one of the host's own, which the plugin only reads.
    #[serde(default)]
    pub shared: bool,
    /// What it does, in a sentence, with its unit.
    #[serde(default)]
    pub help: String,
}

/// What a plugin says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Manifest {
    /// The plugin's id: its package's name without `belfry-`.
    pub id: PluginId,
    /// The plugin's version.
    pub version: Version,
    /// The versions of plugin-api that it runs with, usually the one that it was built with.
    pub api: VersionReq,
    /// Who made it.
    #[serde(default)]
    pub vendor: String,
    /// Its licence, as an SPDX expression.
    #[serde(default)]
    pub license: String,
    /// What it does, in a sentence.
    #[serde(default)]
    pub description: String,
    /// Plugins of lower levels start earlier and stop later.
    #[serde(default = "default_start_level")]
    pub start_level: u32,
    /// Where it runs unless the operator says otherwise.
    #[serde(default)]
    pub isolation: Isolation,
    /// Whether two generations of it must never run at once.
    #[serde(default)]
    pub exclusive: bool,
    /// Private writable memory that its process may have, in MiB.
    #[serde(default = "default_memory_limit_mib")]
    pub memory_limit_mib: u64,
    /// Events, reports or deliveries that it has in hand at once.
    #[serde(default = "default_window")]
    pub window: u32,
    /// The services that it offers.
    #[serde(default, rename = "provides")]
    pub services: Vec<Service>,
    /// The services that it needs.
    #[serde(default, rename = "requires")]
    pub requirements: Vec<Requirement>,
    /// The routes that lead to it.
    #[serde(default, rename = "route")]
    pub routes: Vec<Route>,
    /// The configuration that it reads.
    #[serde(default, rename = "config")]
    pub keys: Vec<Key>,
}

fn default_start_level() -> u32 {
    50
}

fn default_memory_limit_mib() -> u64 {
    512
}

fn default_window() -> u32 {
    1024
}

/// Why a manifest is refused.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// More than [`MAX_BYTES`].
    #[error("the manifest has {0} bytes; {MAX_BYTES} are allowed")]
    TooLarge(usize),
    /// Not UTF-8.
    #[error("the manifest is not UTF-8: {0}")]
    NotUtf8(#[from] std::str::Utf8Error),
    /// Not TOML, or not of this form.
    #[error("the manifest cannot be read: {}", in_one_line(.0))]
    Form(#[from] toml::de::Error),
    /// Of the right form, but contradictory.
    #[error("the manifest is contradictory: {0}")]
    Contradiction(String),
}

/// Where it is wrong and what is wrong there, without the excerpt in between.
fn in_one_line(error: &toml::de::Error) -> String {
    let text = error.to_string();
    let place = text.lines().next().unwrap_or_default();
    let message = error.message().replace('\n', ", ");
    if place.contains(&message) {
        message
    } else {
        format!("{place}: {message}")
    }
}

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    ///
    /// Says what is wrong, and in which line where it is a matter of form.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > MAX_BYTES {
            return Err(ManifestError::TooLarge(bytes.len()));
        }
        let manifest: Self = toml::from_str(std::str::from_utf8(bytes)?)?;
        match manifest.contradiction() {
            Some(what) => Err(ManifestError::Contradiction(what)),
            None => Ok(manifest),
        }
    }

    /// The kinds of service offered, each once, in order.
    pub fn kinds(&self) -> Vec<ServiceKind> {
        let mut kinds: Vec<_> = self.services.iter().map(|service| service.kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    fn contradiction(&self) -> Option<String> {
        let offers = |kind| self.services.iter().any(|service| service.kind == kind);
        for service in &self.services {
            let is_handler = service.kind == ServiceKind::EventHandler;
            if is_handler && service.topics.is_empty() {
                return Some("an event-handler names no topics".into());
            }
            if !is_handler && (service.filter.is_some() || !service.topics.is_empty()) {
                return Some(format!("a {} has topics or a filter", service.kind));
            }
            let needs_name = !matches!(
                service.kind,
                ServiceKind::EventHandler | ServiceKind::HttpRoutes
            );
            if needs_name && service.name.is_empty() {
                return Some(format!("a {} has no name", service.kind));
            }
        }
        for route in &self.routes {
            let (name, needed) = match route.accept {
                Accept::Inbox => (&route.name, ServiceKind::Listener),
                Accept::Plugin => (&route.name, ServiceKind::HttpRoutes),
            };
            if !offers(needed) {
                return Some(format!(
                    "route {name} leads to a {needed}, which it does not offer"
                ));
            }
            if route.accept == Accept::Inbox && route.surface == Surface::Public {
                return Some(format!(
                    "route {name} takes reports of apps; the inbox is for mail servers (surface internal)"
                ));
            }
            if route.methods.is_empty() || route.paths.is_empty() {
                return Some(format!("route {name} has no methods or no paths"));
            }
            if let Some(path) = route.paths.iter().find(|path| !path.starts_with('/')) {
                return Some(format!(
                    "route {name} has the path {path:?}, which has no leading '/'"
                ));
            }
            if route
                .user
                .as_ref()
                .is_some_and(|user| !route.fields.contains_key(user))
            {
                return Some(format!(
                    "route {name} takes the user from a field that it does not require"
                ));
            }
        }
        if self.window == 0 {
            return Some("window is 0: it would never be handed anything".into());
        }
        None
    }
}
