//! What can be typed.

use std::path::PathBuf;
use std::time::Duration;

use belfry_plugin_api::event::{Topic, TopicPattern};
use belfry_plugin_api::manifest::PluginId;
use belfry_plugin_api::user::User;
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

use super::events::Property;
use crate::config::Value;
use crate::delivery::queue::{Side, State};
use crate::http::admin::Reference;

#[cfg(test)]
mod tests;

macro_rules! exit_status {
    () => {
        "\
Exit status:
  0  it is done
  1  it was refused or failed; one line on standard error says what, why, and what to do
  2  wrong usage
  3  no host answers at the socket"
    };
}

const EXIT_STATUS: &str = exit_status!();

const EXAMPLES: &str = concat!(
    "\
Examples:
  belfryctl plugin list
  belfryctl plugin update mobile-push
  belfryctl config explain com.openexchange.push.allowedClient
  belfryctl event tail 'com/openexchange/*' --json
  belfryctl delivery list --state dead
  belfryctl delivery retry outbox:17 outbox:18

",
    exit_status!()
);

/// Shows and steers a running Belfry host.
///
/// It speaks to belfryd over its admin socket, which belongs to the user that belfryd runs as:
/// run it as that user, or as root.
#[derive(Debug, Parser)]
#[command(name = "belfryctl", version, after_help = EXIT_STATUS, after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) common: Common,

    #[command(subcommand)]
    pub(super) command: Command,
}

/// Lists the users whose new mail is heard of
///
/// One line a listener: `user=249, context=1, permanent=true`. A listener is permanent where it
/// outlives the user's sessions. They are sorted by context, then user. It is `belfryctl listpushusers` under its old name.
#[derive(Debug, Parser)]
#[command(name = "listpushusers", version, after_help = EXIT_STATUS)]
pub(super) struct ListPushUsers {
    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Debug, Args)]
pub(super) struct Common {
    /// The admin socket of the host: admin.sock in its state folder
    #[arg(
        long,
        global = true,
        value_name = "PATH",
        default_value = "/var/lib/belfry/admin.sock"
    )]
    pub(super) socket: PathBuf,

    /// Answer in JSON, for programs
    #[arg(long, global = true)]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Plugins: what is installed and how it is; install, start, stop, update, uninstall, vet
    #[command(subcommand)]
    Plugin(Plugin),

    /// Services that running plugins offer
    #[command(subcommand)]
    Service(Service),

    /// Events on the host's bus: watch them, publish one
    #[command(subcommand)]
    Event(Event),

    /// The users whose new mail is heard of, one line a listener
    ///
    /// The lines are `user=249, context=1, permanent=true`, sorted by context, then user. A
    /// listener is permanent where it outlives the user's sessions. With --json each listener has
    /// its plugin and state too, and those are listed as well whose plugin could not begin to
    /// listen.
    Listpushusers,

    /// Registrations: which client of which user wants a permanent listener
    #[command(subcommand)]
    Registration(Registration),

    /// Subscriptions: users' devices
    #[command(subcommand)]
    Subscription(Subscription),

    /// The configuration in force
    #[command(subcommand)]
    Config(Config),

    /// The users that the host knows
    #[command(subcommand)]
    User(Users),

    /// What was accepted and is not yet delivered, and what was given up on
    #[command(subcommand)]
    Delivery(Delivery),

    /// The host's log, as it is written, and how much of it is
    #[command(subcommand)]
    Log(Log),

    /// Everything that is not well
    ///
    /// Faults are what does not work: a plugin that is not ACTIVE, a file that was refused, a
    /// transport that pauses, configuration that is not in force. Notices are worth a word: a
    /// plugin that was stopped by command, deliveries that were given up on. The exit status is 1
    /// where there is a fault.
    Health,
}

#[derive(Debug, Subcommand)]
pub(super) enum Plugin {
    /// All plugins: state, version, isolation, process, generation, and why one is not ACTIVE;
    /// then the files that were refused, each with its fault
    List,
    /// Everything about one plugin, with its services and the place of its last panic
    Info {
        /// The plugin's id
        id: PluginId,
    },
    /// Install a plugin from a file, and start it
    ///
    /// The host keeps a copy, and installs the file again at each start. A file in the plugins
    /// folder is installed without this.
    Install {
        /// The plugin's file (.so), readable for the host
        file: PathBuf,
    },
    /// Start a plugin; it starts by itself from now on
    Start {
        /// The plugin's id
        id: PluginId,
    },
    /// Stop a plugin; it stays so, also when the host starts anew
    Stop {
        /// The plugin's id
        id: PluginId,
    },
    /// Replace a plugin without losing an event
    ///
    /// The new one starts beside the old one, and takes over when it is ready. Where it does not
    /// get ready, the old one goes on.
    ///
    /// A plugin that lies in the plugins folder is best updated by replacing its file there: when
    /// the host starts anew, it takes that one.
    Update {
        /// The plugin's id
        id: PluginId,
        /// The new file (.so) [default: the file that the plugin came from]
        file: Option<PathBuf>,
    },
    /// Stop a plugin and forget it
    ///
    /// What it was owed waits on disk until it is installed again. Its file is not touched; in
    /// the plugins folder it is installed again when the host starts.
    Uninstall {
        /// The plugin's id
        id: PluginId,
    },
    /// Check a plugin's file as a host would, without a host
    Vet {
        /// The plugin's file (.so)
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Service {
    /// The services that run, by kind and name; of those with one name the first one serves
    List,
}

#[derive(Debug, Subcommand)]
pub(super) enum Event {
    /// Show events as they pass, until interrupted
    ///
    /// With --json each is one JSON object a line.
    Tail {
        /// Only these topics; a trailing /* stands for all below
        topics: Vec<TopicPattern>,
    },
    /// Publish an event, kept on disk until every handler has dealt with it
    Send {
        /// The topic, such as com/openexchange/push
        topic: Topic,
        /// Properties; true, false and whole numbers are such, everything else is text
        #[arg(value_name = "KEY=VALUE")]
        properties: Vec<Property>,
        /// Whose event it is
        #[arg(long, value_name = "USER@CONTEXT")]
        user: Option<User>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Registration {
    /// All registrations, by context, user and client
    List,
    /// End a user's registrations: all, or the one of a client
    ///
    /// The devices stay subscribed; an app that confirms one registers its client again.
    Remove {
        /// The context's number
        context: u32,
        /// The user's number
        user: u32,
        /// The client's name [default: all of them]
        client: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Subscription {
    /// All devices, by context and user; of their tokens the first characters only
    List,
    /// Remove a device, and what waits for it
    Remove {
        /// The subscription's id, as the list shows it
        id: i64,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Config {
    /// The value of a key
    Get {
        /// The property's name
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        key: String,
    },
    /// Where a key got its value, what else was set, and what it may be
    Explain {
        /// The property's name
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        key: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Users {
    /// All users, by context and number
    List,
    /// Make a user known, with numbers of your choice
    Add {
        /// The numbers, such as 249@1
        #[arg(value_name = "USER@CONTEXT")]
        user: User,
        /// The login at the mail store
        login: String,
    },
    /// Remove a user with sessions, registrations, subscriptions, and what waits for the devices
    Remove {
        /// The numbers, such as 249@1
        #[arg(value_name = "USER@CONTEXT")]
        user: User,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Delivery {
    /// What waits and what was given up on
    ///
    /// The inbox holds what was accepted for plugins, the outbox what is to be delivered by
    /// transports. Contents are not shown.
    List {
        #[command(flatten)]
        filter: DeliveryFilter,
        /// So many of each side at the most
        #[arg(long, value_name = "ROWS", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        /// Only those behind this id; needs --side
        #[arg(long, value_name = "ID", requires = "side")]
        after: Option<i64>,
    },
    /// Have what was given up on tried again, as if it had never failed
    Retry(Which),
    /// Delete deliveries; what a plugin has in hand goes its way
    Purge(Which),
}

#[derive(Debug, Args)]
pub(super) struct DeliveryFilter {
    /// Only this half of the queue
    #[arg(long, value_name = "inbox|outbox")]
    pub(super) side: Option<Side>,
    /// Only what is for this plugin (inbox) or transport (outbox)
    #[arg(long, value_name = "NAME")]
    pub(super) destination: Option<String>,
    /// Only what waits, or what was given up on
    #[arg(long, value_name = "waiting|dead")]
    pub(super) state: Option<State>,
}

/// Which deliveries are meant.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(true)
    .args(["references", "side", "destination", "state", "older_than", "all"]))]
pub(super) struct Which {
    /// These, as the list names them: inbox:ID or outbox:ID
    #[arg(value_name = "REFERENCE", conflicts_with = "all")]
    pub(super) references: Vec<Reference>,
    #[command(flatten)]
    pub(super) filter: DeliveryFilter,
    /// Only what came so long ago: 90s, 10m, 2h, 7d
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) older_than: Option<Duration>,
    /// Everything
    #[arg(long)]
    pub(super) all: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Log {
    /// Show log records as they are written, until interrupted
    ///
    /// Only what the host logs is shown; `log level` has it log more. With --json each record is
    /// one JSON object a line.
    Tail {
        /// Only records of or about this plugin
        #[arg(long, value_name = "ID")]
        plugin: Option<PluginId>,
        /// Only records of this level and worse
        #[arg(long)]
        level: Option<Level>,
    },
    /// Log more or less of a plugin, or of the host itself, until the host ends
    Level {
        /// The plugin's id, or belfryd for the host itself
        id: PluginId,
        /// From which level on
        level: Level,
    },
}

/// How bad something is that is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
    /// As at the host's start
    Default,
}

fn duration(text: &str) -> Result<Duration, String> {
    Duration::from_text(text).ok_or_else(|| format!("write {}", Duration::WANTED))
}
