//! From the command line to a host that serves, and its end.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Serialize;
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinSet;

use super::calls::Calls;
use super::seams::{KnownRecipients, RunningListeners};
use super::{LogLevels, Node, Routes};
use crate::bundle::{BundleError, Bundles, PluginsFolder, vet};
use crate::config::{Config, ConfigError, Folder, Override, Registry, ValueError, host_keys};
use crate::delivery::Delivery;
use crate::delivery::queue::{Options, Queue, QueueError};
use crate::http::{self, Ending, Penalties};
use crate::metrics::Metrics;
use crate::push::{ImapPasswordCheck, Push};
use crate::storage::{Storage, StorageError};

/// How long clients may take for their last answer when the host ends.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// What the command line says.
#[derive(Debug, Clone)]
pub struct Startup {
    /// The configuration folder.
    pub config: Folder,
    /// The plugins folder.
    pub plugins: PathBuf,
    /// The state folder.
    pub state: PathBuf,
    /// Keys that are set stronger than in files.
    pub overrides: Vec<Override>,
}

/// Why the host does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration.
    #[error("the configuration cannot be used: {0}")]
    Config(#[from] ConfigError),
    /// One value of it.
    #[error("the configuration cannot be used: {0}")]
    Value(#[from] ValueError),
    /// The state folder.
    #[error("the state folder {} cannot be used: {source}; belfryd must own it and be able to write there", folder.display())]
    State {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The queue.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The database.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The plugins.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// An address.
    #[error("{key} = {address} cannot be listened on: {source}")]
    Listen {
        /// The key.
        key: &'static str,
        /// Its value.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// The admin socket.
    #[error("the admin socket {} cannot be made: {source}", path.display())]
    AdminSocket {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// The addresses in force, as `STATE/endpoints.json` says them.
#[derive(Debug, Clone, Serialize)]
struct Endpoints {
    public: String,
    internal: String,
}

/// A host that serves.
pub struct Running {
    node: Arc<Node>,
    ending: Ending,
    tasks: JoinSet<()>,
    admin_socket: PathBuf,
}

fn load_config(startup: &Startup) -> Result<Config, ConfigError> {
    Config::load(
        startup.config.clone(),
        startup.overrides.clone(),
        Registry::new(host_keys(&startup.state)),
    )
}

/// How the log is to be written, as far as that can be told before there is one: a configuration
/// with faults is read again when they can be logged.
pub fn log_format(startup: &Startup) -> Option<String> {
    let config = load_config(startup).ok()?;
    config
        .snapshot()
        .get("belfry.log.format")
        .map(str::to_owned)
}

/// Keys of the contract that this version knows and does nothing with.
const WITHOUT_EFFECT: [&str; 3] = [
    "belfry.cluster.url",
    "belfry.admin.listen",
    "com.openexchange.push.credstorage.enabled",
];

/// Says which keys are set and have no effect, rather than let an operator rely on them.
fn warn_of_keys_without_effect(config: &Config) {
    let snapshot = config.snapshot();
    for key in WITHOUT_EFFECT {
        if snapshot.get(key).is_some_and(|value| value != "false") {
            tracing::warn!(
                key,
                "this version does nothing with the key; see the known limits in CHANGELOG.md"
            );
        }
    }
}

/// Reads all configuration and vets all plugins, starts nothing. Returns every fault.
pub fn check(startup: &Startup) -> Vec<String> {
    let mut faults = Vec::new();
    let config = match load_config(startup) {
        Ok(config) => Some(config),
        Err(error) => {
            faults.extend(error.faults().iter().map(ToString::to_string));
            None
        }
    };
    let mut files: Vec<_> = match std::fs::read_dir(&startup.plugins) {
        Ok(entries) => entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .collect(),
        Err(error) => {
            faults.push(format!(
                "the plugins folder {} cannot be read: {error}",
                startup.plugins.display()
            ));
            Vec::new()
        }
    };
    files.retain(|file| file.extension().is_some_and(|extension| extension == "so"));
    files.sort();
    for file in files {
        match vet::vet(&file) {
            Ok(vetted) => {
                if let Some(config) = &config
                    && let Err(error) = config.declare(&vetted.manifest.id, &vetted.manifest.keys)
                {
                    faults.extend(error.faults().iter().map(ToString::to_string));
                }
            }
            Err(fault) => faults.push(format!("{}: {fault}", file.display())),
        }
    }
    if let Some(config) = &config {
        config.report_warnings();
    }
    faults
}

impl Running {
    /// Starts a host. When this returns it serves, and its plugins have got as far as they get.
    ///
    /// # Errors
    ///
    /// What, where, and what to do.
    pub async fn start(startup: &Startup) -> Result<Self, StartError> {
        let state = &startup.state;
        let config = Arc::new(load_config(startup)?);
        make_state_folder(state)?;
        let (internal, public) = (
            listen(&config, "belfry.http.internal.listen").await?,
            listen(&config, "belfry.http.public.listen").await?,
        );
        let node = compose(config.clone(), state).await?;
        node.bundles.connect(node.clone());
        node.push.start();
        let plugins = PluginsFolder::open(node.bundles.clone(), &startup.plugins).await?;
        config.report_warnings();
        warn_of_keys_without_effect(&config);

        let ending = Ending::default();
        let mut tasks = JoinSet::new();
        let endpoints = Endpoints {
            public: url(&public)?,
            internal: url(&internal)?,
        };
        let admin_socket = state.join("admin.sock");
        let admin = admin_listener(&admin_socket)?;
        tasks.spawn(http::serve_tcp(
            internal,
            http::internal::router(node.clone()),
            ending.clone(),
        ));
        tasks.spawn(http::serve_tcp(
            public,
            http::public_router(&node),
            ending.clone(),
        ));
        tasks.spawn(http::serve_unix(
            admin,
            http::admin::router(node.clone(), ending.clone()),
            ending.clone(),
        ));
        tasks.spawn(plugins.follow());
        tasks.spawn(follow_config(node.clone()));
        let watching = config.watch();
        tasks.spawn(async move {
            // It ends with the process, or with the task set that aborts this one.
            let _abort = AbortOnDrop(watching);
            std::future::pending::<()>().await;
        });
        write_endpoints(state, &endpoints)?;
        node.ready.store(true, Ordering::Release);
        tracing::info!(public = endpoints.public, internal = endpoints.internal,
            admin = %admin_socket.display(), "the host is ready");
        Ok(Self {
            node,
            ending,
            tasks,
            admin_socket,
        })
    }

    /// The host.
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Ends the host: no new requests, plugins finish what they have in hand, what is left waits
    /// on disk.
    pub async fn end(mut self) {
        self.node.ready.store(false, Ordering::Release);
        tracing::info!("the host is ending");
        self.ending.end(LAST_ANSWERS).await;
        self.node.push.stop().await;
        self.node.bundles.shut_down().await;
        self.tasks.shutdown().await;
        if let Err(error) = self.node.delivery.queue().close().await {
            tracing::error!(%error, "the queue was not closed in order; nothing is lost by it");
        }
        // A socket that is gone already is as good.
        let _ = std::fs::remove_file(&self.admin_socket);
        tracing::info!("the host has ended");
    }
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn compose(config: Arc<Config>, state: &Path) -> Result<Arc<Node>, StartError> {
    let snapshot = config.snapshot();
    let mut options = Options::new(state.join("queue.db"));
    if let Some(durability) = snapshot.get("belfry.inbox.durability") {
        // The configuration allows no other words.
        options.durability = durability.parse().unwrap_or_default();
    }
    let queue = tokio::task::block_in_place(|| Queue::open(options))?;
    let database: String = snapshot.require("belfry.database.url")?;
    let storage = Storage::open(&database, state).await?;
    let bundles = Arc::new(Bundles::open(state)?);
    let calls = Arc::new(Calls::default());
    let listeners = Arc::new(RunningListeners {
        bundles: bundles.clone(),
        calls: calls.clone(),
    });
    let push = Push::new(
        config.clone(),
        storage,
        Arc::new(ImapPasswordCheck::default()),
        listeners,
    )?;
    let metrics = Arc::new(Metrics::default());
    let recipients = Arc::new(KnownRecipients { push: push.clone() });
    let delivery = Delivery::start(queue, recipients, metrics.clone());
    Ok(Arc::new_cyclic(|myself| Node {
        config,
        bundles,
        delivery,
        push,
        metrics,
        routes: Routes::default(),
        calls,
        penalties: Penalties::default(),
        log_levels: LogLevels::default(),
        manifests: Mutex::default(),
        buckets: Mutex::default(),
        ready: AtomicBool::new(false),
        myself: myself.clone(),
    }))
}

fn make_state_folder(state: &Path) -> Result<(), StartError> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(state);
    made.map_err(|source| StartError::State {
        folder: state.to_owned(),
        source,
    })
}

async fn listen(config: &Config, key: &'static str) -> Result<TcpListener, StartError> {
    let address: String = config.snapshot().require(key)?;
    TcpListener::bind(&address)
        .await
        .map_err(|source| StartError::Listen {
            key,
            address,
            source,
        })
}

fn url(listener: &TcpListener) -> Result<String, StartError> {
    let address: std::io::Result<SocketAddr> = listener.local_addr();
    let address = address.map_err(|source| StartError::Listen {
        key: "belfry.http",
        address: String::new(),
        source,
    })?;
    Ok(format!("http://{address}"))
}

fn admin_listener(path: &Path) -> Result<UnixListener, StartError> {
    use std::os::unix::fs::PermissionsExt;
    let wrap = |source| StartError::AdminSocket {
        path: path.to_owned(),
        source,
    };
    // The queue's lock proves that no other host lives on this folder: a socket is a left-over.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(wrap(error)),
        _ => {}
    }
    let listener = UnixListener::bind(path).map_err(wrap)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(wrap)?;
    Ok(listener)
}

fn write_endpoints(state: &Path, endpoints: &Endpoints) -> Result<(), StartError> {
    let wrap = |source| StartError::State {
        folder: state.to_owned(),
        source,
    };
    let unfinished = state.join("endpoints.json.unfinished");
    let text = serde_json::to_vec(endpoints).map_err(|error| wrap(error.into()))?;
    std::fs::write(&unfinished, text).map_err(wrap)?;
    std::fs::rename(unfinished, state.join("endpoints.json")).map_err(wrap)
}

/// Tells plugins of every change of the configuration.
async fn follow_config(node: Arc<Node>) {
    let mut snapshots = node.config.subscribe();
    while snapshots.changed().await.is_ok() {
        node.bundles.reconfigure().await;
    }
}
